//! The prover as the specification reads: every leaf, every layer, one element at a time.

use crate::fractions::{Children, Fraction};
use crate::proof::Proof;
use crate::prover::{Column, Engine, ProveError, Tree, leaves_of_entries, leaves_of_rows};
use crate::shape::{Argument, Fingerprint};
use crate::verify::Claims;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Sum, equality};
use transcript::{Base, Extension, Transcript};

/// The reference that the other prover is tested against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

impl Engine for Reference {
    fn prove(
        argument: &Argument,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> Result<(Proof, Claims), ProveError> {
        argument.check(columns, multiplicities)?;
        let fingerprint = Fingerprint::draw(|| transcript.challenge());
        let mut rows = Levels::new(leaves_of_rows(argument, &fingerprint, columns));
        let mut entries = Levels::new(leaves_of_entries(argument, &fingerprint, multiplicities));
        Ok(argument.run(&mut rows, &mut entries, columns, multiplicities, transcript))
    }
}

/// All levels of one tree.
pub(crate) struct Levels {
    /// From the leaves up; those below the layer being reduced are gone.
    levels: Vec<Vec<Fraction>>,
    pub(crate) layer: ScalarLayer,
}

impl Levels {
    pub(crate) fn new(leaves: Vec<Fraction>) -> Self {
        let mut levels = vec![leaves];
        while levels[levels.len() - 1].len() > 2 {
            let below = &levels[levels.len() - 1];
            levels.push(
                below
                    .chunks_exact(2)
                    .map(|pair| Children([pair[0], pair[1]]).sum())
                    .collect(),
            );
        }
        Self {
            levels,
            layer: ScalarLayer::default(),
        }
    }
}

#[cfg(test)]
impl Levels {
    pub(crate) fn levels(&self) -> &[Vec<Fraction>] {
        &self.levels
    }

    pub(crate) fn levels_mut(&mut self) -> &mut [Vec<Fraction>] {
        &mut self.levels
    }
}

impl Sum for Levels {
    fn round(&mut self) -> Vec<Extension> {
        self.layer.round()
    }

    fn fold(&mut self, x: Extension) {
        self.layer.fold(x);
    }
}

impl Tree for Levels {
    fn begin(&mut self, point: &[Extension], lambda: Extension) {
        let children = self.levels.pop().unwrap_or_default();
        self.layer = ScalarLayer::new(&children, point, lambda);
    }

    fn children(&mut self) -> Children {
        self.layer.children()
    }
}

/// One layer while its variables are bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScalarLayer {
    /// The children of each node: those of branch 0 and of branch 1.
    pub(crate) nodes: Vec<Children>,
    /// The weight of each node at the layer's point.
    pub(crate) weights: Vec<Extension>,
    pub(crate) lambda: Extension,
}

impl ScalarLayer {
    /// The layer of the nodes whose children are given, pair by pair.
    pub(crate) fn new(children: &[Fraction], point: &[Extension], lambda: Extension) -> Self {
        let nodes = children
            .chunks_exact(2)
            .map(|pair| Children([pair[0], pair[1]]))
            .collect();
        let falling: Vec<Extension> = point.iter().rev().copied().collect();
        Self {
            nodes,
            weights: equality(&falling, 1 << falling.len()),
            lambda,
        }
    }

    pub(crate) fn children(&self) -> Children {
        self.nodes[0]
    }
}

impl Sum for ScalarLayer {
    fn round(&mut self) -> Vec<Extension> {
        // The factor of the variable to be bound leaves the weights.
        self.weights = self
            .weights
            .chunks_exact(2)
            .map(|pair| pair[0] + pair[1])
            .collect();
        let gate = |children: Children| {
            let sum = children.sum();
            sum.numerator + self.lambda * sum.denominator
        };
        let mut sums = [Extension::ZERO; 2];
        for (pair, &weight) in self.nodes.chunks_exact(2).zip(&self.weights) {
            sums[0] += weight * gate(pair[0]);
            sums[1] += weight * gate(difference(pair[0], pair[1]));
        }
        sums.to_vec()
    }

    fn fold(&mut self, x: Extension) {
        self.nodes = self
            .nodes
            .chunks_exact(2)
            .map(|pair| line(pair[0], pair[1], x))
            .collect();
    }
}

fn difference(a: Children, b: Children) -> Children {
    let of = |side: usize| Fraction {
        numerator: b.0[side].numerator - a.0[side].numerator,
        denominator: b.0[side].denominator - a.0[side].denominator,
    };
    Children([of(0), of(1)])
}

fn line(a: Children, b: Children, x: Extension) -> Children {
    let slope = difference(a, b);
    let of = |side: usize| Fraction {
        numerator: a.0[side].numerator + x * slope.0[side].numerator,
        denominator: a.0[side].denominator + x * slope.0[side].denominator,
    };
    Children([of(0), of(1)])
}

#[cfg(test)]
mod tests {
    use crate::Reference;
    use crate::fractions::Fraction;
    use crate::prover::{Column, Engine, leaves_of_entries, leaves_of_rows};
    use crate::shape::{Argument, Fingerprint, Lookup};
    use crate::table::Table;
    use p3_field::PrimeCharacteristicRing;
    use p3_multi_stark::fractional_gkr::{
        Fraction as LibraryFraction, LeafNumerator, prove_fractional_gkr, verify_fractional_gkr,
    };
    use p3_multilinear_util::poly::{Poly, PolyMaybePacked};
    use transcript::{Base, Extension, Transcript};

    fn columns(pairs: &[(Vec<Base>, Vec<Base>)]) -> Vec<Column<'_>> {
        let pairs = pairs.iter();
        pairs
            .map(|(keys, values)| Column { keys, values })
            .collect()
    }

    /// Whether the library finds that rows minus entries are zero. Its prover panics where they are
    /// not.
    fn library(leaves: &[Fraction]) -> bool {
        std::panic::catch_unwind(|| proves(leaves)).unwrap_or(false)
    }

    fn proves(leaves: &[Fraction]) -> bool {
        let numerators = leaves.iter().map(|leaf| leaf.numerator).collect();
        let denominators = leaves.iter().map(|leaf| leaf.denominator).collect();
        let numerators = PolyMaybePacked::Scalar(Poly::new(numerators));
        let denominators = PolyMaybePacked::Scalar(Poly::new(denominators));
        let fraction = LibraryFraction {
            n: LeafNumerator::Ext(&numerators),
            d: &denominators,
        };
        let mut transcript = Transcript::new();
        let sponge = transcript.sponge().unwrap();
        let (proof, _) = prove_fractional_gkr::<Base, Extension, _>(fraction, sponge);
        let variables = leaves.len().ilog2() as usize;
        let mut transcript = Transcript::new();
        let sponge = transcript.sponge().unwrap();
        verify_fractional_gkr::<Base, Extension, _>(&proof, variables, sponge).is_ok()
    }

    #[test]
    fn the_library_gives_the_same_verdict_on_the_same_fractions() {
        let table = Table::Function {
            first: -9,
            values: (0..128).map(|j| j * j).collect(),
        };
        let lookups = [7, 8].map(|variables| Lookup {
            table: 0,
            variables,
        });
        let argument = Argument::new(vec![table], lookups.to_vec()).unwrap();
        for cheat in [false, true] {
            let column = |count: usize| -> (Vec<Base>, Vec<Base>) {
                let entries = (0..count).map(|row| (row * 37 % 128) as i32);
                entries
                    .map(|entry| (Base::from_i32(entry - 9), Base::from_i32(entry * entry)))
                    .unzip()
            };
            let mut pairs = [column(128), column(256)];
            let multiplicities = argument.multiplicities(&columns(&pairs)).unwrap();
            if cheat {
                pairs[1].1[77] += Base::ONE;
            }
            let columns = columns(&pairs);
            let mut draws = Transcript::new();
            let fingerprint = Fingerprint::draw(|| draws.challenge());
            let mut leaves = leaves_of_rows(&argument, &fingerprint, &columns);
            for leaf in leaves_of_entries(&argument, &fingerprint, &multiplicities) {
                let numerator = -leaf.numerator;
                leaves.push(Fraction { numerator, ..leaf });
            }
            let one = Fraction {
                numerator: Extension::ZERO,
                denominator: Extension::ONE,
            };
            leaves.resize(leaves.len().next_power_of_two(), one);
            let mut transcript = Transcript::new();
            let (proof, _) =
                Reference::prove(&argument, &columns, &multiplicities, &mut transcript).unwrap();
            let verdict = argument.verify(&proof, &mut Transcript::new()).is_ok();
            assert_eq!(verdict, !cheat);
            assert_eq!(library(&leaves), verdict);
        }
    }
}
