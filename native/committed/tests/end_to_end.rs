//! Honest proofs verify; nothing else does.
#[path = "../../reduce/tests/common/mod.rs"]
mod common;

use commitment::Profile;
use committed::{Key, Prover, Public, Rejection, Witness};
use common::graphs::{Builder, Random, random_graph};
use graph::{Graph, Op, elements};
use p3_field::PrimeCharacteristicRing;
use reduce::{Form, Unit};
use transcript::{Base, Extension, Transcript};

const STATEMENT: [u8; 32] = [7; 32];

/// Two dense layers with a table, a convolution and a maximum.
fn model() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[1, 2, 6, 5], -100, 90);
    let x = b.conv(x, 4, 1, &[[3, 1, 1, 1, 1], [2, 2, 1, 0, 1]]);
    let x = b.rescale(x, &[3], 0, 7, -20, 100);
    let x = b.max(x, 1);
    let x = b.view(x, 0, &[72, 1], &[1, 24]);
    let x = b.linear(x, 7, true);
    let x = b.rescale(x, &[1, 2, 1, 1, 3, 1, -1], 1, 8, -90, 90);
    let x = b.lookup(x);
    let x = b.linear(x, 3, true);
    b.finish(&[x])
}

/// A dense layer whose results are made shares of their sum and divided by the root of one of their
/// squares, as in attention and layer normalisation.
fn normalised() -> Graph {
    let mut b = Builder::new(3);
    let x = b.input(&[5, 6], -100, 90);
    let y = b.linear(x, 7, true);
    let y = b.rescale(y, &[1], 0, 8, -200, 200);
    let count = 401;
    let values = b.random.numbers(count, 1, 1000);
    let table = b.constant(&[count], values);
    let op = Op::Lookup { table, first: -200 };
    let weights = b.node(op, &[y], &[5, 7], 1, 1000);
    let sum = b.sum(weights, 1);
    let sum = b.repeat(sum, 7);
    let shares = b.divide(weights, sum, 1 << 16);
    let squares = b.mul(y, y);
    let most = b.max(squares, 1);
    let one = b.constant(&[1], vec![1]);
    let op = Op::Add {
        coefficients: vec![1],
        constant: Some(one),
    };
    let most = b.node(op, &[most], &[5], 1, 40_001);
    let root = b.square_root(most, 1 << 24);
    let (_, _, hi) = b.of(root);
    let wide = b.view(root, 0, &[1, 0], &[5, 7]);
    let op = Op::Divide { k: 379_625_062 };
    b.parts.nodes[root - 1].lo = 4096;
    assert!(hi < 1 << 20);
    let normal = b.node(op, &[y, wide], &[5, 7], -(1 << 28), 1 << 28);
    b.finish(&[shares, normal])
}

struct Case {
    prover: Prover,
    inputs: Vec<Vec<i32>>,
}

fn case(graph: Graph, profile: Profile) -> Case {
    let mut random = Random(77);
    let weights: Vec<i8> = (0..graph.weight_bytes())
        .map(|_| random.between(-128, 127) as i8)
        .collect();
    let inputs = graph
        .inputs
        .iter()
        .map(|input| {
            (0..elements(&input.shape))
                .map(|_| random.between(input.lo.into(), input.hi.into()))
                .collect()
        })
        .collect();
    Case {
        prover: Prover::new(graph, &weights, profile).unwrap(),
        inputs,
    }
}

fn views(tensors: &[Vec<i32>]) -> Vec<&[i32]> {
    tensors.iter().map(Vec::as_slice).collect()
}

fn verify(
    key: &Key,
    inputs: &[Vec<i32>],
    outputs: &[Vec<i32>],
    proof: &[u8],
) -> Result<(), Rejection> {
    let public = Public {
        inputs: &views(inputs),
        outputs: &views(outputs),
        statement: STATEMENT,
    };
    key.verify(&public, proof)
}

impl Case {
    /// Proves a corrupted witness, altering what the reduction sends, on a prepared transcript.
    fn lie(
        &self,
        corrupt: impl Fn(&mut Witness),
        alter: &mut dyn FnMut(usize, &mut [Extension]),
        transcript: Transcript,
    ) -> (Vec<Vec<i32>>, committed::Proof) {
        let inputs = views(&self.inputs);
        let mut witness = self.prover.witness(&inputs).unwrap();
        corrupt(&mut witness);
        let proof = self
            .prover
            .prove_audited(&inputs, STATEMENT, &witness, transcript, alter)
            .unwrap();
        (witness.outputs, proof)
    }

    fn rejected(&self, corrupt: impl Fn(&mut Witness)) -> String {
        let (outputs, proof) = self.lie(corrupt, &mut |_, _| (), Transcript::new());
        let key = self.prover.key();
        let result = verify(key, &self.inputs, &outputs, &proof.encode(key));
        result.unwrap_err().code().to_owned()
    }
}

#[test]
fn honest_proofs_verify_in_both_profiles() {
    for profile in Profile::COMMITTED {
        for graph in [model(), normalised(), random_graph(8), random_graph(21)] {
            if graph.weights.is_empty() {
                continue;
            }
            let case = case(graph, profile);
            let proved = case
                .prover
                .prove(&views(&case.inputs), STATEMENT, &mut |_| ());
            let (outputs, proof) = proved.unwrap();
            let key = Key::decode(&case.prover.key().encode()).unwrap();
            verify(&key, &case.inputs, &outputs, &proof).unwrap();
            let bits = key.provable_bits();
            assert!(bits >= 100.0, "{bits} {:?}", key.security());
        }
    }
}

#[test]
fn another_statement_input_or_output_is_rejected() {
    let case = case(model(), Profile::Default);
    let key = case.prover.key();
    let (outputs, proof) = case
        .prover
        .prove(&views(&case.inputs), STATEMENT, &mut |_| ())
        .unwrap();
    let mut wrong = outputs.clone();
    wrong[0][1] += 1;
    assert!(verify(key, &case.inputs, &wrong, &proof).is_err());
    wrong[0].pop();
    let code = verify(key, &case.inputs, &wrong, &proof)
        .unwrap_err()
        .code();
    assert_eq!(code, "OUTPUT_MISMATCH");
    let mut wrong = case.inputs.clone();
    wrong[0][1] ^= 1;
    assert!(verify(key, &wrong, &outputs, &proof).is_err());
    wrong[0][1] = 91;
    assert_eq!(
        verify(key, &wrong, &outputs, &proof).unwrap_err().code(),
        "INPUT_MISMATCH"
    );
    let public = Public {
        inputs: &views(&case.inputs),
        outputs: &views(&outputs),
        statement: [8; 32],
    };
    assert!(key.verify(&public, &proof).is_err());
}

#[test]
fn every_cell_of_every_column_and_multiplicity_matters() {
    for graph in [model(), normalised()] {
        let case = case(graph, Profile::Default);
        let count = case.prover.key().plan().columns.len();
        for column in 0..count {
            // Element 0 is in no padding.
            case.rejected(|witness| witness.columns.committed[column][0] += Base::ONE);
        }
        for table in 0..case.prover.key().plan().tables.len() {
            let code = case.rejected(|witness| witness.multiplicities[table][0] += Base::ONE);
            assert_eq!(code, "LOOKUP_MISMATCH");
        }
    }
}

#[test]
fn a_quotient_one_less_with_a_remainder_beyond_its_range_is_rejected_by_the_lookups() {
    let case = case(model(), Profile::Default);
    let plan = case.prover.key().plan();
    let rescale = plan.units.iter().flatten().find_map(|unit| match unit {
        Unit::Rescale(rescale) => Some(rescale.clone()),
        _ => None,
    });
    let rescale = rescale.unwrap();
    let Form::Direct { column, lookup } = rescale.form else {
        panic!("not direct");
    };
    let code = case.rejected(|witness| {
        let remainder = &mut witness.columns.committed[rescale.remainder[0].column][0];
        *remainder += Base::from_u64(1 << rescale.shift);
        let [Some(reduce::Source::Own(keys)), _] = &mut witness.columns.looked[lookup] else {
            panic!("committed");
        };
        keys[0] -= Base::ONE;
        let _ = column;
    });
    assert_eq!(code, "LOOKUP_MISMATCH");
}

#[test]
fn another_output_with_all_that_follows_from_it_is_rejected() {
    let case = case(model(), Profile::Default);
    let code = case.rejected(|witness| witness.outputs[0][2] -= 1);
    assert_eq!(code, "REDUCTION_MISMATCH");
}

#[test]
fn every_byte_of_a_proof_matters() {
    let case = case(model(), Profile::Default);
    let key = case.prover.key();
    let (outputs, proof) = case.lie(|_| (), &mut |_, _| (), Transcript::new());
    let writer = proof.write(key);
    verify(key, &case.inputs, &outputs, &writer.bytes).unwrap();
    // Every field at its begin, its end, and in between; and all bytes near the front.
    let mut places: Vec<usize> = writer.fields.iter().map(|&(_, start)| start).collect();
    let ends: Vec<usize> = places.iter().skip(1).map(|start| start - 1).collect();
    places.extend(ends);
    places.extend((0..writer.bytes.len()).step_by(211));
    places.extend(0..60);
    for place in places {
        for bit in [1, 128] {
            let mut wrong = writer.bytes.clone();
            wrong[place] ^= bit;
            assert!(
                verify(key, &case.inputs, &outputs, &wrong).is_err(),
                "{place}"
            );
        }
    }
    for length in [0, 1, 33, writer.bytes.len() - 1] {
        let wrong = &writer.bytes[..length];
        let code = verify(key, &case.inputs, &outputs, wrong)
            .unwrap_err()
            .code();
        assert_eq!(code, "PROOF_MALFORMED");
    }
    let mut long = writer.bytes.clone();
    long.push(0);
    let code = verify(key, &case.inputs, &outputs, &long)
        .unwrap_err()
        .code();
    assert_eq!(code, "PROOF_MALFORMED");
    let mut wrong = writer.bytes.clone();
    wrong[0] = 1;
    let code = verify(key, &case.inputs, &outputs, &wrong)
        .unwrap_err()
        .code();
    assert_eq!(code, "PROOF_VERSION");
    // A count that promises more than there is takes no memory.
    let at = writer
        .fields
        .iter()
        .find(|field| field.0 == "reduction length");
    let at = at.unwrap().1;
    let mut wrong = writer.bytes.clone();
    wrong[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let code = verify(key, &case.inputs, &outputs, &wrong)
        .unwrap_err()
        .code();
    assert_eq!(code, "PROOF_MALFORMED");
}

#[test]
fn keys_are_read_strictly() {
    let bytes = case(model(), Profile::Default).prover.key().encode();
    let code = |bytes: &[u8]| Key::decode(bytes).map_or_else(|error| error.code(), |_| "");
    assert_eq!(code(&bytes), "");
    assert_eq!(code(&bytes[..20]), "KEY_MALFORMED");
    // The clear mode's keys are not this one's, nor the other way round.
    for (byte, by, expected) in [
        (0, 8, "KEY_MALFORMED"),
        (8, 8, "KEY_VERSION"),
        (12, 3, "KEY_VERSION"),
        (13, 8, "KEY_VERSION"),
        // The profile `small`, which this mode does not have.
        (13, 2, "KEY_VERSION"),
    ] {
        let mut wrong = bytes.clone();
        wrong[byte] ^= by;
        assert_eq!(code(&wrong), expected);
    }
    let mut b = Builder::new(1);
    let x = b.input(&[3], -5, 5);
    let y = b.sum(x, 1);
    let refused = Key::new(b.finish(&[y]), Profile::Default).err().unwrap();
    assert_eq!(refused.code(), "KEY_NO_WEIGHTS");

    // What a matrix yields is multiplied with zero.
    let mut b = Builder::new(1);
    let x = b.input(&[1, 3], -500, 500);
    let y = b.linear(x, 2, true);
    let z = b.add(&[y], &[0], None);
    let other = b.linear(x, 2, true);
    let side = b.rescale(other, &[1], 0, 9, -5, 5);
    let refused = Key::new(b.finish(&[z, side]), Profile::Default).err();
    assert_eq!(refused.unwrap().code(), "KEY_UNREAD");
}
