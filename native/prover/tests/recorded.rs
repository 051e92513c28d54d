//! The ordinary prover under pads, and the equations that a recorder makes of what it sent: honest pads
//! satisfy them, those of liars do not, and each of them is needed.
mod liar;
mod models;

use claim_reduction::{Constraint, Form as RescaleForm, Verifier, reduce};
use commitment::Profile;
use commitment::columns::evaluate;
use graph::Graph;
use key::Public;
use liar::{Alter, honest, recount};
use models::graphs::Random;
use models::{Case, STATEMENT, case, everything, integers, views, vision, wide};
use p3_field::{Field, PrimeCharacteristicRing};
use prover::committed::Witness;
use relation::{About, Equations, Form, Functional, Shape, prove, verify};
use std::collections::BTreeSet;
use sumcheck::{add_scaled, dot, equality};
use transcript::{Base, Extension, Transcript};
use verifier::committed::{Recorded, begin, lookup_claims, problem, record};

fn graphs() -> [(&'static str, Graph); 4] {
    [
        ("vision", vision()),
        ("wide", wide()),
        ("everything", everything()),
        ("integers", integers()),
    ]
}

/// A proof under pads, replayed.
struct Replayed {
    recorded: Recorded,
    pads: Vec<Extension>,
    witness: Witness,
    weights: Vec<i8>,
    sent: usize,
}

/// Proves a corrupted witness under pads, altering what the reduction sends, and replays what was sent.
fn replay(case: &Case, corrupt: impl Fn(&mut Witness), alter: Alter<'_>) -> Replayed {
    let inputs = views(&case.inputs);
    let mut witness = case.prover.witness(&inputs).unwrap().unwrap();
    corrupt(&mut witness);
    let mut random = Transcript::new();
    random.absorb(transcript::Site::Statement, b"pads");
    let sent = case.derived().sent();
    let mut pads = random.point(sent);
    let mut transcript = Transcript::new();
    transcript.pad(&pads);
    let proof = case
        .prover
        .prove_witness(&inputs, STATEMENT, &witness, &mut transcript, alter)
        .unwrap()
        .unwrap();
    let padded = transcript.padded().unwrap();
    assert_eq!(padded.len(), sent);
    let public = Public {
        inputs: &inputs,
        outputs: &views(&witness.outputs),
        statement: STATEMENT,
    };
    let recorded = record(
        case.key(),
        case.derived(),
        &public,
        &proof.witness,
        &padded,
        &mut Transcript::new(),
    )
    .unwrap();
    pads.extend(random.point(Shape::new(recorded.equations.factors()).spares()));
    let graph = case.key().graph();
    let weights = Random(77).numbers(graph.weight_bytes(), -128, 127);
    Replayed {
        recorded,
        pads,
        witness,
        weights: weights.into_iter().map(|weight| weight as i8).collect(),
        sent,
    }
}

impl Replayed {
    /// Forms of what is claimed of columns and matrices, each with its true value.
    fn claims(&self, case: &Case) -> Vec<(&Form, Extension)> {
        let committed = &self.witness.columns.committed;
        let counts = self.witness.multiplicities.iter();
        let columns: Vec<Vec<Base>> = committed
            .iter()
            .cloned()
            .chain(counts.map(|counts| {
                let mut counts = counts.clone();
                counts.resize(counts.len().max(256), Base::ZERO);
                counts
            }))
            .collect();
        let columns = self.recorded.columns.iter().map(|claim| {
            let value = evaluate(&columns[claim.column], &claim.point);
            (&claim.value, value)
        });
        let mut first = 0;
        let matrices = self
            .recorded
            .matrices
            .iter()
            .zip(&case.key().graph().weights);
        let matrices = matrices.map(|(claim, weight)| {
            let matrix = &self.weights[first..first + weight.size()];
            first += weight.size();
            let width = weight.cols;
            let columns = equality(&claim.point.column, width);
            let rows = equality(&claim.point.row, matrix.len() / width);
            let combined = commitment::combine_rows(&rows, matrix, width);
            (&claim.value, dot(&combined, &columns))
        });
        columns.chain(matrices).collect()
    }

    /// Whether what is claimed of columns and matrices is true.
    fn opens(&self, case: &Case) -> bool {
        let mut claims = self.claims(case).into_iter();
        claims.all(|(form, value)| form.at(&self.pads) == Some(value))
    }

    /// Whether a relation proof of `equations` is accepted, and all claims open.
    fn accepted(&self, equations: &Equations, pads: &[Extension], case: &Case) -> bool {
        let (mut transcript, spare) = (Transcript::new(), self.sent as u32);
        let (proof, _) = prove(equations, pads, spare, &mut transcript).unwrap();
        let mut transcript = Transcript::new();
        let mut forms = verify(equations, spare, &proof, &mut transcript).unwrap();
        let claims = self.claims(case).into_iter();
        forms.extend(claims.map(|(form, value)| form.clone() + (-value)));
        let linear = equations.linear.iter().map(|equation| &equation.form);
        let alpha = transcript.challenge();
        let batch = Functional::batch(pads.len(), alpha, linear.chain(&forms)).unwrap();
        batch.holds(pads)
    }
}

/// The checks that a verifier of plain elements makes of an honest proof.
fn checks(case: &Case) -> usize {
    let (outputs, proof) = case.prove();
    let proof = case.decode(&proof);
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&outputs),
        statement: STATEMENT,
    };
    let mut transcript = Transcript::new();
    begin(case.key(), &public, &proof.witness, &mut transcript);
    let argument = case.derived().argument();
    let looked = argument.verify(&proof.lookups, &mut transcript).unwrap();
    let lookup_claims = lookup_claims(&looked);
    let problem = problem(case.key(), case.derived(), &public, &lookup_claims);
    let mut verifier = Verifier::new(&proof.reduction, &mut transcript);
    reduce(&mut verifier, &problem).unwrap();
    // Of the lookups: four inverses and the sum for the roots, the end of each further layer, and
    // denominators of rows, numerators and denominators of entries.
    5 + proof.lookups.layers.len() - 1 + 3 + verifier.checks()
}

#[test]
fn honest_pads_satisfy_as_many_equations_as_there_are_checks() {
    for (name, graph) in graphs() {
        let case = case(graph, Profile::Default);
        let replayed = replay(&case, |_| (), &mut honest);
        let equations = &replayed.recorded.equations;
        assert_eq!(equations.violated(&replayed.pads), [], "{name}");
        assert!(replayed.opens(&case), "{name}");
        assert!(
            replayed.accepted(equations, &replayed.pads, &case),
            "{name}"
        );
        assert_eq!(equations.len(), checks(&case), "{name}");
        assert_eq!(equations.factors(), case.derived().products(), "{name}");
        // Other pads do not.
        let mut pads = replayed.pads.clone();
        pads[replayed.sent / 2] += Extension::ONE;
        assert!(!replayed.accepted(equations, &pads, &case), "{name}");
    }
}

#[test]
fn liars_violate_equations_or_claims() {
    for (name, graph) in graphs() {
        let case = case(graph, Profile::Default);
        let plan = case.derived().plan();
        let mut held = BTreeSet::new();
        let mut lie = |corrupt: &dyn Fn(&mut Witness), alter: Alter<'_>, what: String| {
            let replayed = replay(&case, corrupt, alter);
            let equations = &replayed.recorded.equations;
            let violated = equations.violated(&replayed.pads);
            assert!(!violated.is_empty() || !replayed.opens(&case), "{what}");
            assert!(
                !replayed.accepted(equations, &replayed.pads, &case),
                "{what}"
            );
            held.extend(violated.into_iter().map(|About(kind, _)| kind));
        };
        for column in (0..plan.columns.len()).step_by(3) {
            let corrupt = |witness: &mut Witness| {
                witness.columns.committed[column][0] += Base::ONE;
                recount(case.derived(), witness);
            };
            lie(&corrupt, &mut honest, format!("{name}: column {column}"));
        }
        let corrupt = |witness: &mut Witness| witness.multiplicities[0][1] += Base::ONE;
        lie(&corrupt, &mut honest, format!("{name}: multiplicities"));
        for output in 0..case.key().graph().outputs.len() {
            let corrupt = |witness: &mut Witness| {
                let value = &mut witness.outputs[output][0];
                *value += if *value > 0 { -1 } else { 1 };
            };
            lie(&corrupt, &mut honest, format!("{name}: output {output}"));
        }
        let mut messages = 0;
        replay(&case, |_| (), &mut |_, _| messages += 1);
        for number in (0..messages).step_by(4) {
            let mut altered = false;
            let mut alter = |message: usize, values: &mut [Extension]| {
                if let (true, Some(value)) = (message == number, values.last_mut()) {
                    *value += Extension::ONE;
                    altered = true;
                }
            };
            lie(&|_| (), &mut alter, format!("{name}: message {number}"));
            assert!(altered);
        }
        assert!(
            held.contains("lookup sum") && held.contains("node"),
            "{held:?}"
        );
    }
}

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
struct Search<'a> {
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
    fn all(&self) -> Vec<Option<Vec<Extension>>> {
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
    fn all_but(&self, dropped: usize) -> Option<Vec<Extension>> {
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

fn searches<'a>(replayed: &'a Replayed, case: &Case) -> impl Iterator<Item = Search<'a>> {
    let claims = replayed.claims(case);
    KEPT.into_iter().map(move |kept| Search {
        replayed,
        claims: claims.clone(),
        kept,
    })
}

fn about(equations: &Equations, number: usize) -> About {
    let of_linear = equations.linear.get(number).map(|equation| equation.about);
    let behind = number.saturating_sub(equations.linear.len());
    of_linear.unwrap_or_else(|| equations.quadratic[behind].about)
}

/// That these pads violate this equation alone, while all claims are true; and, where it is asked for, that
/// a relation proof of all other equations accepts them.
fn gets_through(
    replayed: &Replayed,
    case: &Case,
    number: usize,
    pads: &[Extension],
    proven: bool,
) -> bool {
    let equations = &replayed.recorded.equations;
    if equations.violated(pads) != [about(equations, number)] {
        return false;
    }
    if proven {
        let mut others = equations.clone();
        if number < others.linear.len() {
            others.linear.remove(number);
        } else {
            others.quadratic.remove(number - others.linear.len());
        }
        assert!(!replayed.accepted(equations, pads, case));
        assert!(replayed.accepted(&others, pads, case));
    }
    true
}

/// Other columns than those of the execution, each cell of which is in its table.
#[derive(Clone, Copy, Debug)]
enum Other {
    /// Another entry in the first row of a lookup.
    Entry(usize),
    /// Of a wide rescaling without a distance between its bounds: a result one above them and one less
    /// above that.
    Result(usize),
}

impl Other {
    fn corrupt(self, case: &Case, witness: &mut Witness) {
        let derived = case.derived();
        let node = match self {
            Self::Entry(lookup) => return liar::swap_entry(derived, witness, lookup),
            Self::Result(node) => node,
        };
        let Some(Constraint::Rescale(rescale)) = &derived.plan().constraints[node] else {
            return;
        };
        let RescaleForm::Wide {
            above, below, up, ..
        } = &rescale.form
        else {
            return;
        };
        let graph = case.key().graph();
        let (rows, width) = match graph.nodes[node].shape[..] {
            [rows, width] if below.is_empty() && !up.is_empty() => (rows, width),
            _ => return,
        };
        let output = graph
            .outputs
            .iter()
            .position(|&id| id == graph.inputs.len() + node);
        for (element, (row, at)) in (0..rows)
            .flat_map(|r| (0..width).map(move |w| (r, w)))
            .enumerate()
        {
            let cell = row * width.next_power_of_two() + at;
            let columns = &mut witness.columns.committed;
            if columns[up[0].column][cell] != Base::ZERO {
                columns[up[0].column][cell] -= Base::ONE;
                columns[above[0].column][cell] += Base::ONE;
                witness.outputs[output.unwrap()][element] += 1;
                break;
            }
        }
        recount(derived, witness);
    }
}

/// The mutation run: without any one of the equations some liar gets through, whose hidden values satisfy
/// all others and whose claims are true. The relation proof is made for every seventh of them.
#[test]
fn without_any_one_equation_some_liar_gets_through() {
    for (name, graph) in graphs() {
        let case = case(graph, Profile::Default);
        let replayed = replay(&case, |_| (), &mut honest);
        let count = replayed.recorded.equations.len();
        let mut missing: BTreeSet<usize> = (0..count).collect();
        // Liars that send something else about the honest columns.
        for search in searches(&replayed, &case) {
            for (number, pads) in search.all().into_iter().enumerate() {
                let proven = number % 7 == 0;
                let through = |pads: &Vec<_>| gets_through(&replayed, &case, number, pads, proven);
                if missing.contains(&number) && pads.as_ref().is_some_and(through) {
                    missing.remove(&number);
                }
            }
        }
        let of_columns = missing.len();
        // Liars with other columns, each cell of which is in its table: what relates columns alone, where
        // lookups have left them, is violated by nothing else.
        let plan = case.derived().plan();
        let swaps = (0..plan.lookups.len()).map(Other::Entry);
        let raised = (0..plan.constraints.len()).map(Other::Result);
        for other in swaps.chain(raised) {
            if missing.is_empty() {
                break;
            }
            let replayed = replay(&case, |witness| other.corrupt(&case, witness), &mut honest);
            for search in searches(&replayed, &case) {
                missing.retain(|&number| {
                    let pads = search.all_but(number);
                    !pads.is_some_and(|pads| gets_through(&replayed, &case, number, &pads, true))
                });
            }
        }
        let equations = &replayed.recorded.equations;
        let left: Vec<About> = missing.iter().map(|&n| about(equations, n)).collect();
        println!("{name}: {count} equations, {of_columns} of columns alone, left {left:?}");
        assert_eq!(left, [], "{name}");
    }
}
