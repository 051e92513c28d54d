//! Other hidden values than those of a prover, which satisfy all equations but one.
#![allow(dead_code)]

use crate::hidden::Case;
use crate::replay::Replayed;
use p3_field::{Field, PrimeCharacteristicRing};
use relation::Form;
use sumcheck::add_scaled;
use transcript::Extension;
use verifier::relations::Recorded;

/// Rows of a matrix with right sides behind them, brought to reduced echelon form. Returns the pivots of the
/// rows, as columns below `width`.
fn echelon(rows: &mut [Vec<Extension>], width: usize) -> Vec<usize> {
    let mut pivots = Vec::new();
    for column in 0..width {
        let done = pivots.len();
        let Some(at) = (done..rows.len()).find(|&at| rows[at][column] != Extension::ZERO) else {
            continue;
        };
        rows.swap(done, at);
        let inverse = rows[done][column].inverse();
        for value in &mut rows[done][column..] {
            *value *= inverse;
        }
        let pivot = rows[done][column..].to_vec();
        for (other, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if other != done && factor != Extension::ZERO {
                add_scaled(&mut row[column..], -factor, &pivot);
            }
        }
        pivots.push(column);
    }
    pivots
}

/// Pads that violate one equation and satisfy all others and all claims, found from those of a prover
/// with one factor of each product kept: then every equation is linear in the change.
pub struct Search<'a> {
    replayed: &'a Replayed,
    claims: Vec<(&'a Form, Extension)>,
    /// Which factors are kept: of products with even and with odd numbers in their equation.
    kept: [bool; 2],
}

impl Search<'_> {
    fn dense(&self, terms: &[(Extension, &Form)], behind: usize) -> Vec<Extension> {
        let mut row = vec![Extension::ZERO; self.replayed.sent + behind];
        for (weight, form) in terms {
            for &(index, factor) in form.terms() {
                row[index as usize] += *weight * factor;
            }
        }
        row
    }

    /// Of each equation how it changes with the pads, and how far it is off.
    fn equations(&self, behind: usize) -> Vec<(Vec<Extension>, Extension)> {
        let Recorded { equations, .. } = &self.replayed.recorded;
        let at = |form: &Form| form.at(&self.replayed.pads).unwrap();
        let one = Extension::ONE;
        let linear = equations.linear.iter();
        let linear = linear.map(|e| (self.dense(&[(one, &e.form)], behind), at(&e.form)));
        let quadratic = equations.quadratic.iter().map(|equation| {
            let mut terms = vec![(-one, &equation.sum)];
            let mut off = -at(&equation.sum);
            for (number, (a, b)) in equation.products.iter().enumerate() {
                let (kept, moved) = if self.kept[number % 2] {
                    (b, a)
                } else {
                    (a, b)
                };
                terms.push((at(kept), moved));
                off += at(a) * at(b);
            }
            (self.dense(&terms, behind), off)
        });
        linear.chain(quadratic).collect()
    }

    /// Kept factors, which are not to change, and claims, with how far each is off.
    fn fixed(&self, behind: usize) -> Vec<(Vec<Extension>, Extension)> {
        let mut rows = Vec::new();
        for equation in &self.replayed.recorded.equations.quadratic {
            for (number, (a, b)) in equation.products.iter().enumerate() {
                let kept = if self.kept[number % 2] { b } else { a };
                let row = self.dense(&[(Extension::ONE, kept)], behind);
                rows.push((row, Extension::ZERO));
            }
        }
        let claims = self.claims.iter();
        rows.extend(claims.map(|&(form, value)| {
            let off = form.at(&self.replayed.pads).unwrap() - value;
            (self.dense(&[(Extension::ONE, form)], behind), off)
        }));
        rows
    }

    /// From pads that satisfy all equations, pads for each equation that there are some for.
    pub fn all(&self) -> Vec<Option<Vec<Extension>>> {
        let count = self.replayed.recorded.equations.len();
        let equations = self.equations(count).into_iter().enumerate();
        let mut rows: Vec<_> = equations
            .map(|(number, (mut row, _))| {
                row[self.replayed.sent + number] = Extension::ONE;
                row
            })
            .collect();
        rows.extend(self.fixed(count).into_iter().map(|(row, _)| row));
        let pivots = echelon(&mut rows, self.replayed.sent);
        (0..count)
            .map(|number| self.read(&rows, &pivots, number))
            .collect()
    }

    /// From any pads, pads that violate at most this equation.
    pub fn all_but(&self, dropped: usize) -> Option<Vec<Extension>> {
        let mut rows = self.equations(1);
        let _dropped = rows.remove(dropped);
        rows.extend(self.fixed(1));
        let sided = rows.into_iter().map(|(mut row, off)| {
            row[self.replayed.sent] = -off;
            row
        });
        let mut rows: Vec<_> = sided.collect();
        let pivots = echelon(&mut rows, self.replayed.sent);
        self.read(&rows, &pivots, 0)
    }

    /// The pads that an echelon form says for a right side, if it has any.
    fn read(
        &self,
        rows: &[Vec<Extension>],
        pivots: &[usize],
        side: usize,
    ) -> Option<Vec<Extension>> {
        let column = self.replayed.sent + side;
        let mut rest = rows.iter().skip(pivots.len());
        if rest.any(|row| row[column] != Extension::ZERO) {
            return None;
        }
        let mut pads = self.replayed.pads.clone();
        for (row, &pivot) in rows.iter().zip(pivots) {
            pads[pivot] += row[column];
        }
        Some(pads)
    }
}

const KEPT: [[bool; 2]; 4] = [[false, false], [true, true], [false, true], [true, false]];

pub fn searches<'a>(replayed: &'a Replayed, case: &Case) -> impl Iterator<Item = Search<'a>> {
    let claims = replayed.claims(case);
    KEPT.into_iter().map(move |kept| Search {
        replayed,
        claims: claims.clone(),
        kept,
    })
}
