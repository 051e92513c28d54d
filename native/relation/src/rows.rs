//! Products and their weights as tables over a hypercube.
//!
//! Row p holds the product a_p · b_p, the products of one equation in neighbouring rows, and the sum c of
//! that equation in the first of them. With w_p = eq(τ, number of the equation) in all of its rows
//!
//! ```text
//! Σ_p w_p · (a_p·b_p − c_p)  =  Σ_equations eq(τ, i) · (Σ_k a·b − c)
//! ```
//!
//! is zero for random τ only if all equations hold. After the last product there is the row of the *dummy*:
//! two spare pads as factors, of no equation and so of weight zero. It makes a~ and b~ uniform at any
//! point at which its own weight eq(r, row) is not zero. Further rows are zero.

use crate::equations::Equations;
use crate::form::Form;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Value, equality};
use transcript::Extension;

/// The rows of some equations.
pub struct Rows<'a> {
    /// The factors of each row, that of the dummy included.
    factors: Vec<[&'a Form; 2]>,
    /// The number of the equation of each row but that of the dummy.
    equation: Vec<usize>,
    /// Of each equation its first row and its sum.
    sums: Vec<(usize, &'a Form)>,
    variables: usize,
}

impl<'a> Rows<'a> {
    /// The rows of these equations and of a dummy with these factors.
    pub fn new(equations: &'a Equations, dummy: &'a [Form; 2], variables: usize) -> Self {
        let mut factors = Vec::with_capacity(1 << variables);
        let mut equation = Vec::with_capacity(1 << variables);
        let mut sums = Vec::with_capacity(equations.quadratic.len());
        for (number, of) in equations.quadratic.iter().enumerate() {
            sums.push((factors.len(), &of.sum));
            factors.extend(of.products.iter().map(|(a, b)| [a, b]));
            equation.resize(factors.len(), number);
        }
        let [a, b] = dummy;
        factors.push([a, b]);
        Self {
            factors,
            equation,
            sums,
            variables,
        }
    }

    /// The weights w of all rows.
    pub fn weights(&self, tau: &[Extension]) -> Vec<Extension> {
        let of_equations = equality(tau, self.sums.len());
        let own = self.equation.iter();
        let own = own.map(|&number| of_equations.get(number).copied().unwrap_or_default());
        let mut weights: Vec<Extension> = own.collect();
        weights.resize(1 << self.variables, Extension::ZERO);
        weights
    }

    /// The tables of both factors and of the sums for given pads; nothing if one is missing.
    pub fn tables(&self, pads: &[Extension]) -> Option<[Vec<Extension>; 3]> {
        let mut tables = [const { Vec::new() }; 3];
        for table in &mut tables {
            *table = vec![Extension::ZERO; 1 << self.variables];
        }
        let [a, b, c] = &mut tables;
        for (row, [left, right]) in self.factors.iter().enumerate() {
            *a.get_mut(row)? = left.at(pads)?;
            *b.get_mut(row)? = right.at(pads)?;
        }
        for &(row, sum) in &self.sums {
            *c.get_mut(row)? = sum.at(pads)?;
        }
        Some(tables)
    }

    /// What both factors and the sums are at a point, as forms.
    pub fn at(&self, point: &[Extension]) -> [Form; 3] {
        let weights = equality(point, 1 << self.variables);
        let side = |side: usize| {
            let forms = self.factors.iter().map(|factors| factors[side]);
            Form::combination(weights.iter().copied().zip(forms))
        };
        let weight = |row: usize| weights.get(row).copied().unwrap_or_default();
        let sums = self.sums.iter().map(|&(row, sum)| (weight(row), sum));
        [side(0), side(1), Form::combination(sums)]
    }
}
