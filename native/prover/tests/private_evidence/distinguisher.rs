//! Proofs of two sets of weights, of two inputs and of the simulator, which nobody can tell apart; and those
//! without a kind of mask, which statistics can.
//!
//! Challenges are the transcript's own in one half of the runs; in the other half they are the same in all
//! proofs, so that what is not masked is the same each time, and statistics see the least of it.
//!
//! Where inputs are private, a sample has one commitment to them and two proofs that open it, as attempts at one
//! job do; classes of two inputs then say that nothing tells these apart either.

use crate::masks::{Layout, stream};
use crate::positions::{Positions, words};
use crate::report::report;
use crate::sample::{Made, Model, Oracle, attempts, small};
use crate::simulate::{Known, simulate};
use crate::statistics::{Figures, Kind as Field, Tally};
use commitment::Profile;
use key::Kind;
use serde_json::json;
use std::collections::BTreeMap;
use transcript::Drawn;

/// Proofs of each class in the short form.
const SHORT: usize = 512;
/// Those of the evidence, which counts from this number on; `EVIDENCE_PROOFS` tries it with fewer.
fn long() -> usize {
    std::env::var("EVIDENCE_PROOFS").map_or(10_000, |count| count.parse().unwrap())
}

/// Samples of each class of a control.
const CONTROL: usize = 128;
/// Positions whose values are kept.
const KEPT: usize = 512;
const PAIRS: usize = 200;
/// Threads that make samples.
const THREADS: usize = 2;

/// What challenges are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenges {
    /// The transcript's own, of each proof.
    Own,
    /// The same in all proofs.
    Frozen,
}

impl Challenges {
    const fn name(self) -> &'static str {
        match self {
            Self::Own => "own challenges",
            Self::Frozen => "frozen challenges",
        }
    }
}

/// Models of one graph with one output: two sets of weights by two inputs.
fn models(kind: Kind) -> [Model; 4] {
    let model =
        |weights: u64, inputs: u64| Model::new(small(), (weights, inputs), Profile::Default, kind);
    let outputs = model(1, 2).outputs();
    let same = |weights: u64, inputs: u64| model(weights, inputs).outputs() == outputs;
    // A reader of the outputs can tell nothing apart either.
    let mut seeds =
        (3..1000_u64).flat_map(|weights| (3..20_u64).map(move |inputs| (weights, inputs)));
    let (weights, inputs) = seeds
        .find(|&(weights, inputs)| same(weights, 2) && same(1, inputs) && same(weights, inputs))
        .unwrap();
    let found = [
        model(1, 2),
        model(weights, 2),
        model(1, inputs),
        model(weights, inputs),
    ];
    assert_ne!(found[0].weights, found[1].weights);
    assert_ne!(found[0].inputs, found[2].inputs);
    found
}

const NAMES: [&str; 5] = [
    "weights 1, input 1",
    "weights 2, input 1",
    "weights 1, input 2",
    "weights 2, input 2",
    "simulator",
];

/// A program of the oracle under which no proof opens a leaf twice: equal leaves are no news.
fn program(known: &Known) -> u64 {
    let fits = |&program: &u64| {
        let oracle = Oracle::programmed(known.kind, program);
        let mut transcripts = oracle.proofs.clone();
        let made = simulate(known, oracle, &mut stream(0, program));
        assert_eq!(made.verdict(&mut transcripts), "");
        transcripts
            .iter()
            .all(|own| opens_no_leaf_twice(own.drawn()))
    };
    (0..1000).find(fits).unwrap()
}

fn opens_no_leaf_twice(drawn: &[Drawn]) -> bool {
    let mut seen = Vec::new();
    drawn.iter().all(|drawn| match drawn {
        Drawn::Index(index) => {
            let new = !seen.contains(index);
            seen.push(*index);
            new
        }
        // Between codes.
        Drawn::Work(..) => {
            seen.clear();
            true
        }
        Drawn::Challenge(_) => true,
    })
}

/// Everything that samples are made from.
struct Run {
    models: [Model; 4],
    layout: Layout,
    known: Known,
    challenges: Challenges,
    program: u64,
    positions: Positions,
    kept: Vec<usize>,
    samples: usize,
    /// The kind of mask that is left out.
    without: Option<&'static str>,
}

impl Run {
    /// So many proofs of each class, of the kind that opens commitments of `kind`.
    fn new(
        kind: Kind,
        challenges: Challenges,
        proofs: usize,
        without: Option<&'static str>,
    ) -> Self {
        let models = models(kind);
        let known = Known::of(&models[0]);
        let mut run = Self {
            layout: models[0].layout(),
            program: program(&known),
            known,
            models,
            challenges,
            positions: Positions {
                names: Vec::new(),
                kinds: Vec::new(),
            },
            kept: Vec::new(),
            samples: proofs / attempts(kind),
            without,
        };
        run.positions = words(&run.make(0, 0)).0;
        let uniform: Vec<usize> = (0..run.positions.kinds.len())
            .filter(|&position| run.positions.kinds[position] == Field::Uniform)
            .collect();
        let kept = (0..KEPT).map(|number| uniform[number * uniform.len() / KEPT]);
        run.kept = kept.collect();
        run
    }

    fn oracle(&self) -> Oracle {
        match self.challenges {
            Challenges::Own => Oracle::own(self.known.kind),
            Challenges::Frozen => self.programmed(self.program),
        }
    }

    fn programmed(&self, program: u64) -> Oracle {
        Oracle::programmed(self.known.kind, program)
    }

    fn make(&self, class: usize, number: usize) -> Made {
        let mut coins = stream(10 + class as u8, number as u64);
        if let Some(model) = self.models.get(class) {
            let mut masks = self.layout.uniform(&mut coins);
            if let Some(name) = self.without {
                self.layout.leave_out(&mut masks, name);
            }
            return model.prove(&masks, self.oracle());
        }
        let program = match self.challenges {
            Challenges::Own => 1 << 32 | number as u64,
            Challenges::Frozen => self.program,
        };
        simulate(&self.known, self.programmed(program), &mut coins)
    }

    /// The samples of a class.
    fn tally(&self, class: usize) -> Tally {
        let part = |thread: usize| {
            let mut tally = Tally::new(&self.positions.kinds, self.samples, &self.kept);
            for number in (thread..self.samples).step_by(THREADS) {
                let (positions, words) = words(&self.make(class, number));
                assert_eq!(positions.names.len(), self.positions.names.len());
                tally.add(&words);
            }
            tally
        };
        std::thread::scope(|scope| {
            let parts: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || part(thread)))
                .collect();
            let mut parts = parts.into_iter().map(|part| part.join().unwrap());
            let mut all = parts.next().unwrap();
            parts.for_each(|part| all.join(&part));
            all
        })
    }

    fn figures(&self, classes: &[usize]) -> (Figures, Vec<f64>) {
        let tallies: Vec<Tally> = classes.iter().map(|&class| self.tally(class)).collect();
        let mut figures = Figures::default();
        let mut rates = Vec::new();
        for (&class, tally) in classes.iter().zip(&tallies) {
            figures.uniform(NAMES[class], tally);
            figures.pairs(NAMES[class], tally, &pairs());
        }
        for (&class, tally) in classes.iter().zip(&tallies).skip(1) {
            let names = [NAMES[classes[0]], NAMES[class]];
            figures.alike(names, [&tallies[0], tally]);
            rates.push(figures.classifier(names, [&tallies[0], tally]));
        }
        (figures, rates)
    }

    /// Fields with positions at which a figure is beyond the limit, with their number.
    fn caught(&self, figures: &Figures) -> BTreeMap<&'static str, usize> {
        let mut found = BTreeMap::new();
        for figure in figures.beyond() {
            let field = figure
                .position
                .map_or(figure.family, |at| self.positions.names[at]);
            *found.entry(field).or_default() += 1;
        }
        found
    }
}

/// Random pairs of kept positions.
fn pairs() -> Vec<[usize; 2]> {
    let mut random = crate::models::graphs::Random(9);
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let pair = [random.below(KEPT), random.below(KEPT)];
        if pair[0] != pair[1] {
            pairs.push(pair);
        }
    }
    pairs
}

/// The classes that are looked at: all, or first weights with the first input, others with another one, and the
/// simulator where challenges are the transcript's own and a sample takes three times as long. What tells weights
/// or inputs alone apart is seen there too, and better with frozen challenges.
const fn classes(kind: Kind, challenges: Challenges) -> &'static [usize] {
    match (kind, challenges) {
        (Kind::PrivateInputs, Challenges::Own) => &[0, 3, 4],
        _ => &[0, 1, 2, 3, 4],
    }
}

/// That no figure is beyond the limit, in these classes.
fn indistinguishable(kind: Kind, challenges: Challenges, proofs: usize) {
    let run = Run::new(kind, challenges, proofs, None);
    let classes = classes(kind, challenges);
    let (figures, rates) = run.figures(classes);
    let families = figures.families();
    let name = match kind {
        Kind::PrivateInputs => format!("private inputs, {}", challenges.name()),
        _ => challenges.name().to_owned(),
    };
    for (family, (count, most)) in &families {
        println!(
            "{name}, {proofs} proofs a class: {family}: {count} figures, at most {most:.2} of {:.2} nats",
            figures.limit()
        );
    }
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    report(
        &format!("distinguisher, {name}"),
        &json!({
            "proofs of each class": run.samples * attempts(kind),
            "attempts that open one commitment to inputs": attempts(kind),
            "classes": classes.iter().map(|&class| NAMES[class]).collect::<Vec<_>>(),
            "positions": run.positions.kinds.len(),
            "figures": figures.0.len(),
            "nats of a failure": rounded(figures.limit()),
            "most nats": families.iter().map(|(family, (_, most))| (*family, rounded(*most))).collect::<BTreeMap<_, _>>(),
            "rates of the classifier": rates.iter().map(|rate| (rate * 1e4).round() / 1e4).collect::<Vec<_>>(),
        }),
    );
    assert_eq!(
        run.caught(&figures),
        BTreeMap::new(),
        "{:?}",
        figures.beyond()
    );
}

#[test]
fn classes_cannot_be_told_apart_by_some_proofs_with_own_challenges() {
    indistinguishable(Kind::Proofs, Challenges::Own, SHORT);
}

#[test]
fn classes_cannot_be_told_apart_by_some_proofs_with_frozen_challenges() {
    indistinguishable(Kind::Proofs, Challenges::Frozen, SHORT);
}

#[test]
fn private_inputs_cannot_be_told_apart_by_some_proofs_with_frozen_challenges() {
    indistinguishable(Kind::PrivateInputs, Challenges::Frozen, SHORT);
}

#[test]
#[ignore = "minutes: make evidence"]
fn classes_cannot_be_told_apart_by_ten_thousand_proofs_with_own_challenges() {
    indistinguishable(Kind::Proofs, Challenges::Own, long());
}

#[test]
#[ignore = "minutes: make evidence"]
fn classes_cannot_be_told_apart_by_ten_thousand_proofs_with_frozen_challenges() {
    indistinguishable(Kind::Proofs, Challenges::Frozen, long());
}

#[test]
#[ignore = "minutes: make evidence"]
fn private_inputs_cannot_be_told_apart_by_ten_thousand_proofs_with_own_challenges() {
    indistinguishable(Kind::PrivateInputs, Challenges::Own, long());
}

#[test]
#[ignore = "minutes: make evidence"]
fn private_inputs_cannot_be_told_apart_by_ten_thousand_proofs_with_frozen_challenges() {
    indistinguishable(Kind::PrivateInputs, Challenges::Frozen, long());
}

/// Masks of a vector that proofs of public inputs do not have are left out of proofs of private ones.
fn kind_of(name: &str) -> Kind {
    let inputs = Model::new(small(), (1, 2), Profile::Default, Kind::PrivateInputs)
        .layout()
        .inputs;
    if inputs.iter().any(|own| own.0 == name) {
        Kind::PrivateInputs
    } else {
        Kind::Proofs
    }
}

/// What shows without a kind of mask, by field.
fn control(name: &'static str) -> BTreeMap<&'static str, usize> {
    let kind = kind_of(name);
    let run = Run::new(
        kind,
        Challenges::Frozen,
        CONTROL * attempts(kind),
        Some(name),
    );
    let (figures, rates) = run.figures(&[0, 1]);
    let caught = run.caught(&figures);
    let rate = (rates[0] * 1e3).round() / 1e3;
    println!("control without {name}: {caught:?}, rate of the classifier {rate}");
    caught
}

/// That these fields show it.
fn caught_by_statistics(name: &'static str, fields: &[&str]) {
    let caught = control(name);
    for field in fields {
        assert!(caught.contains_key(field), "{field}");
    }
    report(
        &format!("control without {name}"),
        &json!({"found by": "statistics", "figures beyond the limit": caught}),
    );
}

#[test]
fn control_without_pads_what_is_sent_shows() {
    // Each of the two sets of weights has values of its own there.
    caught_by_statistics("pads", &["padded elements", "classifier"]);
}

#[test]
fn control_without_the_dummy_the_factors_show() {
    caught_by_statistics("dummy", &["relation: factors"]);
}

#[test]
fn control_without_the_masks_of_the_relation_proof_its_rounds_show() {
    let fields = ["relation: sum of the masks", "relation: rounds"];
    caught_by_statistics("masks of the relation proof", &fields);
}

#[test]
fn control_without_the_block_its_values_show() {
    caught_by_statistics("block", &["opening: values of masks"]);
}

#[test]
fn control_without_r_its_leaves_and_its_claim_show() {
    caught_by_statistics("R", &["opening: claim of the pad", "opening: leaves"]);
}

#[test]
fn control_without_the_half_leaves_rounds_and_the_links_value_show() {
    let fields = [
        "opening: leaves",
        "opening: first fold",
        "link: value",
        "link: root",
    ];
    caught_by_statistics("half", &fields);
}

#[test]
fn control_of_private_inputs_without_the_column_of_masks_its_values_show() {
    caught_by_statistics("column of masks", &["opening: values of masks"]);
}

/// Each leaf is a sum of many pads, and the answer one with the block: one position alone tells nothing. That
/// all positions together do is what ranks find (`rank`).
#[test]
fn control_without_tails_or_the_answers_pad_statistics_see_nothing() {
    for name in ["tails", "pad of the answer"] {
        assert_eq!(control(name), BTreeMap::new());
    }
}

/// So it is with the tails of the inputs, whose leaves are sums of cells of the column of masks, too.
#[test]
fn control_of_private_inputs_without_their_tails_statistics_see_nothing() {
    assert_eq!(control("tails of the inputs"), BTreeMap::new());
}
