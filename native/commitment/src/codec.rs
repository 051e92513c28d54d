//! The bytes of an opening: one form each, every length derived from the scheme.

use crate::{BindingEvaluation, Config, Inner, Opening, Scheme, Tree, interleaved};
use p3_commit::Mmcs;
use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::{OpeningBatch, SumcheckData};
use p3_symmetric::MerkleCap;
use p3_whir::{QueryOpenings, RoundConfig, SharedProofOpening, WhirProof, WhirRoundProof};
use transcript::{BASE_BYTES, Base, DEGREE, Extension, write_extension};

/// An opening without its claimed values.
pub(crate) type Run = WhirProof<Base, Extension, Tree>;
type Paths = <Tree as Mmcs<Base>>::MultiProof;
type Openings = QueryOpenings<Base, Extension, Paths>;

/// Bytes that do not encode what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Short,
    /// Bytes are left over.
    #[error("bytes are left over")]
    Long,
    /// A field element is not below the modulus.
    #[error("a field element is not below the modulus")]
    NotCanonical,
    /// A count is beyond its bound.
    #[error("a count is beyond its bound")]
    Count,
    /// Numbers are not in the one form that they have.
    #[error("numbers are not in the one form that they have")]
    Coding,
}

/// Reads canonical values off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// All that is left, without taking it.
    pub const fn ahead(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed::Short)?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Short)
    }

    /// A little-endian word.
    pub fn word(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// An element of the base field.
    pub fn base(&mut self) -> Result<Base, Malformed> {
        let word = self.word()?;
        if word < Base::ORDER_U32 {
            Ok(Base::from_u32(word))
        } else {
            Err(Malformed::NotCanonical)
        }
    }

    /// An element of the extension field.
    pub fn extension(&mut self) -> Result<Extension, Malformed> {
        let mut coefficients = [Base::ZERO; DEGREE];
        for coefficient in &mut coefficients {
            *coefficient = self.base()?;
        }
        Extension::from_basis_coefficients_slice(&coefficients).ok_or(Malformed::Short)
    }

    /// `count` elements of the extension field.
    pub fn extensions(&mut self, count: usize) -> Result<Vec<Extension>, Malformed> {
        self.fits(count, DEGREE * BASE_BYTES)?;
        (0..count).map(|_| self.extension()).collect()
    }

    /// Checks that `count` items of `size` bytes are there, before anything is allocated for them.
    pub fn fits(&self, count: usize, size: usize) -> Result<(), Malformed> {
        match count.checked_mul(size) {
            Some(bytes) if bytes <= self.bytes.len() => Ok(()),
            _ => Err(Malformed::Short),
        }
    }

    /// Checks that nothing is left.
    pub const fn finish(&self) -> Result<(), Malformed> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }
}

/// Writes canonical values, and remembers which field begins where.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
    /// The name of each field and its first byte.
    pub fields: Vec<(&'static str, usize)>,
}

impl Writer {
    /// Begins a field.
    pub fn field(&mut self, name: &'static str) {
        self.fields.push((name, self.bytes.len()));
    }

    /// Appends elements of the extension field.
    pub fn extensions(&mut self, elements: &[Extension]) {
        for &element in elements {
            write_extension(&mut self.bytes, element);
        }
    }

    /// Appends an element of the base field.
    pub fn base(&mut self, element: Base) {
        self.bytes
            .extend_from_slice(&element.as_canonical_u32().to_le_bytes());
    }

    fn sumcheck(&mut self, name: &'static str, data: &SumcheckData<Base, Extension>) {
        self.field(name);
        for round in &data.polynomial_evaluations {
            self.extensions(round);
        }
        for &witness in &data.pow_witnesses {
            self.base(witness);
        }
    }

    fn witness(&mut self, work: usize, witness: Base) {
        if work > 0 {
            self.field("opening: proof of work");
            self.base(witness);
        }
    }

    fn openings(&mut self, openings: &Openings) {
        let paths = match openings {
            QueryOpenings::Base(opening) => {
                self.field("opening: rows of the weights");
                for &element in opening.rows.iter().flatten() {
                    self.base(element);
                }
                &opening.proof
            }
            QueryOpenings::Extension(opening) => {
                self.field("opening: rows of a fold");
                for row in &opening.rows {
                    self.extensions(row);
                }
                &opening.proof
            }
        };
        self.field("opening: count of siblings");
        self.bytes
            .extend_from_slice(&(paths.sibling_hashes.len() as u32).to_le_bytes());
        self.field("opening: siblings");
        for hash in &paths.sibling_hashes {
            self.bytes.extend_from_slice(hash);
        }
    }
}

fn read_sumcheck(
    reader: &mut Reader<'_>,
    rounds: usize,
    work: usize,
) -> Result<SumcheckData<Base, Extension>, Malformed> {
    let polynomial_evaluations = (0..rounds)
        .map(|_| Ok([reader.extension()?, reader.extension()?]))
        .collect::<Result<_, _>>()?;
    let witnesses = if work > 0 { rounds } else { 0 };
    let pow_witnesses = (0..witnesses)
        .map(|_| reader.base())
        .collect::<Result<_, _>>()?;
    Ok(SumcheckData {
        polynomial_evaluations,
        pow_witnesses,
    })
}

/// A witness of no work is not in the bytes; the library wants it to be zero.
fn read_witness(reader: &mut Reader<'_>, work: usize) -> Result<Base, Malformed> {
    if work > 0 {
        reader.base()
    } else {
        Ok(Base::ZERO)
    }
}

fn read_openings(
    reader: &mut Reader<'_>,
    round: &RoundConfig,
    first: bool,
) -> Result<Openings, Malformed> {
    let leaves = round.domain_size >> round.folding_factor;
    let queries = round.num_queries.min(leaves);
    let width = 1 << round.folding_factor;
    if first {
        reader.fits(queries, width * BASE_BYTES)?;
        let rows = (0..queries)
            .map(|_| (0..width).map(|_| reader.base()).collect())
            .collect::<Result<_, _>>()?;
        let proof = read_paths(reader, queries, leaves)?;
        Ok(QueryOpenings::Base(SharedProofOpening { rows, proof }))
    } else {
        reader.fits(queries, width * DEGREE * BASE_BYTES)?;
        let rows = (0..queries)
            .map(|_| reader.extensions(width))
            .collect::<Result<_, _>>()?;
        let proof = read_paths(reader, queries, leaves)?;
        Ok(QueryOpenings::Extension(SharedProofOpening { rows, proof }))
    }
}

fn read_paths(reader: &mut Reader<'_>, queries: usize, leaves: usize) -> Result<Paths, Malformed> {
    let count = reader.word()? as usize;
    if count > queries * leaves.ilog2() as usize {
        return Err(Malformed::Count);
    }
    reader.fits(count, 32)?;
    let sibling_hashes = (0..count)
        .map(|_| reader.array())
        .collect::<Result<_, _>>()?;
    Ok(Paths { sibling_hashes })
}

impl Opening {
    /// Appends the opening's bytes.
    pub fn encode(&self, scheme: &Scheme, out: &mut Writer) {
        out.field("evaluations");
        out.extensions(&self.evaluations());
        encode_run(&self.inner.whir, scheme.config(), out);
    }

    /// Reads an opening of `scheme`. The values of the binding evaluation are the verifier's and not in the bytes.
    pub fn decode(
        scheme: &Scheme,
        binding_evaluation: &BindingEvaluation,
        reader: &mut Reader<'_>,
    ) -> Result<Self, Malformed> {
        let own = reader.extensions(scheme.plan().blocks().len())?;
        let evals = interleaved(own, binding_evaluation.values.clone())
            .into_iter()
            .map(|value| OpeningBatch::new(vec![value], vec![]))
            .collect();
        Ok(Self {
            binds: scheme.profile().binds(),
            inner: Inner {
                whir: decode_run(scheme.config(), reader)?,
                evals,
            },
        })
    }
}

/// Appends all of an opening but the claimed values.
pub(crate) fn encode_run(whir: &Run, config: &Config, out: &mut Writer) {
    out.field("opening: out-of-domain answers");
    out.extensions(&whir.initial_ood_answers);
    out.sumcheck("opening: first sumcheck", &whir.initial_sumcheck);
    for (round, parameters) in whir.rounds.iter().zip(config.round_parameters()) {
        out.field("opening: root of a fold");
        for root in round.commitment.iter().flat_map(MerkleCap::roots) {
            out.bytes.extend_from_slice(root);
        }
        out.field("opening: out-of-domain answers of a fold");
        out.extensions(&round.ood_answers);
        out.witness(parameters.pow_bits, round.pow_witness);
        out.openings(&round.openings);
        out.sumcheck("opening: sumcheck of a fold", &round.sumcheck);
    }
    out.field("opening: last polynomial");
    if let Some(polynomial) = &whir.final_poly {
        out.extensions(polynomial.as_slice());
    }
    out.witness(config.terminal().pow_bits, whir.final_pow_witness);
    out.openings(&whir.final_openings);
    if let Some(data) = &whir.final_sumcheck {
        out.sumcheck("opening: last sumcheck", data);
    }
}

/// Reads what [`encode_run`] appends.
pub(crate) fn decode_run(config: &Config, reader: &mut Reader<'_>) -> Result<Run, Malformed> {
    let initial_ood_answers = reader.extensions(config.commitment_ood_samples())?;
    let initial_sumcheck = read_sumcheck(
        reader,
        config.round_folding_factor(0),
        config.starting_folding_pow_bits(),
    )?;
    let mut rounds = Vec::with_capacity(config.n_rounds());
    for (index, parameters) in config.round_parameters().iter().enumerate() {
        let commitment = MerkleCap::new(vec![reader.array()?]);
        rounds.push(WhirRoundProof {
            commitment: Some(commitment),
            ood_answers: reader.extensions(parameters.ood_samples)?,
            pow_witness: read_witness(reader, parameters.pow_bits)?,
            openings: read_openings(reader, parameters, index == 0)?,
            sumcheck: read_sumcheck(
                reader,
                config.round_folding_factor(index + 1),
                parameters.folding_pow_bits,
            )?,
        });
    }
    let end = config.final_round_config();
    let final_poly = Poly::new(reader.extensions(1 << end.num_variables)?);
    let final_pow_witness = read_witness(reader, config.terminal().pow_bits)?;
    let final_openings = read_openings(reader, &end, config.n_rounds() == 0)?;
    let final_sumcheck = if config.final_sumcheck_rounds() > 0 {
        Some(read_sumcheck(
            reader,
            config.final_sumcheck_rounds(),
            config.final_folding_pow_bits(),
        )?)
    } else {
        None
    };
    Ok(WhirProof {
        initial_ood_answers,
        initial_sumcheck,
        rounds,
        final_poly: Some(final_poly),
        final_pow_witness,
        final_openings,
        final_sumcheck,
    })
}
