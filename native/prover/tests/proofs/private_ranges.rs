//! A key shows that its weights are int8 and its parameters in their ranges, and none does whose are not, whatever
//! is tried with it.

use crate::fields::{Row, Told, all_seen};
use crate::hidden::{
    Case, OPENINGS, case, case_seeded, drawn, drawn_parameters, graphs, parameters,
};
use crate::hidden::{seeded, seeded_by};
use crate::liar;
use crate::liar::{code, honest};
use crate::models::graphs::{Builder, Random};
use crate::models::{hex, linear, vision};
use crate::private_fields::manifest;
use claim_reduction::{Constraint, Form, MAX_RANGE_TABLES, Plan, Source, ranged};
use commitment::{MatrixPoint, Profile};
use graph::{Graph, Op, Values, elements};
use hiding::Secret;
use key::{Kind, LINK_PROTOCOL, PROTOCOL, PrivateKey, RANGES_PROTOCOL, RangePart};
use p3_field::PrimeCharacteristicRing;
use prover::ProveError;
use prover::private::{Beyond, Lie, ProvingKey};
use prover::relations::Witness;
use std::collections::BTreeSet;
use transcript::{Base, Extension, Site, Transcript};
use verifier::private::{decode_ranges, verify_ranges};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/private/ranges/");
/// The modulus.
const P: i64 = 2_130_706_433;

fn shown(key: &ProvingKey) -> Vec<u8> {
    let parts = key.range_parts().unwrap() as u8;
    let proofs = (0..parts).map(|part| key.prove_ranges(part, part.into(), &mut |_| true));
    proofs.flat_map(Result::unwrap).collect()
}

fn verdict(key: &PrivateKey, shown: &[u8]) -> &'static str {
    code(verify_ranges(key, shown))
}

#[test]
fn every_key_shows_its_ranges() {
    for (name, graph) in graphs() {
        for profile in Profile::ALL {
            let case = case(graph.clone(), profile);
            let shown = shown(&case.prover);
            assert_eq!(verdict(case.key(), &shown), "", "{name}");
            let bits = case.key().security().provable_bits;
            assert!(bits >= 100.0, "{name}: {bits}");
        }
    }
}

/// Two matrices of one input that make a smaller vector in blocks, each of which counts with a weight of its own.
fn cut() -> Graph {
    let mut b = Builder::new(8);
    let x = b.input(&[64], -3, 3);
    let outputs = [b.linear(x, 40, false), b.linear(x, 16, false)];
    b.finish(&outputs)
}

#[test]
fn a_key_whose_matrices_are_in_blocks_shows_their_ranges() {
    let [own, other] = [1, 2].map(|seed| case_seeded(cut(), Profile::Default, seed));
    let point = MatrixPoint {
        row: vec![Extension::TWO; 6],
        column: vec![Extension::TWO; 6],
    };
    let blocks = own.key().of_key().weights().terms(0, &point).unwrap();
    assert!(blocks.len() > 1);
    assert!(blocks.iter().all(|block| block.weight != Extension::ONE));
    assert_eq!(own.verdict(), "");
    let shown = shown(&own.prover);
    assert_eq!(verdict(own.key(), &shown), "");
    assert_eq!(verdict(other.key(), &shown), "LINK_INVALID");
}

#[test]
fn a_key_that_shows_none_or_those_of_another_is_refused() {
    let (own, other) = (
        case(parameters(), Profile::Default),
        case(parameters(), Profile::Default),
    );
    let of_own = shown(&own.prover);
    assert_eq!(verdict(own.key(), &of_own), "");
    assert_eq!(verdict(own.key(), &[]), "RANGES_MISSING");
    // Of the same graph and weights, under another commitment; and of another graph.
    assert_eq!(verdict(own.key(), &shown(&other.prover)), "LINK_INVALID");
    let linear = case(linear(), Profile::Default);
    assert_eq!(
        verdict(own.key(), &shown(&linear.prover)),
        "PROOF_MALFORMED"
    );
    // A proof of a run is no proof of ranges, nor the other way round.
    let (outputs, proof) = own.prove();
    assert_eq!(verdict(own.key(), &proof), "LINK_END");
    assert_eq!(code(own.verify(&outputs, &of_own)), "LINK_END");
    assert_eq!(
        verdict(own.key(), &[&of_own[..], &of_own].concat()),
        "PROOF_MALFORMED"
    );
}

#[test]
fn the_openings_for_it_are_used_once_and_by_the_first_commitment() {
    let case = case(linear(), Profile::Default);
    let prove = |key: &ProvingKey, part, slot| key.prove_ranges(part, slot, &mut |_| true).err();
    assert_eq!(case.prover.range_parts().unwrap(), 1);
    assert_eq!(prove(&case.prover, 1, 0), Some(ProveError::EpochKind));
    let reserved = ProveError::Slot {
        slot: 1,
        openings: 1,
    };
    assert_eq!(prove(&case.prover, 0, 1), Some(reserved));
    let cancelled = case
        .prover
        .prove_ranges(0, 0, &mut |phase| phase != prover::Phase::Open);
    assert_eq!(cancelled.err(), Some(ProveError::Cancelled));
    assert_eq!(prove(&case.prover, 0, 0), None);
    assert_eq!(prove(&case.prover, 0, 0), Some(ProveError::Spent(0)));
    assert_eq!(
        case.prover.begin(0, &mut |_| true).err(),
        Some(ProveError::Spent(0))
    );
    // What the commitment is renewed by holds the same weights: nothing is shown of it anew.
    let (weights, _) = drawn(case.key().graph(), 77);
    let values = Values {
        weights: &weights,
        parameters: &[],
    };
    let (links, secret) = case.prover.rotate(1).unwrap();
    let renewed = ProvingKey::load(&case.key().encode(), &values, secret, &links).unwrap();
    assert_eq!(prove(&renewed, 0, 0), Some(ProveError::RangesRotated));
    assert_eq!(ProveError::RangesRotated.code(), "RANGES_ROTATED");
}

/// Parameters of more ranges than three graphs of ranges have tables for.
fn many() -> Graph {
    let mut b = Builder::new(1);
    let x = b.input(&[2], -9, 9);
    let mut sums = vec![b.linear(x, 2, false)];
    for number in 0..3 * MAX_RANGE_TABLES as i64 + 99 {
        let (row, column) = (number / 60, number % 60);
        let hi = if column == 7 { 1 << 20 } else { 99 + column };
        sums.push(b.node(Op::Parameter, &[], &[2], -hi - 1 - row, hi));
    }
    let add = Op::Add {
        coefficients: vec![1; sums.len()],
        constant: None,
    };
    let most = (1 << 29) - 1;
    let sum = b.node(add, &sums, &[2], -most, most);
    b.finish(&[sum])
}

#[test]
fn ranges_in_parts_are_shown_by_as_many_openings_in_their_order() {
    let openings = key::Openings { key: 5, ..OPENINGS };
    let graph = many();
    let (weights, _) = drawn(&graph, 77);
    let values = Values {
        weights: &weights,
        parameters: &drawn_parameters(&graph, 5),
    };
    let made = ProvingKey::with_openings(graph, &values, Profile::Default, openings);
    let (prover, _) = made.unwrap();
    assert_eq!(prover.range_parts().unwrap(), 4);
    let proofs = (0..4).map(|part| {
        let proof = prover.prove_ranges(part, part.into(), &mut |_| true);
        proof.unwrap()
    });
    let proofs: Vec<Vec<u8>> = proofs.collect();
    let key = prover.private_key();
    assert_eq!(verdict(key, &proofs.concat()), "");
    assert_eq!(verdict(key, &proofs[1..].concat()), "LINK_END");
    let (last, others) = proofs.split_last().unwrap();
    assert_eq!(verdict(key, &others.concat()), "PROOF_MALFORMED");
    let again = [others, &others[..1]].concat();
    assert_eq!(verdict(key, &again.concat()), "LINK_END");
    let turned = [&others[1..], &[last.clone(), others[0].clone()]].concat();
    assert_eq!(verdict(key, &turned.concat()), "LINK_END");
    assert!(key.security().provable_bits >= 100.0);
}

/// What a changed byte may meet where links are counted.
const COUNTED: [Row; 3] = [
    ("version", &["PROOF_VERSION"]),
    ("count of links", &["LINK_COUNT", "LINK_END"]),
    ("link: kind", &["LINK_KIND", "LINK_END"]),
];

#[test]
fn each_field_is_rejected_where_the_manifest_says() {
    let (rows, mut seen) = (manifest(COUNTED), BTreeSet::new());
    for profile in Profile::OFF_CHAIN {
        let case = case(parameters(), profile);
        let bytes = shown(&case.prover);
        let [proof] = &decode_ranges(case.key(), &bytes).unwrap()[..] else {
            panic!("one part");
        };
        let written = proof.write(case.key());
        assert_eq!(written.bytes, bytes);
        let judge = |bytes: &[u8]| {
            let verdict = verify_ranges(case.key(), bytes);
            verdict.map_err(|rejection| rejection.code())
        };
        let told = Told::new(bytes, &written.fields, judge);
        told.each_field(&rows, &mut seen, |_, _, _| ());
        let lengths = (1..told.proof.len()).step_by(977);
        told.other_lengths(lengths);
    }
    all_seen(&rows, &seen);
}

/// Weights, biases, scales, a table and one number, of narrow and of wide ranges.
fn network() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[5], -9, 9);
    let bias = b.node(Op::Parameter, &[], &[3], -(1 << 28), (1 << 28) - 1);
    let scale = b.node(Op::Parameter, &[], &[3], 5, 100);
    let table = b.node(Op::Parameter, &[], &[3], -(1 << 17), (1 << 17) - 1);
    let number = b.node(Op::Parameter, &[], &[], 0, 1);
    let dense = b.linear(x, 3, false);
    let one = Op::View {
        offset: 0,
        strides: vec![0],
    };
    let number = b.node(one, &[number], &[3], 0, 1);
    let add = Op::Add {
        coefficients: vec![1; 5],
        constant: None,
    };
    let most = (1 << 29) - 1;
    let all = [dense, bias, scale, table, number];
    let sum = b.node(add, &all, &[3], -most, most);
    b.finish(&[sum])
}

/// The key of a graph that holds `beyond` in place of some of its weights.
fn key_beyond(graph: &Graph, beyond: &[Beyond]) -> ProvingKey {
    let (weights, _) = drawn(graph, 77);
    let values = Values {
        weights: &weights,
        parameters: &drawn_parameters(graph, 77),
    };
    let (profile, secret) = (Profile::Default, Secret([6; 32]));
    ProvingKey::beyond(graph.clone(), &values, beyond, profile, OPENINGS, secret).unwrap()
}

/// The proof of a key's ranges by what `corrupt` makes of an honest witness, with an epoch that holds what `lie` says,
/// on a transcript that may have begun otherwise.
fn lying(
    key: &ProvingKey,
    lie: Lie<'_>,
    corrupt: &dyn Fn(&mut Witness),
    mut transcript: Transcript,
) -> Vec<u8> {
    let epoch = key.begin_lying(Kind::Ranges(0), 0, &seeded_by([4; 32]), lie);
    let epoch = epoch.unwrap();
    let mut witness = epoch.witness(&[]).unwrap();
    corrupt(&mut witness);
    let (inputs, statement) = (RangePart::PUBLIC.inputs, RangePart::PUBLIC.statement);
    let proof = epoch.prove_witness(
        inputs,
        None,
        statement,
        &witness,
        &[5; 32],
        &mut transcript,
        &mut honest,
    );
    proof.unwrap().encode(key.private_key())
}

/// What is tried with a key that holds `beyond`: to look up what an honest key holds, to look up what it holds with
/// the counts that there were, and with counts that say another entry.
fn tried(graph: &Graph, tensor: usize, beyond: Beyond) -> [Vec<u8>; 3] {
    let key = key_beyond(graph, &[beyond]);
    let lie = Lie {
        beyond: &[beyond],
        ..Lie::default()
    };
    let relations = key.private_key().ranges().unwrap()[0].proofs().relations();
    let lo = i64::from(ranged(graph)[tensor].lo);
    let look_up = |witness: &mut Witness| {
        let (lookup, low) = lookup_of(relations.plan(), tensor);
        let Some(Source::Own(keys)) = &mut witness.columns.looked[lookup][0] else {
            panic!("keys of their own");
        };
        // Of a wide range the quotient, which is beyond as far as the element is.
        let moved = if low == 0 { 0 } else { lo };
        keys[beyond.index] = Base::from_i64((beyond.value - moved) >> low);
    };
    let corrupt: [&dyn Fn(&mut Witness); 3] = [&|_| (), &look_up, &|witness| {
        look_up(witness);
        liar::recount(relations, witness);
    }];
    corrupt.map(|corrupt| lying(&key, lie, corrupt, Transcript::new()))
}

/// The lookup of a tensor in the graph of ranges, and by how many bits it is shifted before.
fn lookup_of(plan: &Plan, tensor: usize) -> (usize, u32) {
    let constraints = plan.constraints.iter().flatten();
    let lookups = constraints.filter_map(|constraint| match constraint {
        Constraint::Lookup { lookup, .. } => Some((*lookup, 0)),
        Constraint::Rescale(rescale) => match rescale.form {
            Form::Direct { lookup, .. } => Some((lookup, rescale.shift)),
            _ => None,
        },
        _ => None,
    });
    lookups.collect::<Vec<_>>()[tensor]
}

fn verdicts(graph: &Graph, tensor: usize, index: usize, value: i64) -> [&'static str; 3] {
    let column = tensor;
    let beyond = Beyond {
        column,
        index,
        value,
    };
    let key = key_beyond(graph, &[beyond]);
    tried(graph, tensor, beyond).map(|shown| verdict(key.private_key(), &shown))
}

const REFUSED: [&str; 3] = ["OPENING_INVALID"; 3];

#[test]
fn a_key_with_a_weight_that_is_not_int8_is_refused() {
    let graph = parameters();
    // An element, and one in the padding of its row: the matrix is 5 × 3 of 8 × 4.
    for index in [0, 3] {
        for value in [128, 300, -129, P / 2] {
            let found = verdicts(&graph, 0, index, value);
            assert_eq!(found, REFUSED, "{value} at {index}");
        }
        // What is in range is shown where it is looked up and counted.
        for value in [127, -128] {
            let found = verdicts(&graph, 0, index, value);
            assert_eq!(found, ["OPENING_INVALID", "OPENING_INVALID", ""]);
        }
    }
}

#[test]
fn a_key_with_a_parameter_out_of_its_range_is_refused() {
    let graph = parameters();
    for (number, (_, node)) in graph.parameters().enumerate() {
        let tensor = graph.weights.len() + number;
        for value in [i64::from(node.lo) - 1, i64::from(node.hi) + 1] {
            assert_eq!(verdicts(&graph, tensor, 0, value), REFUSED, "{tensor}");
        }
    }
}

/// Padding is looked up too, moved as its place in the table is.
#[test]
fn negative_padding_of_a_range_that_has_none_is_refused() {
    let graph = network();
    // The scale, of 5 to 100, has 3 of 4 cells.
    assert_eq!(graph.tensor(2).unwrap(), (&[3][..], 5, 100));
    for (value, expected) in [(-1, "OPENING_INVALID"), (96, "OPENING_INVALID")] {
        assert_eq!(verdicts(&graph, 2, 3, value), [expected; 3], "{value}");
    }
}

/// Random cells with random residues that are not in their ranges.
#[test]
fn no_key_with_a_cell_out_of_its_range_is_found_that_shows_it() {
    let graph = network();
    let all = ranged(&graph);
    let mut random = Random(19);
    for _ in 0..16 {
        let tensor = random.below(all.len());
        let own = &all[tensor];
        let cells = own.shape.iter().map(|size| size.next_power_of_two());
        let index = random.below(cells.product());
        let (lo, hi) = (i64::from(own.lo), i64::from(own.hi));
        let away = 1 + random.below(1 << 18) as i64;
        // Padding may hold what an element may, moved by up to the range and a table.
        let moved = if within(&own.shape, index) {
            0
        } else {
            hi - lo + (1 << 16)
        };
        let away = away + moved;
        let value = if random.below(2) == 0 {
            lo - away
        } else {
            hi + away
        };
        assert_eq!(
            verdicts(&graph, tensor, index, value),
            REFUSED,
            "{tensor} {value}"
        );
    }
}

/// Whether a cell is an element of a tensor of this shape, whose axes are padded.
fn within(shape: &[usize], index: usize) -> bool {
    let mut left = index;
    let axes = shape.iter().rev();
    axes.fold(true, |inside, &size| {
        let at = left % size.next_power_of_two();
        left /= size.next_power_of_two();
        inside && at < size
    })
}

#[test]
fn elements_at_the_ends_of_their_ranges_are_shown() {
    let graph = network();
    let (weights, _) = drawn(&graph, 77);
    for least in [true, false] {
        let ends = graph.parameters().flat_map(|(_, node)| {
            let end = if least { node.lo } else { node.hi };
            vec![end; elements(&node.shape)]
        });
        let values = Values {
            weights: &weights,
            parameters: &ends.collect::<Vec<_>>(),
        };
        let made = ProvingKey::with_openings(graph.clone(), &values, Profile::Default, OPENINGS);
        let (key, _) = made.unwrap();
        assert_eq!(verdict(key.private_key(), &shown(&key)), "");
    }
}

/// An epoch of weights that are in range is none of a key whose are not.
#[test]
fn an_epoch_of_other_weights_shows_nothing_of_the_key() {
    let graph = parameters();
    let beyond = [weight(300)];
    for (beyond, expected) in [(&beyond[..], "LINK_INVALID"), (&[], "")] {
        let key = key_beyond(&graph, beyond);
        let shown = lying(&key, Lie::default(), &|_| (), Transcript::new());
        assert_eq!(verdict(key.private_key(), &shown), expected);
    }
    let key = key_beyond(&graph, &beyond);
    let lie = Lie {
        of_parent: true,
        ..Lie::default()
    };
    let shown = lying(&key, lie, &|_| (), Transcript::new());
    assert_eq!(verdict(key.private_key(), &shown), "OPENING_INVALID");
}

/// The first element of the first matrix.
const fn weight(value: i64) -> Beyond {
    Beyond {
        column: 0,
        index: 0,
        value,
    }
}

/// A transcript that has absorbed another protocol.
fn labelled(protocol: &[u8]) -> Transcript {
    let mut transcript = Transcript::new();
    transcript.absorb(Site::Protocol, protocol);
    transcript.leaving_out(Site::Protocol)
}

/// Those of the profile `evm` are by its own transcript, not by that of the others.
#[test]
fn ranges_are_shown_by_the_transcript_of_the_profile() {
    let case = case(parameters(), Profile::Evm);
    for (transcript, expected) in [
        (case.key().transcript(), ""),
        (Transcript::new(), "OPENING_INVALID"),
    ] {
        let shown = lying(&case.prover, Lie::default(), &|_| (), transcript);
        assert_eq!(verdict(case.key(), &shown), expected);
    }
}

#[test]
fn a_proof_under_another_label_shows_no_ranges() {
    let key = key_beyond(&parameters(), &[]);
    let labels = [
        (RANGES_PROTOCOL, ""),
        (PROTOCOL, "OPENING_INVALID"),
        (LINK_PROTOCOL, "OPENING_INVALID"),
    ];
    for (label, expected) in labels {
        let shown = lying(&key, Lie::default(), &|_| (), labelled(label));
        assert_eq!(verdict(key.private_key(), &shown), expected);
    }
}

/// Holds a file to a key and what shows its ranges, or does not. Set `WRITE_VECTORS=1` to write them anew.
fn check(name: &str, key: &PrivateKey, shown: &[u8]) {
    let text = format!(
        "{{\n\"key\": \"{}\",\n\"ranges\": \"{}\"\n}}\n",
        hex(&key.encode()),
        hex(shown)
    );
    let path = std::path::PathBuf::from(format!("{FOLDER}{name}.json"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert!(stored == text, "{name}: not what is stored");
}

/// All that hides is drawn from fixed numbers here, so that the same bytes are made again.
#[test]
fn what_shows_ranges_is_the_vectors() {
    for (name, graph, profile) in [
        ("network-default", network(), Profile::Default),
        (
            "parameters-conservative",
            parameters(),
            Profile::Conservative,
        ),
        ("vision-default", vision(), Profile::Default),
    ] {
        let Case { prover, .. } = seeded(graph, profile);
        let shown = lying(&prover, Lie::default(), &|_| (), Transcript::new());
        assert_eq!(verdict(prover.private_key(), &shown), "");
        check(name, prover.private_key(), &shown);
    }
}

#[test]
fn what_shows_none_is_the_vectors() {
    let graph = parameters();
    let cells = [
        ("weight-128", 0, 0, 128),
        ("weight-300", 0, 0, 300),
        ("padding", 0, 3, -129),
        ("parameter", 3, 0, 10),
    ];
    for (name, tensor, index, value) in cells {
        let beyond = Beyond {
            column: tensor,
            index,
            value,
        };
        let [_, shown, _] = tried(&graph, tensor, beyond);
        let key = key_beyond(&graph, &[beyond]);
        assert_eq!(verdict(key.private_key(), &shown), "OPENING_INVALID");
        check(&format!("lies/{name}"), key.private_key(), &shown);
    }
    let key = key_beyond(&graph, &[]);
    let label = labelled(PROTOCOL);
    let shown = lying(&key, Lie::default(), &|_| (), label);
    assert_eq!(verdict(key.private_key(), &shown), "OPENING_INVALID");
    check("lies/label", key.private_key(), &shown);
    let other = key_beyond(&graph, &[weight(1)]);
    let shown = lying(&key, Lie::default(), &|_| (), Transcript::new());
    assert_eq!(verdict(other.private_key(), &shown), "LINK_INVALID");
    check("lies/key", other.private_key(), &shown);
}
