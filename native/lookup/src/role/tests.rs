//! What a recorder makes of proofs whose elements were sent under pads: the honest one's equations
//! hold; and each equation is the only one in the way of some liar.

use super::Role;
use crate::fractions::{Children, Fraction};
use crate::prover::{Column, leaves_of_entries, leaves_of_rows};
use crate::reference::Levels;
use crate::shape::{Argument, Fingerprint, Lookup};
use crate::table::Table;
use crate::verify::Claims;
use commitment::columns::evaluate;
use p3_field::{Field, PrimeCharacteristicRing};
use relation::{About, Equations, Form, Functional, Recorder, Shape, prove, verify};
use transcript::{Base, Extension, Transcript};

struct Case {
    argument: Argument,
    keys: Vec<Vec<Base>>,
    values: Vec<Vec<Base>>,
    multiplicities: Vec<Vec<Base>>,
}

/// Where a liar repairs the sum of a tree.
#[derive(Clone, Copy, Debug)]
enum Repair {
    /// Nowhere.
    Nothing,
    /// The numerator of a node at this depth of the tree of entries.
    Entries(usize),
    /// The numerator of a node at this depth of the tree of rows, or of leaves the denominator.
    Rows(usize),
    /// The denominator of a leaf of the tree of entries.
    Denominator,
}

/// Equations, pads, and the claims that are left.
struct Recorded {
    equations: Equations,
    pads: Vec<Extension>,
    sent: usize,
    claims: Claims<Form>,
}

impl Case {
    fn new() -> Self {
        let square = (-60..40).map(|key: i32| key * key).collect();
        let tables = vec![
            Table::Range { bits: 8 },
            Table::Function {
                first: -60,
                values: square,
            },
        ];
        let lookups: Vec<Lookup> = [(0, 8), (1, 7), (0, 7)]
            .map(|(table, variables)| Lookup { table, variables })
            .to_vec();
        let key = |lookup: usize, row: usize| match lookup {
            1 => (row as i32 * 7) % 100 - 60,
            _ => (row as i32 * 11 + 5) % 256,
        };
        let keys: Vec<Vec<i32>> = lookups
            .iter()
            .enumerate()
            .map(|(number, lookup)| (0..1 << lookup.variables).map(|r| key(number, r)).collect())
            .collect();
        let values = vec![vec![], keys[1].iter().map(|k| k * k).collect(), vec![]];
        let lift = |columns: Vec<Vec<i32>>| -> Vec<Vec<Base>> {
            let lift = |column: Vec<i32>| column.into_iter().map(Base::from_i32).collect();
            columns.into_iter().map(lift).collect()
        };
        let mut case = Self {
            argument: Argument::new(tables, lookups).unwrap(),
            keys: lift(keys),
            values: lift(values),
            multiplicities: Vec::new(),
        };
        case.multiplicities = case.argument.multiplicities(&case.columns()).unwrap();
        case
    }

    /// The same with a multiplicity that is wrong, so that the sums differ.
    fn wrong() -> Self {
        let mut case = Self::new();
        case.multiplicities[0][3] += Base::ONE;
        case
    }

    fn columns(&self) -> Vec<Column<'_>> {
        let pairs = self.keys.iter().zip(&self.values);
        pairs
            .map(|(keys, values)| Column { keys, values })
            .collect()
    }

    /// Proves under pads and replays what was sent.
    fn record(&self, repair: Repair) -> Recorded {
        let (argument, columns) = (&self.argument, self.columns());
        let mut transcript = Transcript::new();
        let mut random = Transcript::new();
        random.absorb(transcript::Site::Statement, b"pads");
        let spares = Shape::new(4 * argument.layers() + 8).spares();
        let pads = random.point(argument.sent() + spares);
        transcript.pad(&pads);
        let fingerprint = Fingerprint::draw(|| transcript.challenge());
        let mut rows = Levels::new(leaves_of_rows(argument, &fingerprint, &columns));
        let leaves = leaves_of_entries(argument, &fingerprint, &self.multiplicities);
        let mut entries = Levels::new(leaves);
        match repair {
            Repair::Nothing => {}
            Repair::Entries(depth) => entries.repair(depth, rows.sum(), false),
            Repair::Rows(depth) => {
                let leaf = depth == argument.rows.height;
                rows.repair(depth, entries.sum(), leaf);
            }
            Repair::Denominator => {
                let leaves = argument.entries.height;
                entries.repair(leaves, rows.sum(), true);
            }
        }
        argument.run(
            &mut rows,
            &mut entries,
            &columns,
            &self.multiplicities,
            &mut transcript,
        );
        let sent = transcript.padded().unwrap();
        assert_eq!(sent.len(), argument.sent());
        let mut transcript = Transcript::new();
        let mut recorder = Recorder::new(&sent, &mut transcript);
        let claims = argument.follow(&mut recorder).unwrap();
        Recorded {
            equations: recorder.finish().unwrap(),
            pads,
            sent: sent.len(),
            claims,
        }
    }

    /// Whether the claims that are left are true.
    fn opens(&self, recorded: &Recorded) -> bool {
        let at = |form: &Form| form.at(&recorded.pads).unwrap();
        let columns = recorded.claims.columns.iter().zip(self.columns());
        let of_columns = columns.clone().all(|(claim, column)| {
            let value = claim.value.as_ref();
            at(&claim.key) == evaluate(column.keys, &claim.point)
                && value.is_none_or(|v| at(v) == evaluate(column.values, &claim.point))
        });
        let counts = recorded.claims.multiplicities.iter();
        let mut counts = counts.zip(&self.multiplicities);
        of_columns && counts.all(|(claim, of)| at(&claim.value) == evaluate(of, &claim.point))
    }
}

impl Recorded {
    /// Whether a relation proof of these equations is accepted.
    fn accepted(&self) -> bool {
        let (mut transcript, spare) = (Transcript::new(), self.sent as u32);
        let (proof, _) = prove(&self.equations, &self.pads, spare, &mut transcript).unwrap();
        let mut transcript = Transcript::new();
        let forms = verify(&self.equations, spare, &proof, &mut transcript).unwrap();
        let linear = self.equations.linear.iter().map(|equation| &equation.form);
        let alpha = transcript.challenge();
        let batch = Functional::batch(self.pads.len(), alpha, linear.chain(&forms)).unwrap();
        batch.holds(&self.pads)
    }

    /// The same without the equations about something.
    fn without(&self, about: About) -> Self {
        let mut equations = self.equations.clone();
        equations.linear.retain(|equation| equation.about != about);
        equations
            .quadratic
            .retain(|equation| equation.about != about);
        Self {
            equations,
            pads: self.pads.clone(),
            sent: self.sent,
            claims: self.claims.clone(),
        }
    }
}

impl Levels {
    /// The root as a number.
    fn sum(&self) -> Extension {
        let last = &self.levels()[self.levels().len() - 1];
        let Fraction {
            numerator,
            denominator,
        } = Children([last[0], last[1]]).sum();
        numerator * denominator.inverse()
    }

    /// Makes all levels above the one at `index` anew.
    fn remake(&mut self, index: usize) {
        for above in index + 1..self.levels().len() {
            let pairs = self.levels()[above - 1].chunks_exact(2);
            let level = pairs
                .map(|pair| Children([pair[0], pair[1]]).sum())
                .collect();
            self.levels_mut()[above] = level;
        }
    }

    /// Alters a node at a depth so that the root is `wanted`, and all levels above it, none below.
    fn repair(&mut self, depth: usize, wanted: Extension, denominator: bool) {
        let index = self.levels().len() - depth;
        let missing = wanted - self.sum();
        let node = &mut self.levels_mut()[index][0];
        if denominator {
            let fraction = node.numerator * node.denominator.inverse() + missing;
            node.denominator = node.numerator * fraction.inverse();
        } else {
            node.numerator += missing * node.denominator;
        }
        self.remake(index);
        assert_eq!(self.sum(), wanted);
    }
}

#[test]
fn equations_of_an_honest_proof_hold_and_are_as_many_as_checks() {
    let case = Case::new();
    let recorded = case.record(Repair::Nothing);
    assert_eq!(recorded.equations.violated(&recorded.pads), []);
    assert!(case.opens(&recorded));
    assert!(recorded.accepted());
    // Four inverses and the sum, the ends of all layers but the first; then what a checker compares at
    // the leaves, of which the numerators of rows are 1 in either world and no equation.
    let layers = case.argument.layers();
    let equations = &recorded.equations;
    assert_eq!(equations.quadratic.len(), 5 + layers - 1);
    assert_eq!(equations.linear.len(), 3);
    // Two products for each tree and layer; four of the sum, four of the inverses. The last layer of
    // the rows has known numerators, and one product.
    let heights = case.argument.rows.height + case.argument.entries.height;
    assert_eq!(equations.factors(), 8 + 2 * (heights - 2) - 1);
    assert_eq!(equations.factors(), case.argument.products());
}

#[test]
fn each_equation_is_the_only_one_in_the_way_of_some_liar() {
    let case = Case::wrong();
    let [rows, entries] = [&case.argument.rows, &case.argument.entries].map(|side| side.height);
    let mut liars = vec![
        (Repair::Nothing, About("lookup sum", 0)),
        (Repair::Rows(rows), About("lookup rows", 0)),
        (Repair::Entries(entries), About("lookup entries", 0)),
        (Repair::Denominator, About("lookup entries", 0)),
    ];
    liars.extend((1..rows).map(|depth| (Repair::Rows(depth), About("lookup layer", depth))));
    let of_entries = 1..entries;
    liars.extend(of_entries.map(|depth| (Repair::Entries(depth), About("lookup layer", depth))));
    for (repair, about) in liars {
        let recorded = case.record(repair);
        assert!(case.opens(&recorded), "{repair:?}");
        let violated = recorded.equations.violated(&recorded.pads);
        assert_eq!(violated, [about], "{repair:?}");
        assert!(!recorded.accepted(), "{repair:?}");
        // Where that equation is not recorded, the liar gets through.
        assert!(recorded.without(about).accepted(), "{repair:?}");
    }
}

#[test]
fn each_inverse_is_in_the_way_of_some_liar() {
    let case = Case::wrong();
    let mut recorded = case.record(Repair::Nothing);
    // The hidden inverses are what was sent after the eight children of the roots.
    for inverse in 8..12 {
        // What the sum lacks goes into one inverse, by a hidden value that differs.
        let sum = recorded.equations.quadratic.iter();
        let sum = sum
            .clone()
            .find(|equation| equation.about == About("lookup sum", 0));
        let (numerator, _) = &sum.unwrap().products[inverse - 8];
        let value = |pads: &[Extension]| {
            let products = sum.unwrap().products.iter();
            let values = products.map(|(a, b)| a.at(pads).unwrap() * b.at(pads).unwrap());
            values.sum::<Extension>()
        };
        let missing = value(&recorded.pads);
        let numerator = numerator.at(&recorded.pads).unwrap();
        let honest = recorded.pads.clone();
        recorded.pads[inverse] += missing * numerator.inverse();
        assert!(case.opens(&recorded));
        let violated = recorded.equations.violated(&recorded.pads);
        assert_eq!(violated, [About("lookup inverse", 0)]);
        assert!(!recorded.accepted());
        assert!(recorded.without(About("lookup inverse", 0)).accepted());
        recorded.pads = honest;
    }
}

#[test]
fn a_recorder_reads_as_many_elements_as_there_are() {
    let case = Case::new();
    let sent = Transcript::new().point(case.argument.sent());
    let read = |sent: &[Extension]| {
        let mut transcript = Transcript::new();
        let mut recorder = Recorder::new(sent, &mut transcript);
        let followed = case.argument.follow(&mut recorder).is_ok();
        followed && recorder.finish().is_ok()
    };
    assert!(read(&sent));
    assert!(!read(&sent[1..]));
    assert!(!read(&[&sent[..], &sent[..1]].concat()));
    let mut transcript = Transcript::new();
    assert!(
        Role::receive(
            &mut Recorder::new(&[], &mut transcript),
            transcript::Site::Claims,
            1
        )
        .is_err()
    );
}
