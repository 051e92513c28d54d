//! Commitment to int8 weight matrices, opened at prescribed points.
//!
//! ```text
//! root = commit(W_1, …, W_n),    values of the blocks of W_i at z = binding evaluation, z drawn from root
//! verify(root, binding evaluation, opening, points) ⇒ the claimed values are W_i(point_i)
//! ```
//!
//! The polynomial commitment is WHIR from `p3-whir`. Nothing of that library shows through this
//! crate's interface: matrices go in, and a root, an opening and the values at the points come out.
//! What a proof may decide is decided here and not by the library: every length is derived from the
//! sizes of the matrices, field elements are canonical, and no byte of an opening goes unread.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `code` | the code of the stack and the tree over its rows, of which a part is kept |
//! | `codec` | the bytes of an opening |
//! | `columns` | columns of the base field at points and under weights |
//! | `first` | the first folds of an opening, whatever the tables are made of |
//! | `head` | the same folds computed from int8 weights |
//! | `linear` | multilinear algebra over int8 matrices |
//! | `merkle` | the hash tree itself, and the root that opened leaves lead to |
//! | `place` | where tables of different sizes lie in one stack |
//! | `plan` | how matrices are cut into blocks whose sides are powers of two |
//! | `profile` | the theorem and the kind of parameters that proofs of a key rest on |
//! | `schedule` | protocol parameters by size, never read from a proof |
//! | `security` | provable bits, term by term |
//! | `stack` | the stacked tables as bytes, and what is computed from them |
//! | `tree` | the hash tree over matrices, and over a code that is kept in part |
//!
//! # Soundness
//!
//! The caller MUST have absorbed root and binding evaluation, and MUST have drawn the points from the
//! same transcript after them. What an opening shows is the value of *some* matrices of field elements:
//! not that these have eight bits, nor that they are the ones that the root's maker published. Who loads
//! weights to prove MUST compare root and binding evaluation with those of the key. The caller compares
//! the opened values with what its own argument needs them to be, and the bits of [`Security`] with those
//! that it asks for.
#![forbid(unsafe_code)]

mod code;
mod codec;
pub mod columns;
mod first;
mod head;
mod linear;
pub mod merkle;
mod place;
mod plan;
mod profile;
mod schedule;
mod security;
mod stack;
mod tree;

pub use codec::{Malformed, Reader, Writer};
pub use linear::combine_rows;
pub use place::Place;
pub use plan::{
    Block, MAX_BLOCKS, MAX_MATRICES, MAX_SIDE, MAX_VARIABLES, MIN_VARIABLES, Part, Plan, Size,
    parts, variables,
};
pub use profile::Profile;
pub use schedule::{TERM_BITS, WORK_BITS};
pub use security::{Security, Term, challenge_bits, compose};

use code::{Code, cosets_to_keep};
use head::Head;
use p3_blake3::Blake3;
use p3_dft::Radix2DFTSmallBatch;
use p3_field::PrimeCharacteristicRing;
use p3_multilinear_util::point::Point;
use p3_sumcheck::layout::Layout;
use p3_sumcheck::{OpeningBatch, OpeningProtocol, PrescribedPointPcs, TableShape, TableSpec};
use p3_symmetric::{CompressionFunctionFromHasher, MerkleCap, SerializingHasher};
use p3_whir::{PcsProof, WhirConfig, WhirProver};
use stack::Stack;
use std::sync::Arc;
use transcript::{Base, Extension, Sponge, Transcript};
use tree::{Rows, Tree};

type LeafHash = SerializingHasher<Blake3>;
type NodeHash = CompressionFunctionFromHasher<Blake3, 2, 32>;
type Transform = Radix2DFTSmallBatch<Base>;
type Config = WhirConfig<Extension, Base, Sponge>;
type Prover = WhirProver<Extension, Base, Transform, Tree, Sponge, Head>;
type Inner = PcsProof<Base, Extension, Tree>;

/// Why an opening needs another transcript.
const NO_SPONGE: &str = "the library's openings need a transcript by BLAKE3";

/// The root of a commitment.
pub type Root = [u8; 32];

/// Sizes or weights that cannot be committed to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No matrix, or too many.
    #[error("{0} weight matrices; 1 to {MAX_MATRICES} can be committed to")]
    Count(usize),
    /// A matrix without rows or columns, or too long.
    #[error("weight matrix {0} has an empty or too long side")]
    Side(usize),
    /// Too many blocks.
    #[error("the matrices are cut into {0} blocks; at most {MAX_BLOCKS} can be committed to")]
    Blocks(usize),
    /// Too many elements in all.
    #[error("{0} weights with padding; at most 2^{MAX_VARIABLES} can be committed to")]
    TooLarge(usize),
    /// The weights do not fill the matrices.
    #[error("{found} bytes of weights where the matrices need {expected}")]
    Weights {
        /// Bytes that the matrices need.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// The library refuses the parameters. A test shows that it does so at no size.
    #[error("no parameters for this size: {0}")]
    Parameters(String),
}

/// An opening that does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the opening of the weight commitment is not valid: {0}")]
pub struct Rejected(pub String);

/// The point of one matrix: coordinates of rows and of columns, most significant bit first.
#[derive(Clone, Debug)]
pub struct MatrixPoint {
    /// One coordinate for each of [`variables`] of the rows.
    pub row: Vec<Extension>,
    /// One coordinate for each of [`variables`] of the columns.
    pub column: Vec<Extension>,
}

/// The commitment scheme for matrices of given sizes.
pub struct Scheme {
    plan: Plan,
    profile: Profile,
    prover: Prover,
    transform: Transform,
    protocol: OpeningProtocol,
    /// Cosets of the code that the prover keeps.
    kept: usize,
}

/// The value of every block at a point that was drawn from the root.
///
/// Where a root may be close to several codewords, at most one of them has these values, but for the
/// term of [`Scheme::binding_security`]. Every opening claims them beside the values of its proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindingEvaluation {
    /// [`Scheme::binding_variables`] coordinates. A block takes as many of the last ones as it needs.
    pub point: Vec<Extension>,
    /// [`Scheme::binding_evaluations`] values.
    pub values: Vec<Extension>,
}

/// Committed weights, as the prover keeps them.
pub struct Committed {
    root: Root,
    binding_evaluation: BindingEvaluation,
    head: Head,
    code: Arc<Code>,
}

impl Committed {
    /// The root.
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The values at the point that was drawn from the root.
    pub const fn binding_evaluation(&self) -> &BindingEvaluation {
        &self.binding_evaluation
    }
}

/// An opening of all matrices, each at one point.
#[derive(Clone)]
pub struct Opening {
    inner: Inner,
    /// Whether the value of each block is followed by that of its binding evaluation.
    binds: bool,
}

impl Scheme {
    /// The scheme for matrices of `sizes`; everything else follows from them and the profile.
    pub fn new(sizes: &[Size], profile: Profile) -> Result<Self, Error> {
        let plan = Plan::new(sizes)?;
        let parameters = schedule::parameters(plan.variables(), profile);
        let of_block = 1 + usize::from(profile.binds());
        let claims = of_block * plan.blocks().len();
        let config = Config::new_with_initial_claims(plan.variables(), parameters, claims)
            .map_err(|error| Error::Parameters(error.to_string()))?;
        let transform = Transform::new(1 << config.max_fft_size());
        let mut tables: Vec<TableSpec> = plan
            .blocks()
            .iter()
            .map(|block| {
                TableSpec::new(
                    TableShape::new(block.variables(), 1),
                    vec![OpeningBatch::new(vec![0], vec![]); of_block],
                )
            })
            .collect();
        // The stack is as tall as the plan says even where the blocks would fit in less.
        tables.extend(
            padding(&plan)
                .into_iter()
                .map(|variables| TableSpec::new(TableShape::new(variables, 1), vec![])),
        );
        let rate = config.starting_log_inv_rate;
        let fold = config.round_folding_factor(0);
        let kept = cosets_to_keep(plan.elements(), plan.variables(), rate, fold);
        Ok(Self {
            plan,
            profile,
            kept,
            prover: Prover::new(config, transform.clone(), Tree::new()),
            transform,
            protocol: OpeningProtocol::new(tables),
        })
    }

    /// Where everything lies.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    fn config(&self) -> &Config {
        &self.prover
    }

    /// Coordinates of the point at which the blocks are bound.
    pub fn binding_variables(&self) -> usize {
        let blocks = self.plan.blocks().iter().map(Block::variables);
        blocks.max().filter(|_| self.profile.binds()).unwrap_or(0)
    }

    /// Values that a binding evaluation has: one for each block, or none where it is not needed.
    pub fn binding_evaluations(&self) -> usize {
        if self.profile.binds() {
            self.plan.blocks().len()
        } else {
            0
        }
    }

    /// The points of the bound blocks.
    fn binding_points(&self, point: &[Extension]) -> Vec<Point<Extension>> {
        let blocks = self.plan.blocks().iter().take(self.binding_evaluations());
        blocks
            .map(|block| {
                let others = point.len().saturating_sub(block.variables());
                Point::new(point.iter().skip(others).copied().collect())
            })
            .collect()
    }

    /// Commits to `weights`: the matrices one after another, each row by row. `draw` draws the
    /// point of the binding evaluation from the root.
    pub fn commit(
        &self,
        weights: &[i8],
        draw: impl FnOnce(&Root) -> Vec<Extension>,
    ) -> Result<Committed, Error> {
        let expected = self.plan.elements();
        if weights.len() != expected {
            return Err(Error::Weights {
                expected,
                found: weights.len(),
            });
        }
        let mut offsets = Vec::with_capacity(self.plan.sizes().len());
        let mut offset = 0;
        for size in self.plan.sizes() {
            offsets.push(offset);
            offset += size.rows * size.columns;
        }
        let mut tables: Vec<Vec<i8>> = self
            .plan
            .blocks()
            .iter()
            .map(|block| {
                let size = self.plan.sizes()[block.matrix];
                let width = 1 << block.columns.log;
                let mut values = vec![0; 1 << block.variables()];
                let rows = size.rows.min(block.rows.offset + (1 << block.rows.log));
                let columns = size.columns.min(block.columns.offset + width);
                for row in block.rows.offset..rows {
                    let start = offsets[block.matrix] + row * size.columns;
                    let source = &weights[start + block.columns.offset..start + columns];
                    let target = &mut values[(row - block.rows.offset) * width..];
                    target[..source.len()].copy_from_slice(source);
                }
                values
            })
            .collect();
        let padding = padding(&self.plan).into_iter();
        tables.extend(padding.map(|variables| vec![0; 1 << variables]));
        let config = self.config();
        let stack = Arc::new(Stack::new(tables, config.round_folding_factor(0)));
        let code = Code::new(
            Arc::clone(&stack),
            config.starting_log_inv_rate,
            self.kept,
            &self.transform,
            &LeafHash::new(Blake3),
        );
        let root = code.root();
        let mut head = Head::new(stack);
        let point = draw(&root);
        let values = head.bind(&self.binding_points(&point));
        Ok(Committed {
            root,
            binding_evaluation: BindingEvaluation { point, values },
            head,
            code: Arc::new(code),
        })
    }

    fn points(&self, points: &[MatrixPoint]) -> (Vec<Point<Extension>>, Vec<Extension>) {
        self.plan
            .blocks()
            .iter()
            .map(|block| {
                let point = &points[block.matrix];
                let (point, weight) = block.at(&point.row, &point.column);
                (Point::new(point), weight)
            })
            .unzip()
    }

    /// The values of the matrices that the values of their blocks amount to.
    fn values(&self, weights: &[Extension], blocks: &[Extension]) -> Vec<Extension> {
        let mut values = vec![Extension::ZERO; self.plan.sizes().len()];
        for ((block, &weight), &value) in self.plan.blocks().iter().zip(weights).zip(blocks) {
            values[block.matrix] += weight * value;
        }
        values
    }

    /// Points in the order of the opening: that of each block, followed by that of its binding evaluation.
    fn with_binding_points(
        &self,
        points: Vec<Point<Extension>>,
        binding_evaluation: &[Extension],
    ) -> Vec<Point<Extension>> {
        interleaved(points, self.binding_points(binding_evaluation))
    }

    /// Opens every matrix at its point. The transcript must have absorbed the root, and the points
    /// must have been drawn from it.
    pub fn open(
        &self,
        committed: &Committed,
        points: &[MatrixPoint],
        transcript: &mut Transcript,
    ) -> Result<Opening, Error> {
        let (points, _) = self.points(points);
        let points = self.with_binding_points(points, &committed.binding_evaluation.point);
        let sponge = transcript.sponge();
        let sponge = sponge.ok_or_else(|| Error::Parameters(NO_SPONGE.to_owned()))?;
        let mut head = committed.head.clone();
        let samples = 0..self.config().commitment_ood_samples();
        let initial = samples.map(|_| head.add_virtual_eval(sponge)).collect();
        let evals = self.protocol.iter_openings().zip(&points);
        let evals = evals
            .map(|((table, batch), point)| head.eval_at(table, batch, point, sponge))
            .collect();
        let rows = Rows::Code(Arc::clone(&committed.code));
        let openings = self.protocol.num_openings();
        let whir = self
            .prover
            .prove(initial, sponge, head, rows, openings)
            .map_err(|error| Error::Parameters(error.to_string()))?;
        let inner = Inner { whir, evals };
        Ok(Opening {
            inner,
            binds: self.profile.binds(),
        })
    }

    /// Checks an opening and returns the value of every matrix at its point. The transcript must
    /// have absorbed the root and the binding evaluation, and the points must have been drawn from it.
    pub fn verify(
        &self,
        root: &Root,
        binding_evaluation: &BindingEvaluation,
        opening: &Opening,
        points: &[MatrixPoint],
        transcript: &mut Transcript,
    ) -> Result<Vec<Extension>, Rejected> {
        if opening.binding_evaluations() != binding_evaluation.values {
            return Err(Rejected("it claims other values of the pin".to_owned()));
        }
        let (points, weights) = self.points(points);
        let points = self.with_binding_points(points, &binding_evaluation.point);
        let commitment = MerkleCap::new(vec![*root]);
        let sponge = transcript.sponge();
        let sponge = sponge.ok_or_else(|| Rejected(NO_SPONGE.to_owned()))?;
        self.prover
            .verify_at(&commitment, &opening.inner, &self.protocol, &points, sponge)
            .map_err(|error| Rejected(error.to_string()))?;
        Ok(self.values(&weights, &opening.evaluations()))
    }

    /// The parameters of the opening as JSON, as `vectors/sumcheck/schedule.json` lists them.
    pub fn parameters_json(&self) -> String {
        schedule::to_json(self.config(), self.profile)
    }

    /// The error terms of one opening; `compose` adds them up.
    pub fn security(&self) -> Vec<Term> {
        let claims = self.plan.blocks().len() + self.binding_evaluations();
        security::opening(self.config(), self.profile, claims)
    }

    /// The error term of the binding evaluation: that a root is close to two codewords whose blocks differ and
    /// have the same values at the point drawn from it. Nothing where there is no binding evaluation.
    pub fn binding_security(&self) -> Option<Term> {
        let pairs = 2.0 * self.candidate_bits() - 1.0;
        let degree = (self.binding_variables() as f64).log2();
        let bits = challenge_bits() as f64 - degree - pairs;
        let term = || Term::new("key: pin of the weights", bits);
        self.profile.binds().then(term)
    }

    /// The bits of one opening as the library itself adds them up.
    pub fn opening_bits(&self) -> f64 {
        self.prover
            .prescribed_security(&self.protocol)
            .map_or(0.0, |security| security.error().bits())
    }

    /// log2 of how many codewords a root may be close to.
    pub fn candidate_bits(&self) -> f64 {
        self.profile
            .assumption()
            .list_size_bits(self.plan.variables(), self.config().starting_log_inv_rate)
    }
}

/// Each of `first`, followed by its partner in `second` where there is one.
fn interleaved<T>(first: impl IntoIterator<Item = T>, second: Vec<T>) -> Vec<T> {
    let mut second = second.into_iter();
    first
        .into_iter()
        .flat_map(|item| std::iter::once(item).chain(second.next()))
        .collect()
}

/// Blocks of zeros, never opened, that fill a small stack up to the least size.
fn padding(plan: &Plan) -> Vec<usize> {
    let cells: usize = plan
        .blocks()
        .iter()
        .map(|block| 1 << block.variables())
        .sum();
    if cells.next_power_of_two() == 1 << plan.variables() {
        return Vec::new();
    }
    vec![plan.variables() - 1]
}

impl Opening {
    /// The values of the blocks, as the opening claims them.
    pub fn evaluations(&self) -> Vec<Extension> {
        let every = 1 + usize::from(self.binds);
        self.all_evaluations().step_by(every).collect()
    }

    /// The values of the binding evaluation, as the opening claims them.
    fn binding_evaluations(&self) -> Vec<Extension> {
        let claimed = self.all_evaluations().skip(1).step_by(2);
        claimed.filter(|_| self.binds).collect()
    }

    fn all_evaluations(&self) -> impl Iterator<Item = Extension> {
        let batches = self.inner.evals.iter();
        batches.flat_map(|batch| batch.current().iter().copied())
    }

    /// The value of every matrix that the claimed values of its blocks amount to.
    pub fn claims(&self, scheme: &Scheme, points: &[MatrixPoint]) -> Vec<Extension> {
        let (_, weights) = scheme.points(points);
        scheme.values(&weights, &self.evaluations())
    }
}
