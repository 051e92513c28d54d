//! Lookups and reduction under pads, and the equations that a recorder makes of what it sent: honest pads
//! satisfy them, those of liars do not, and each of them is needed.

use crate::hidden::{Case, case};
use crate::liar::{Alter, honest, recount, tell};
use crate::models::{choices, everything, exact, held, integers, linear, vision, wide};
use crate::replay::{Replayed, replay};
use crate::search::searches;
use crate::{liar, models};
use claim_reduction::{Constraint, Form};
use commitment::Profile;
use graph::Graph;
use p3_field::PrimeCharacteristicRing;
use prover::relations::Witness;
use relation::{About, Equations};
use std::collections::{BTreeMap, BTreeSet};
use transcript::{Base, Extension, Transcript};

fn graphs() -> [(&'static str, Graph); 8] {
    [
        ("vision", vision()),
        ("wide", wide()),
        ("everything", everything()),
        ("integers", integers()),
        ("choices", choices()),
        ("exact", exact()),
        ("held", held()),
        ("linear", linear()),
    ]
}

/// The checks that a verifier of plain elements makes of an honest proof.
fn checks(case: &Case) -> usize {
    let told = tell(case, |_| (), Transcript::new(), &mut honest);
    let (checks, claims) = told.checked(case, Transcript::new()).unwrap();
    assert!(claims);
    // Of the lookups: four inverses and the sum for the roots, the end of each further layer, and
    // denominators of rows, numerators and denominators of entries.
    5 + told.argued.lookups.layers.len() - 1 + 3 + checks
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
        // What the account of the batching counts with.
        assert!(
            equations.len() <= case.proofs().relations().checks(),
            "{name}"
        );
        assert_eq!(
            equations.factors(),
            case.proofs().relations().products(),
            "{name}"
        );
        // Other pads do not.
        let mut pads = replayed.pads.clone();
        pads[replayed.sent / 2] += Extension::ONE;
        assert!(!replayed.accepted(equations, &pads, &case), "{name}");
    }
}

#[test]
fn every_element_that_is_sent_counts() {
    for graph in [vision(), integers()] {
        let case = case(graph, Profile::Default);
        let mut replayed = replay(&case, |_| (), &mut honest);
        for index in (0..replayed.sent).step_by(11) {
            let replaced = replayed.altered(&case, |sent| sent[index] += Extension::ONE);
            replaced.unwrap();
            let equations = &replayed.recorded.equations;
            let violated = equations.violated(&replayed.pads);
            assert!(!violated.is_empty() || !replayed.opens(&case), "{index}");
            assert!(
                !replayed.accepted(equations, &replayed.pads, &case),
                "{index}"
            );
        }
        // One more or one less is not read.
        assert!(
            replayed
                .altered(&case, |sent| sent.push(Extension::ONE))
                .is_none()
        );
        assert!(
            replayed
                .altered(&case, |sent| sent.truncate(sent.len() - 1))
                .is_none()
        );
        replayed.altered(&case, |_| ()).unwrap();
        assert_eq!(replayed.recorded.equations.violated(&replayed.pads), []);
    }
}

#[test]
fn liars_violate_equations_or_claims() {
    for (name, graph) in graphs() {
        let case = case(graph, Profile::Default);
        let plan = case.proofs().relations().plan();
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
            // What stands in the column of a graph without lookups, 0 or 1, says nothing.
            let idle = plan.idle.is_some_and(|limb| limb.column == column);
            let by = if idle { Base::TWO } else { Base::ONE };
            let corrupt = |witness: &mut Witness| {
                witness.columns.committed[column][0] += by;
                recount(case.proofs().relations(), witness);
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
    /// Of a wide rescaling that is held to its range: a distance to the least quotient one greater, and one to
    /// the greatest one less.
    Distance(usize),
}

impl Other {
    const fn name(self) -> &'static str {
        match self {
            Self::Entry(_) => "has another entry of a table in a column",
            Self::Distance(_) => "has other distances from the ends of a range",
        }
    }

    fn corrupt(self, case: &Case, witness: &mut Witness) {
        let derived = case.proofs().relations();
        match self {
            Self::Entry(lookup) => liar::swap_entry(derived, witness, lookup),
            Self::Distance(node) => farther(case, witness, node),
        }
    }
}

/// Moves the distances of one quotient from both ends of its range, as far as their lowest limbs allow.
fn farther(case: &Case, witness: &mut Witness, node: usize) {
    let derived = case.proofs().relations();
    let Some(Constraint::Rescale(rescale)) = &derived.plan().constraints[node] else {
        return;
    };
    let (Form::Wide {
        held: Some(held), ..
    }
    | Form::Saturated {
        held: Some(held), ..
    }) = &rescale.form
    else {
        return;
    };
    let (over, under) = (&held.over[0], &held.under[0]);
    let most = Base::from_u64((1 << over.bits) - 1);
    let columns = &mut witness.columns.committed;
    let mut cells = 0..columns[over.column].len();
    let cell = cells
        .find(|&at| columns[over.column][at] != most && columns[under.column][at] != Base::ZERO)
        .unwrap();
    columns[over.column][cell] += Base::ONE;
    columns[under.column][cell] -= Base::ONE;
    recount(derived, witness);
}

/// What an equation is about: the operator of a node, and else a part of the lookups or an end of the graph.
fn kind(graph: &Graph, About(kind, number): About) -> String {
    let node = (kind == "node").then(|| graph.nodes.get(number)).flatten();
    node.map_or_else(
        || kind.to_owned(),
        |node| {
            let operator = format!("{:?}", node.op);
            let end = operator.find(|c: char| !c.is_alphanumeric());
            operator[..end.unwrap_or(operator.len())].to_owned()
        },
    )
}

/// Kinds of equations that lookups and reduction record. Claims on a parameter are merged as those on any node
/// are; it has no equation of its own, and none of these cases has one.
const KINDS: [&str; 24] = [
    "Add",
    "ArgMax",
    "Concat",
    "Const",
    "Conv",
    "Divide",
    "Linear",
    "Lookup",
    "MatMul",
    "Max",
    "Mul",
    "Pad",
    "Pick",
    "Rescale",
    "SquareRoot",
    "Sum",
    "Take",
    "View",
    "input",
    "lookup entries",
    "lookup inverse",
    "lookup layer",
    "lookup rows",
    "lookup sum",
];

/// Of each kind of equation the liars that got through without it, each with the number of equations.
type Liars = BTreeMap<String, BTreeMap<&'static str, usize>>;

/// The mutation run: without any one of the equations some liar gets through, whose hidden values satisfy
/// all others and whose claims are true. The relation proof is made for every seventh of them.
#[test]
fn without_any_one_equation_some_liar_gets_through() {
    let random = (0..8).filter_map(|seed| Some(("random", models::random(seed)?)));
    let mut liars = Liars::new();
    for (name, graph) in graphs().into_iter().chain(random) {
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
                    let about = about(&replayed.recorded.equations, number);
                    let own = liars.entry(kind(case.key().graph(), about)).or_default();
                    *own.entry("sends other messages about the honest columns")
                        .or_default() += 1;
                }
            }
        }
        // Liars with other columns, each cell of which is in its table: what relates columns alone, where
        // lookups have left them, is violated by nothing else.
        let plan = case.proofs().relations().plan();
        let swaps = (0..plan.lookups.len()).map(Other::Entry);
        let nodes = 0..plan.constraints.len();
        let moved = nodes.map(Other::Distance);
        for other in swaps.chain(moved) {
            if missing.is_empty() {
                break;
            }
            let replayed = replay(&case, |witness| other.corrupt(&case, witness), &mut honest);
            for search in searches(&replayed, &case) {
                missing.retain(|&number| {
                    let pads = search.all_but(number);
                    let through = pads
                        .is_some_and(|pads| gets_through(&replayed, &case, number, &pads, true));
                    if through {
                        let about = about(&replayed.recorded.equations, number);
                        let own = liars.entry(kind(case.key().graph(), about)).or_default();
                        *own.entry(other.name()).or_default() += 1;
                    }
                    !through
                });
            }
        }
        let equations = &replayed.recorded.equations;
        let left: Vec<About> = missing.iter().map(|&n| about(equations, n)).collect();
        assert_eq!(left, [], "{name}: {count} equations");
    }
    for (kind, liars) in &liars {
        for (liar, count) in liars {
            println!("{count} equations of {kind}: without one, who {liar} gets through");
        }
    }
    let kinds: Vec<&str> = liars.keys().map(String::as_str).collect();
    assert_eq!(kinds, KINDS);
}

/// The mutation run is no empty one: where others imply an equation, there is no liar that it keeps out.
#[test]
fn an_equation_that_others_imply_is_noticed() {
    let case = case(vision(), Profile::Default);
    let mut replayed = replay(&case, |_| (), &mut honest);
    let equations = &mut replayed.recorded.equations;
    equations.linear.push(equations.linear[1].clone());
    equations.quadratic.push(equations.quadratic[3].clone());
    let linear = equations.linear.len();
    let twice = [1, linear - 1, linear + 3, equations.len() - 1];
    let mut found = BTreeSet::new();
    for search in searches(&replayed, &case) {
        let pads = search.all().into_iter().enumerate();
        found.extend(pads.filter_map(|(number, pads)| pads.map(|_| number)));
    }
    let all = 0..replayed.recorded.equations.len();
    let missing: Vec<usize> = all.filter(|number| !found.contains(number)).collect();
    assert_eq!(missing, twice);
}
