//! Models with weights and inputs.
#![allow(dead_code)]

use crate::models::graphs::{Builder, Random, clamps};
use crate::models::{
    STATEMENT, choices, everything, exact, held, integers, linear, views, vision, wide,
};
use claim_reduction::Visibility;
use commitment::Profile;
use graph::{Graph, Op, Values, elements};
use hiding::{Context, NoEntropy, Randomness, Secret};
use key::{Kind, Openings, PrivateKey, Proofs, Public};
use prover::private::{Epoch, Inputs, Lie, ProvingKey};
use prover::relations::Witness;
use transcript::{Extension, Transcript};
use verifier::Rejection;
use verifier::private::{Known, Proof};

/// Openings that keys of tests are made for.
pub const OPENINGS: Openings = Openings {
    key: 2,
    links: 2,
    proofs: 2,
};

/// Every operation, with and without lookups; and parameters.
pub fn graphs() -> [(&'static str, Graph); 10] {
    [
        ("clamps", clamps(-40, 90)),
        ("vision", vision()),
        ("wide", wide()),
        ("everything", everything()),
        ("integers", integers()),
        ("choices", choices()),
        ("exact", exact()),
        ("held", held()),
        ("linear", linear()),
        ("parameters", parameters()),
    ]
}

/// What models have of weights beside matrices: a bias, a scale, embeddings that an input and that a map
/// choose from, and thresholds.
pub fn parameters() -> Graph {
    let mut b = Builder::new(34);
    let (x, index) = (b.input(&[2, 3], -20, 20), b.input(&[2], 0, 3));
    let shape = [2, 5];
    let view = |strides: &[i64]| Op::View {
        offset: 0,
        strides: strides.to_vec(),
    };
    let add = |coefficients: &[i32]| Op::Add {
        coefficients: coefficients.to_vec(),
        constant: None,
    };
    let bias = b.node(Op::Parameter, &[], &[5], -1000, 1000);
    let scale = b.node(Op::Parameter, &[], &[1], 1, 9);
    let table = b.node(Op::Parameter, &[], &[4, 5], -50, 50);
    let thresholds = b.node(Op::Parameter, &[], &shape, -500, 500);
    let dense = b.linear(x, 5, false);
    let bias = b.node(view(&[0, 1]), &[bias], &shape, -1000, 1000);
    let dense = b.node(add(&[1, 1]), &[dense, bias], &shape, -9680, 9680);
    let dense = b.rescale(dense, &[1], 0, 5, 0, 120);
    let scale = b.node(view(&[0, 0]), &[scale], &shape, 1, 9);
    let scaled = b.node(Op::Mul, &[dense, scale], &shape, 0, 1080);
    let picked = b.node(Op::Pick, &[table, index], &shape, -50, 50);
    let map = b.constant(&shape, vec![3, -1, 19, 0, 7, 7, 12, 1, -1, 4]);
    let taken = b.node(Op::Take { map }, &[table], &shape, -50, 50);
    let sum = [scaled, picked, taken];
    let sum = b.node(add(&[1, 2, -1]), &sum, &shape, -150, 1230);
    let above = b.node(add(&[1, -1]), &[sum, thresholds], &shape, -650, 1730);
    let above = b.rescale(above, &[1], 0, 0, 0, 1);
    let last = b.linear(above, 3, true);
    b.finish(&[sum, last])
}

/// A model with weights and inputs, and an epoch of its key that proofs open.
pub struct Case {
    pub prover: ProvingKey,
    pub epoch: Epoch,
    pub inputs: Vec<Vec<i32>>,
    /// The inputs as they are committed to, where they are private.
    pub private: Option<Inputs>,
}

/// Weights and inputs of a graph.
pub fn drawn(graph: &Graph, seed: u64) -> (Vec<i8>, Vec<Vec<i32>>) {
    let mut random = Random(seed);
    let weights = random.numbers(graph.weight_bytes(), -128, 127);
    let weights = weights.into_iter().map(|weight| weight as i8).collect();
    let inputs = graph.inputs.iter();
    let inputs = inputs
        .map(|input| random.numbers(elements(&input.shape), input.lo.into(), input.hi.into()))
        .collect();
    (weights, inputs)
}

/// Elements of the parameters of a graph.
pub fn drawn_parameters(graph: &Graph, seed: u64) -> Vec<i32> {
    let mut random = Random(seed);
    let nodes = graph.parameters();
    nodes
        .flat_map(|(_, node)| random.numbers(elements(&node.shape), node.lo.into(), node.hi.into()))
        .collect()
}

pub fn case(graph: Graph, profile: Profile) -> Case {
    case_seeded(graph, profile, 77)
}

/// The case of a graph with weights, parameters and inputs of this seed.
pub fn case_seeded(graph: Graph, profile: Profile, seed: u64) -> Case {
    let (weights, inputs) = drawn(&graph, seed);
    let values = Values {
        weights: &weights,
        parameters: &drawn_parameters(&graph, seed),
    };
    case_of(graph, &values, inputs, profile)
}

/// The case of a graph with these parameters.
pub fn case_with(graph: Graph, parameters: &[i32], profile: Profile) -> Case {
    let (weights, inputs) = drawn(&graph, 77);
    let values = Values {
        weights: &weights,
        parameters,
    };
    case_of(graph, &values, inputs, profile)
}

/// The case of a graph with these weights, parameters and inputs.
pub fn case_of(graph: Graph, values: &Values<'_>, inputs: Vec<Vec<i32>>, profile: Profile) -> Case {
    let (prover, _) = ProvingKey::with_openings(graph, values, profile, OPENINGS).unwrap();
    let epoch = prover.begin_lying(Kind::Proofs, 0, &Randomness::new, Lie::default());
    Case::new(prover, epoch.unwrap(), inputs)
}

/// The case of a graph whose weights are zeros, so that its results are its biases, with these inputs.
pub fn biased(graph: Graph, inputs: Vec<Vec<i32>>) -> Case {
    let values = Values {
        weights: &vec![0; graph.weight_bytes()],
        parameters: &[],
    };
    case_of(graph, &values, inputs, Profile::Default)
}

/// What masks are drawn from: `seed`.
pub fn seeded_by(seed: [u8; 32]) -> impl Fn(&Context<'_>) -> Result<Randomness, NoEntropy> {
    move |context| Ok(Randomness::of_seed(&seed, context))
}

/// The same with all that hides drawn from fixed numbers: it hides nothing.
pub fn seeded(graph: Graph, profile: Profile) -> Case {
    let (weights, inputs) = drawn(&graph, 77);
    let values = Values {
        weights: &weights,
        parameters: &drawn_parameters(&graph, 77),
    };
    let secret = Secret([6; 32]);
    let prover = ProvingKey::with_secret(graph, &values, profile, OPENINGS, secret).unwrap();
    let draw = seeded_by([4; 32]);
    let epoch = prover.begin_lying(Kind::Proofs, 0, &draw, Lie::default());
    Case::new(prover, epoch.unwrap(), inputs)
}

impl Case {
    pub fn new(prover: ProvingKey, epoch: Epoch, inputs: Vec<Vec<i32>>) -> Self {
        Self {
            prover,
            epoch,
            inputs,
            private: None,
        }
    }

    /// The same with an epoch for private inputs, which are committed to under this secret.
    pub fn with_private_inputs(self, secret: [u8; 32]) -> Self {
        let kind = Kind::PrivateInputs;
        let epoch = self
            .prover
            .begin_lying(kind, 1, &Randomness::new, Lie::default());
        let private = Inputs::commit(self.key(), &views(&self.inputs), &Secret(secret));
        Self {
            epoch: epoch.unwrap(),
            private: Some(private.unwrap()),
            ..self
        }
    }

    /// The same with other private inputs.
    pub fn committed_to(self, private: Inputs) -> Self {
        Self {
            private: Some(private),
            ..self
        }
    }

    pub fn visibility(&self) -> Visibility {
        match self.private {
            Some(_) => Visibility::Private,
            None => Visibility::Public,
        }
    }

    /// What its proofs are made of.
    pub fn proofs(&self) -> &Proofs {
        self.key().proofs(self.visibility()).unwrap()
    }

    /// What a verifier has of the inputs: themselves or a root.
    pub fn shown(&self) -> (Vec<&[i32]>, Option<[u8; 32]>) {
        match &self.private {
            Some(private) => (Vec::new(), Some(private.root())),
            None => (views(&self.inputs), None),
        }
    }

    /// The same with an epoch in whose link there is a lie.
    pub fn lied(self, lie: Lie<'_>) -> Self {
        let epoch = self
            .prover
            .begin_lying(Kind::Proofs, 0, &Randomness::new, lie);
        let epoch = epoch.unwrap();
        Self { epoch, ..self }
    }

    /// The code with which a proof is rejected, or nothing.
    pub fn verdict(&self) -> &'static str {
        let (outputs, proof) = self.prove();
        let verdict = self.verify(&outputs, &proof);
        verdict.map_or_else(|rejection| rejection.code(), |()| "")
    }

    /// The same with an epoch for links between key and epoch.
    pub fn behind_two_links(self) -> Self {
        let links = self.prover.begin(0, &mut |_| true).unwrap();
        let epoch = links.begin(0, &mut |_| true).unwrap();
        assert_eq!(epoch.links().len(), 2);
        Self { epoch, ..self }
    }

    pub fn key(&self) -> &PrivateKey {
        self.prover.private_key()
    }

    /// Outputs and proof. It counts for nothing.
    pub fn prove(&self) -> (Vec<Vec<i32>>, Vec<u8>) {
        let views = views(&self.inputs);
        let run = self.epoch.run(&views).unwrap();
        self.epoch.recount();
        let proof = match &self.private {
            None => self.epoch.prove(&run, &views, STATEMENT, 1, &mut |_| true),
            Some(private) => {
                private.recount();
                let given = (private, 1);
                let epoch = &self.epoch;
                epoch.prove_private(&run, given, STATEMENT, 1, &mut |_| true)
            }
        };
        (run.outputs().to_vec(), proof.unwrap())
    }

    pub fn verify(&self, outputs: &[Vec<i32>], proof: &[u8]) -> Result<(), Rejection> {
        self.verify_with(self.key(), outputs, proof)
    }

    pub fn verify_with(
        &self,
        key: &PrivateKey,
        outputs: &[Vec<i32>],
        proof: &[u8],
    ) -> Result<(), Rejection> {
        let (inputs, root) = self.shown();
        let public = Public {
            inputs: &inputs,
            outputs: &views(outputs),
            statement: STATEMENT,
        };
        match root {
            None => verifier::private::verify(key, &public, proof),
            Some(root) => {
                let known = Known::default();
                verifier::private::verify_private_inputs(key, &known, &root, &public, proof)
            }
        }
    }
}

/// Proves a corrupted witness on a prepared transcript, altering what the reduction sends. It counts for
/// nothing.
pub fn lie(
    case: &Case,
    corrupt: impl Fn(&mut Witness),
    transcript: Transcript,
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> (Vec<Vec<i32>>, Proof) {
    lie_with(case, [5; 32], corrupt, transcript, alter)
}

/// The same, with all that hides drawn from a seed.
pub fn lie_with(
    case: &Case,
    seed: [u8; 32],
    corrupt: impl Fn(&mut Witness),
    mut transcript: Transcript,
    alter: &mut dyn FnMut(usize, &mut [Extension]),
) -> (Vec<Vec<i32>>, Proof) {
    let mut witness = case.epoch.witness(&views(&case.inputs)).unwrap();
    let (inputs, _) = case.shown();
    corrupt(&mut witness);
    let proof = case
        .epoch
        .prove_witness(
            &inputs,
            case.private.as_ref(),
            STATEMENT,
            &witness,
            &seed,
            &mut transcript,
            alter,
        )
        .unwrap();
    (witness.outputs, proof)
}
