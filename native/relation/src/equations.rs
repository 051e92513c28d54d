//! What has been recorded: equations in pads.

use crate::form::Form;
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
use transcript::{Base, DEGREE, Extension};

/// What an equation is about: a name for its kind, and a number within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct About(pub &'static str, pub usize);

/// That a form is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// What it is about.
    pub about: About,
    /// The form.
    pub form: Form,
}

/// That a sum of products of two forms is a form: Σ_k a_k · b_k = c.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quadratic {
    /// What it is about.
    pub about: About,
    /// The products, at least one.
    pub products: Vec<(Form, Form)>,
    /// Their sum.
    pub sum: Form,
}

impl Linear {
    /// Whether it holds for these pads.
    pub fn holds(&self, pads: &[Extension]) -> bool {
        self.form.at(pads) == Some(Extension::ZERO)
    }
}

impl Quadratic {
    /// Whether it holds for these pads.
    pub fn holds(&self, pads: &[Extension]) -> bool {
        let mut sum = Extension::ZERO;
        for (a, b) in &self.products {
            let (Some(a), Some(b)) = (a.at(pads), b.at(pads)) else {
                return false;
            };
            sum += a * b;
        }
        self.sum.at(pads) == Some(sum)
    }
}

/// Equations that hidden values are to satisfy, in the order in which they were recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Equations {
    /// Forms that are zero.
    pub linear: Vec<Linear>,
    /// Sums of products.
    pub quadratic: Vec<Quadratic>,
}

impl Equations {
    /// Records that both forms are equal.
    pub fn equal(&mut self, about: About, a: Form, b: Form) -> Result<(), Contradiction> {
        self.zero(about, a - b)
    }

    /// Records that a form is zero, unless it is or is not whatever the pads are.
    fn zero(&mut self, about: About, form: Form) -> Result<(), Contradiction> {
        match form.known() {
            None => self.linear.push(Linear { about, form }),
            Some(Extension::ZERO) => {}
            Some(_) => return Err(Contradiction),
        }
        Ok(())
    }

    /// Records that Σ a · b over `products` is `sum`. A product with a factor that depends on no pad is
    /// a form; if no other is left the equation is linear.
    pub fn products(
        &mut self,
        about: About,
        products: Vec<(Form, Form)>,
        mut sum: Form,
    ) -> Result<(), Contradiction> {
        let mut hidden = Vec::with_capacity(products.len());
        for (a, b) in products {
            match (a.known(), b.known()) {
                (Some(factor), _) => sum -= b * factor,
                (_, Some(factor)) => sum -= a * factor,
                (None, None) => hidden.push((a, b)),
            }
        }
        if hidden.is_empty() {
            return self.zero(about, sum);
        }
        self.quadratic.push(Quadratic {
            about,
            products: hidden,
            sum,
        });
        Ok(())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.linear.len() + self.quadratic.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many products there are in all sums.
    pub fn factors(&self) -> usize {
        let sums = self.quadratic.iter();
        sums.map(|equation| equation.products.len()).sum()
    }

    /// What the equations are about that do not hold for these pads.
    pub fn violated(&self, pads: &[Extension]) -> Vec<About> {
        let linear = self.linear.iter().filter(|e| !e.holds(pads));
        let quadratic = self.quadratic.iter().filter(|e| !e.holds(pads));
        let linear = linear.map(|equation| equation.about);
        linear
            .chain(quadratic.map(|equation| equation.about))
            .collect()
    }
}

/// One equation in all pads: Σ_i coefficient_i · pad_i = `known`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Functional {
    /// One coefficient for each pad.
    pub coefficients: Vec<Extension>,
    /// What the sum is.
    pub known: Extension,
}

impl Functional {
    /// 0 = 0, in so many pads.
    pub fn new(pads: usize) -> Self {
        Self {
            coefficients: vec![Extension::ZERO; pads],
            known: Extension::ZERO,
        }
    }

    /// Adds `weight` times the equation `form` = 0. A pad beyond those that there are is refused.
    pub fn add(&mut self, weight: Extension, form: &Form) -> Result<(), NoPad> {
        self.known -= weight * form.constant();
        for &(index, factor) in form.terms() {
            let own = self.coefficients.get_mut(index as usize).ok_or(NoPad)?;
            *own += weight * factor;
        }
        Ok(())
    }

    /// The combination of the equations `form` = 0 with the powers of `alpha`, from alpha^0 on.
    pub fn batch<'a>(
        pads: usize,
        alpha: Extension,
        forms: impl IntoIterator<Item = &'a Form>,
    ) -> Result<Self, NoPad> {
        let mut sum = Self::new(pads);
        let mut power = Extension::ONE;
        for form in forms {
            sum.add(power, form)?;
            power *= alpha;
        }
        Ok(sum)
    }

    /// The same as one equation in the cells of the pads: a pad is Σ_l X^l · cell_l for five cells of the
    /// base field, so that its cell l has X^l times its coefficient.
    pub fn cells(&self) -> Vec<Extension> {
        let basis: Vec<Extension> = (0..DEGREE)
            .map(|l| Extension::from_basis_coefficients_fn(|at| Base::from_bool(at == l)))
            .collect();
        let of_pads = self.coefficients.iter();
        of_pads
            .flat_map(|&coefficient| basis.iter().map(move |&power| power * coefficient))
            .collect()
    }

    /// Whether these pads satisfy it.
    pub fn holds(&self, pads: &[Extension]) -> bool {
        pads.len() == self.coefficients.len()
            && sumcheck::dot(&self.coefficients, pads) == self.known
    }
}

/// An equation that no pads satisfy, whatever is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an equation between known values does not hold")]
pub struct Contradiction;

/// An equation is about a pad that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an equation is about a pad that there is not")]
pub struct NoPad;

#[cfg(test)]
mod tests {
    use super::{About, Contradiction, Equations, Functional, NoPad};
    use crate::form::Form;
    use p3_field::{BasedVectorSpace, PrimeCharacteristicRing};
    use transcript::{Base, Extension, Transcript};

    const HERE: About = About("here", 0);

    /// Three hidden values with their pads: a, b and a·b.
    fn product() -> (Vec<Extension>, [Form; 3]) {
        let mut transcript = Transcript::new();
        let pads = transcript.point(3);
        let (a, b) = (transcript.challenge(), transcript.challenge());
        let values = [a, b, a * b];
        let forms = [0, 1, 2].map(|at: u32| {
            let index = at as usize;
            Form::hidden(values[index] + pads[index], at)
        });
        (pads, forms)
    }

    #[test]
    fn products_with_a_known_factor_are_linear() {
        let (pads, [a, b, c]) = product();
        let (one, two) = (Extension::ONE, Extension::TWO);
        let mut equations = Equations::default();
        let products = vec![(a.clone(), b.clone()), (two.into(), c.clone())];
        let thrice = c.clone() * (two + one);
        equations.products(HERE, products, thrice).unwrap();
        let doubled = a.clone() * two;
        let products = vec![(a.clone(), two.into())];
        equations.products(HERE, products, doubled).unwrap();
        equations.equal(HERE, b.clone(), b.clone()).unwrap();
        assert_eq!((equations.linear.len(), equations.quadratic.len()), (2, 1));
        assert_eq!((equations.len(), equations.factors()), (3, 1));
        assert_eq!(equations.violated(&pads), []);
        // The negative neighbours, and one pad too few.
        let mut wrong = Equations::default();
        let products = vec![(a.clone(), b)];
        wrong.products(HERE, products, c.clone() + one).unwrap();
        let products = vec![(a.clone(), two.into())];
        wrong.products(HERE, products, a.clone()).unwrap();
        wrong.equal(HERE, a, c).unwrap();
        assert_eq!(wrong.violated(&pads), [HERE; 3]);
        assert_eq!(equations.violated(&pads[..2]).len(), 1);
    }

    #[test]
    fn equations_between_known_values_are_decided_at_once() {
        let [one, two, four] = [1, 2, 4].map(|value| Form::from(Extension::from_u32(value)));
        let mut equations = Equations::default();
        equations.equal(HERE, one.clone(), one.clone()).unwrap();
        let square = vec![(two.clone(), two.clone())];
        equations.products(HERE, square.clone(), four).unwrap();
        assert_eq!(equations.equal(HERE, one.clone(), two), Err(Contradiction));
        let refused = equations.products(HERE, square, one);
        assert_eq!(refused, Err(Contradiction));
        assert!(equations.is_empty());
    }

    #[test]
    fn a_batch_holds_if_and_but_for_chance_only_if_all_equations_do() {
        let (pads, [a, b, c]) = product();
        let value = |form: &Form| form.at(&pads).unwrap();
        let zero = |form: &Form| form.clone() - value(form);
        let alpha = Transcript::new().point(9)[8];
        let right = [zero(&a), zero(&b), zero(&c)];
        let batch = |forms: &[Form]| Functional::batch(3, alpha, forms).unwrap();
        assert!(batch(&right).holds(&pads));
        assert!(!batch(&right).holds(&pads[..2]));
        for wrong in 0..3 {
            let mut forms = right.clone();
            forms[wrong] = forms[wrong].clone() + Extension::ONE;
            assert!(!batch(&forms).holds(&pads));
        }
        assert_eq!(Functional::batch(2, alpha, &right), Err(NoPad));
    }

    #[test]
    fn an_equation_in_pads_is_one_in_their_cells() {
        let (pads, forms) = product();
        let batch = Functional::batch(3, Extension::TWO, &forms).unwrap();
        let cells: Vec<Base> = pads
            .iter()
            .flat_map(|pad| pad.as_basis_coefficients_slice().to_vec())
            .collect();
        let weights = batch.cells();
        assert_eq!(weights.len(), cells.len());
        let of_cells: Extension = weights.iter().zip(&cells).map(|(&w, &c)| w * c).sum();
        let of_pads = sumcheck::dot(&batch.coefficients, &pads);
        assert_eq!(of_cells, of_pads);
        assert_ne!(of_cells, Extension::ZERO);
    }
}
