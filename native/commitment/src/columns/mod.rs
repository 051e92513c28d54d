//! Commitment to the columns of a witness, opened once for a list of claims.
//!
//! Columns of different sizes are stacked into one polynomial, which the library knows as a single
//! table: a claim about a column is a claim about the stack at the column's point, followed by the
//! bits of its slot. So the claims need neither one point nor a sumcheck of their own, and what they
//! cost is a pass over their column.

mod head;

use crate::code::{Code, Message};
use crate::codec::{Run, decode_run, encode_run};
use crate::place::Place;
use crate::tree::{Rows, Tree};
use crate::{
    Config, LeafHash, MAX_VARIABLES, MIN_VARIABLES, Malformed, NO_SPONGE, Profile, Reader,
    Rejected, Root, Term, Transform, Writer, schedule, security,
};
use head::{ColumnsHead, Stack};
pub use head::{SUMMED, combine_rows, combine_slices, evaluate};
use p3_blake3::Blake3;
use p3_field::PrimeCharacteristicRing;
use p3_multilinear_util::point::Point;
use p3_sumcheck::layout::Layout;
use p3_sumcheck::{OpeningBatch, OpeningProtocol, PrescribedPointPcs, TableShape, TableSpec};
use p3_symmetric::MerkleCap;
use p3_whir::{PcsProof, WhirProver};
use std::sync::Arc;
use transcript::{Base, Extension, Sponge, Transcript};

type Prover = WhirProver<Extension, Base, Transform, Tree, Sponge, ColumnsHead>;

/// Variables of a column at least: what the first fold takes.
pub const MIN_COLUMN: usize = 8;
/// Columns at most.
pub const MAX_COLUMNS: usize = 1 << 14;
/// Claims at most.
pub const MAX_CLAIMS: usize = 1 << 15;

/// Columns that cannot be committed to, or claims that are not about them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No column or claim, or too many.
    #[error(
        "{columns} columns and {claims} claims; 1 to {MAX_COLUMNS} and 1 to {MAX_CLAIMS} are possible"
    )]
    Count {
        /// Columns.
        columns: usize,
        /// Claims.
        claims: usize,
    },
    /// A column that is too short or too long.
    #[error("column {0} has fewer than {MIN_COLUMN} or more than {MAX_VARIABLES} variables")]
    Variables(usize),
    /// Too many elements in all.
    #[error("{0} elements; at most 2^{MAX_VARIABLES} can be committed to")]
    TooLarge(usize),
    /// A column of another length, or another number of columns.
    #[error("column {0} is missing or has not its length")]
    Column(usize),
    /// Another number of claims than the shape has, or a claim that fits no column.
    #[error("claim {0} is missing, is one too many or fits no column")]
    Claim(usize),
    /// The library refuses the parameters. A test shows that it does so at no size.
    #[error("no parameters for this size: {0}")]
    Parameters(String),
}

/// A claimed value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnValue {
    /// Index of the column.
    pub column: usize,
    /// One coordinate for each of its variables, most significant first.
    pub point: Vec<Extension>,
    /// The value there.
    pub value: Extension,
}

/// The commitment scheme for columns of given sizes and a given number of claims.
pub struct Columns {
    places: Vec<Place>,
    variables: usize,
    claims: usize,
    profile: Profile,
    prover: Prover,
    transform: Transform,
    protocol: OpeningProtocol,
}

/// Committed columns, as the prover keeps them.
pub struct CommittedColumns {
    root: Root,
    stack: Arc<Stack>,
    code: Arc<Code>,
}

impl CommittedColumns {
    /// The root. Nothing absorbs it but the caller.
    pub const fn root(&self) -> Root {
        self.root
    }
}

/// An opening of all claims. The values are not in it: the verifier has them.
#[derive(Clone)]
pub struct ColumnsOpening {
    run: Run,
}

/// The places of columns, in their order, and the variables of the stack.
fn places(variables: &[usize]) -> Result<(Vec<Place>, usize), ColumnsError> {
    let (places, cells) = Place::stacked(variables, MIN_VARIABLES);
    if cells > 1 << MAX_VARIABLES {
        return Err(ColumnsError::TooLarge(cells));
    }
    Ok((places, Place::whole(cells, MIN_VARIABLES)))
}

impl Columns {
    /// The scheme for columns of 2^`variables` elements each, opened for `claims` claims. Everything
    /// else follows from these and the profile.
    pub fn new(variables: &[usize], claims: usize, profile: Profile) -> Result<Self, ColumnsError> {
        let columns = variables.len();
        if columns == 0 || claims == 0 || columns > MAX_COLUMNS || claims > MAX_CLAIMS {
            return Err(ColumnsError::Count { columns, claims });
        }
        let fits = |&variables: &usize| (MIN_COLUMN..=MAX_VARIABLES).contains(&variables);
        if let Some(index) = variables.iter().position(|variables| !fits(variables)) {
            return Err(ColumnsError::Variables(index));
        }
        let (places, variables) = places(variables)?;
        let parameters = schedule::witness_parameters(variables, profile);
        let config = Config::new_with_initial_claims(variables, parameters, claims)
            .map_err(|error| ColumnsError::Parameters(error.to_string()))?;
        let transform = Transform::new(1 << config.max_fft_size());
        let table = TableSpec::new(
            TableShape::new(variables, 1),
            vec![OpeningBatch::new(vec![0], vec![]); claims],
        );
        Ok(Self {
            places,
            variables,
            claims,
            profile,
            prover: Prover::new(config, transform.clone(), Tree::new()),
            transform,
            protocol: OpeningProtocol::new(vec![table]),
        })
    }

    fn config(&self) -> &Config {
        &self.prover
    }

    /// Variables of the stack.
    pub const fn variables(&self) -> usize {
        self.variables
    }

    /// Claims that an opening is about.
    pub const fn claims(&self) -> usize {
        self.claims
    }

    /// Commits to the columns.
    pub fn commit(&self, columns: &[&[Base]]) -> Result<CommittedColumns, ColumnsError> {
        let count = columns.len().max(self.places.len());
        for index in 0..count {
            match (columns.get(index), self.places.get(index)) {
                (Some(column), Some(place)) if column.len() == 1 << place.variables => {}
                _ => return Err(ColumnsError::Column(index)),
            }
        }
        let columns = columns.iter().map(|column| column.to_vec()).collect();
        let folding = self.config().round_folding_factor(0);
        let stack = Stack::new(self.places.clone(), columns, self.variables, folding);
        let message = Message {
            height: stack.height(),
            width: stack.width(),
            write: |shift, buffer: &mut _| stack.write_message(shift, buffer),
        };
        let rate = self.config().starting_log_inv_rate;
        let code = Code::whole(&message, rate, &self.transform, &LeafHash::new(Blake3));
        Ok(CommittedColumns {
            root: code.root(),
            stack: Arc::new(stack),
            code: Arc::new(code),
        })
    }

    /// The claims' points in the stack.
    fn points<'a>(
        &self,
        claims: impl ExactSizeIterator<Item = (usize, &'a [Extension])>,
    ) -> Result<Vec<Point<Extension>>, ColumnsError> {
        if claims.len() != self.claims {
            return Err(ColumnsError::Claim(claims.len().min(self.claims)));
        }
        claims
            .enumerate()
            .map(|(index, (column, point))| {
                let place = self.places.get(column);
                let place = place
                    .filter(|place| place.variables == point.len())
                    .ok_or(ColumnsError::Claim(index))?;
                let bits = self.variables - place.variables;
                let slot = (0..bits).rev().map(|bit| {
                    if (place.slot >> bit) & 1 == 1 {
                        Extension::ONE
                    } else {
                        Extension::ZERO
                    }
                });
                Ok(Point::new(point.iter().copied().chain(slot).collect()))
            })
            .collect()
    }

    /// Opens the columns at the claims' points. The transcript must have absorbed the root, the
    /// points must have been drawn after it, and the values must have been absorbed.
    pub fn open(
        &self,
        committed: &CommittedColumns,
        claims: &[(usize, Vec<Extension>)],
        transcript: &mut Transcript,
    ) -> Result<ColumnsOpening, ColumnsError> {
        let points = claims.iter().map(|(column, point)| (*column, &point[..]));
        let points = self.points(points)?;
        let expected = claims.iter().map(|&(column, _)| column).collect();
        let mut head = ColumnsHead::new(Arc::clone(&committed.stack), expected);
        let sponge = transcript.sponge();
        let sponge = sponge.ok_or_else(|| ColumnsError::Parameters(NO_SPONGE.to_owned()))?;
        let samples = 0..self.config().commitment_ood_samples();
        let initial = samples.map(|_| head.add_virtual_eval(sponge)).collect();
        for ((table, batch), point) in self.protocol.iter_openings().zip(&points) {
            head.eval_at(table, batch, point, sponge);
        }
        let rows = Rows::Code(Arc::clone(&committed.code));
        let openings = self.protocol.num_openings();
        let run = self
            .prover
            .prove(initial, sponge, head, rows, openings)
            .map_err(|error| ColumnsError::Parameters(error.to_string()))?;
        Ok(ColumnsOpening { run })
    }

    /// Checks that the committed columns have the claimed values. The transcript must have absorbed
    /// the root and all values, and the points must have been drawn after the root.
    pub fn verify(
        &self,
        root: &Root,
        opening: &ColumnsOpening,
        claims: &[ColumnValue],
        transcript: &mut Transcript,
    ) -> Result<(), Rejected> {
        let points = claims.iter().map(|claim| (claim.column, &claim.point[..]));
        let points = self
            .points(points)
            .map_err(|error| Rejected(error.to_string()))?;
        let proof = PcsProof {
            whir: opening.run.clone(),
            evals: claims
                .iter()
                .map(|claim| OpeningBatch::new(vec![claim.value], vec![]))
                .collect(),
        };
        let commitment = MerkleCap::new(vec![*root]);
        let sponge = transcript.sponge();
        let sponge = sponge.ok_or_else(|| Rejected(NO_SPONGE.to_owned()))?;
        self.prover
            .verify_at(&commitment, &proof, &self.protocol, &points, sponge)
            .map(|_| ())
            .map_err(|error| Rejected(error.to_string()))
    }

    /// The parameters of the opening as JSON, as `vectors/sumcheck/witness_schedule.json` lists
    /// them.
    pub fn parameters_json(&self) -> String {
        schedule::to_json(self.config(), self.profile)
    }

    /// The error terms of one opening.
    pub fn security(&self) -> Vec<Term> {
        let named = |term: Term| Term::new(format!("witness {}", term.name), term.bits);
        let terms = security::opening(self.config(), self.profile, self.claims);
        terms.into_iter().map(named).collect()
    }

    /// The bits of one opening as the library itself adds them up.
    pub fn opening_bits(&self) -> f64 {
        self.prover
            .prescribed_security(&self.protocol)
            .map_or(0.0, |security| security.error().bits())
    }

    /// log2 of how many columns a root may stand for. Out-of-domain samples come with the opening
    /// only, so a prover may choose among that many until then: each error term of what lies between
    /// root and opening counts that many times.
    pub fn candidate_bits(&self) -> f64 {
        self.profile
            .assumption()
            .list_size_bits(self.variables, self.config().starting_log_inv_rate)
    }
}

impl ColumnsOpening {
    /// Appends the opening's bytes.
    pub fn encode(&self, columns: &Columns, out: &mut Writer) {
        encode_run(&self.run, columns.config(), out);
    }

    /// Reads an opening, whose every length follows from the scheme.
    pub fn decode(columns: &Columns, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            run: decode_run(columns.config(), reader)?,
        })
    }
}
