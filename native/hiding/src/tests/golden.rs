//! What comes after the first fold, against the library: with the same challenges, its verifier accepts
//! what this prover sends for plain data, and both reject the same changes.

use super::{Frozen, stream};
use crate::channel::{Channel, spread_point};
use crate::code::{Code, Message, Salts};
use crate::form::equal;
use crate::later::{self, First, Folding, follow};
use crate::leaves::{TreeOpening, TreeShape, combined, extensions};
use crate::opening::{Later, Round};
use crate::schedule::{Queries, Schedule};
use commitment::Profile;
use commitment::merkle::Digest;
use p3_blake3::Blake3;
use p3_challenger::{
    CanObserve, CanSample, CanSampleBits, CanSampleUniformBits, FieldChallenger,
    GrindingChallenger, ResamplingError,
};
use p3_dft::Radix2DFTSmallBatch;
use p3_field::PrimeCharacteristicRing;
use p3_merkle_tree::{MerkleTreeMmcs, PrunedMerklePaths};
use p3_multilinear_util::point::Point;
use p3_multilinear_util::poly::Poly;
use p3_security::SecurityAssumption;
use p3_sumcheck::layout::PrefixProver;
use p3_sumcheck::{
    OpeningBatch, OpeningProtocol, PrescribedPointPcs, SumcheckData, TableShape, TableSpec,
};
use p3_symmetric::{CompressionFunctionFromHasher, MerkleCap, SerializingHasher};
use p3_whir::{
    FoldingFactor, PcsProof, ProtocolParameters, QueryOpenings, SharedProofOpening, WhirConfig,
    WhirProof, WhirProver, WhirRoundProof,
};
use sumcheck::{dot, equality, powers};
use transcript::{Base, Extension, HashFunction};

type Mmcs = MerkleTreeMmcs<
    Base,
    u8,
    SerializingHasher<Blake3>,
    CompressionFunctionFromHasher<Blake3, 2, 32>,
    2,
    32,
>;
type Library = WhirProver<
    Extension,
    Base,
    Radix2DFTSmallBatch<Base>,
    Mmcs,
    Frozen,
    PrefixProver<Base, Extension>,
>;

impl CanObserve<Base> for Frozen {
    fn observe(&mut self, _: Base) {}
}

impl CanObserve<MerkleCap<Base, Digest>> for Frozen {
    fn observe(&mut self, _: MerkleCap<Base, Digest>) {}
}

impl CanSample<Base> for Frozen {
    fn sample(&mut self) -> Base {
        self.base()
    }
}

impl CanSampleBits<usize> for Frozen {
    fn sample_bits(&mut self, bits: usize) -> usize {
        self.bits(bits)
    }
}

impl CanSampleUniformBits<Base> for Frozen {
    fn sample_uniform_bits<const RESAMPLE: bool>(
        &mut self,
        bits: usize,
    ) -> Result<usize, ResamplingError> {
        Ok(self.bits(bits))
    }
}

impl FieldChallenger<Base> for Frozen {}

impl GrindingChallenger for Frozen {
    type Witness = Base;

    fn grind(&mut self, _: usize) -> Base {
        Base::ZERO
    }

    fn check_witness(&mut self, _: usize, witness: Base) -> bool {
        witness == Base::ZERO
    }
}

/// A plain opening: no masks, several claims.
struct Plain {
    variables: usize,
    fold: usize,
    schedule: Schedule,
    library: Library,
    points: Vec<Vec<Extension>>,
    values: Vec<Extension>,
    root: Digest,
    answers: Vec<Extension>,
    rounds: Vec<Round>,
    later: Later,
}

fn config(
    variables: usize,
    claims: usize,
    profile: Profile,
) -> WhirConfig<Extension, Base, Frozen> {
    let parameters = ProtocolParameters {
        starting_log_inv_rate: 2,
        round_log_inv_rates: vec![3, 5, 6, 7][..(variables - 6).div_ceil(3) - 2].to_vec(),
        folding_factor: FoldingFactor::ConstantFromSecondRound(6, 3),
        soundness_type: match profile {
            Profile::Conservative => SecurityAssumption::UniqueDecoding,
            Profile::Default | Profile::Evm => SecurityAssumption::JohnsonBound,
        },
        security_level: 90,
        pow_bits: 10,
    };
    WhirConfig::new_with_initial_claims(variables, parameters, claims).unwrap()
}

fn schedule(config: &WhirConfig<Extension, Base, Frozen>, fold: usize) -> Schedule {
    let rounds = config.round_parameters().iter().enumerate();
    Schedule {
        hash: HashFunction::Blake3,
        rows: config.num_variables() - fold,
        rate: config.starting_log_inv_rate,
        samples: config.commitment_ood_samples(),
        rounds: rounds
            .map(|(index, round)| crate::schedule::Round {
                queries: Queries {
                    count: round.num_queries,
                    work: round.pow_bits,
                },
                samples: round.ood_samples,
                fold: config.round_folding_factor(index + 1),
                rate: round.log_inv_rate,
            })
            .collect(),
        end: Queries {
            count: config.terminal().num_queries,
            work: config.terminal().pow_bits,
        },
    }
}

impl Plain {
    fn new(variables: usize, claims: usize, profile: Profile) -> Self {
        let config = config(variables, claims, profile);
        let fold = config.round_folding_factor(0);
        let schedule = schedule(&config, fold);
        let mut randomness = stream(3);
        let cells = randomness.bases(1 << variables);
        let points: Vec<_> = (0..claims)
            .map(|_| randomness.extensions(variables))
            .collect();
        let tables = points.iter().map(|point| equality(point, cells.len()));
        let values: Vec<_> = tables.map(|table| combined(&table, &cells)).collect();
        let height = cells.len() >> fold;
        let message: Vec<Base> = (0..height)
            .flat_map(|row| cells[row..].iter().step_by(height).copied())
            .collect();
        let message = Message {
            rows: schedule.rows,
            width: 1 << fold,
            values: &message,
            tail: &[],
        };
        let code = Code::new(schedule.hash, &message, Salts::default(), schedule.rate);

        let mut channel = Frozen::new(9);
        let elements: Vec<Extension> = cells.iter().map(|&cell| cell.into()).collect();
        let mut weights: Vec<_> = points
            .iter()
            .map(|point| equality(point, cells.len()))
            .collect();
        let mut answers = Vec::new();
        for _ in 0..schedule.samples {
            let table = equality(&spread_point(&mut channel, variables), cells.len());
            answers.push(dot(&table, &elements));
            weights.push(table);
        }
        let powers = powers(channel.challenge(), weights.len());
        let mut table = vec![Extension::ZERO; cells.len()];
        for (weights, &power) in weights.iter().zip(&powers) {
            sumcheck::add_scaled(&mut table, power, weights);
        }
        let mut folding = Folding::new(elements, table);
        folding.fold(fold, &mut channel);
        let rounds = folding.rounds.clone();
        let (folded, weights) = folding.tables();
        let open = |indices: &[usize]| vec![code.open(indices)];
        let later = later::prove(&schedule, folded, weights, open, &mut channel);
        let mmcs = Mmcs::new(
            SerializingHasher::new(Blake3),
            CompressionFunctionFromHasher::new(Blake3),
            0,
        );
        Self {
            variables,
            fold,
            schedule,
            library: Library::new(config, Radix2DFTSmallBatch::default(), mmcs),
            points,
            values,
            root: code.root(),
            answers,
            rounds,
            later,
        }
    }

    /// Whether this crate's verifier accepts.
    fn accepted_here(&self) -> bool {
        let mut channel = Frozen::new(9);
        let samples: Vec<_> = (0..self.schedule.samples)
            .map(|_| spread_point(&mut channel, self.variables))
            .collect();
        let powers = powers(channel.challenge(), self.values.len() + samples.len());
        let values = [&self.values[..], &self.answers].concat();
        let (claim, coordinates) = follow(dot(&powers, &values), &self.rounds, &mut channel);
        let of_columns = equality(&coordinates, 1 << self.fold);
        let first = First {
            trees: vec![TreeShape {
                leaves: self.schedule.rows + self.schedule.rate,
                width: 1 << self.fold,
            }],
            roots: &[self.root],
            value: |_: usize, leaves: &[&[Base]]| combined(&of_columns, leaves[0]),
        };
        let weights = |rows: &[Extension]| {
            let point = [&coordinates[..], rows].concat();
            let all = self.points.iter().chain(&samples).zip(&powers);
            all.map(|(at, &power)| power * equal(at, &point)).sum()
        };
        let later = &self.later;
        later::verify(&self.schedule, claim, later, &first, weights, &mut channel).is_ok()
    }

    /// Whether that of the library does.
    fn accepted_there(&self) -> bool {
        let table = TableSpec::new(
            TableShape::new(self.variables, 1),
            vec![OpeningBatch::new(vec![0], vec![]); self.points.len()],
        );
        let later = &self.later;
        let rounds = later.rounds.iter().enumerate();
        let rounds = rounds.map(|(index, round)| WhirRoundProof {
            commitment: Some(MerkleCap::new(vec![round.root])),
            ood_answers: round.answers.clone(),
            pow_witness: round.work,
            openings: openings(&round.leaves[0], index == 0),
            sumcheck: data(&round.fold),
        });
        let whir = WhirProof {
            initial_ood_answers: self.answers.clone(),
            initial_sumcheck: data(&self.rounds),
            rounds: rounds.collect(),
            final_poly: Some(Poly::new(later.last.clone())),
            final_pow_witness: later.work,
            final_openings: openings(&later.leaves[0], later.rounds.is_empty()),
            final_sumcheck: (!later.fold.is_empty()).then(|| data(&later.fold)),
        };
        let values = self.values.iter();
        let values = values.map(|&value| OpeningBatch::new(vec![value], vec![]));
        let proof = PcsProof {
            whir,
            evals: values.collect(),
        };
        let points: Vec<_> = self.points.iter().cloned().map(Point::new).collect();
        self.library
            .verify_at(
                &MerkleCap::new(vec![self.root]),
                &proof,
                &OpeningProtocol::new(vec![table]),
                &points,
                &mut Frozen::new(9),
            )
            .is_ok()
    }

    fn rejected(mut self, change: impl FnOnce(&mut Self)) {
        change(&mut self);
        assert!(!self.accepted_here());
        assert!(!self.accepted_there());
    }
}

fn data(rounds: &[Round]) -> SumcheckData<Base, Extension> {
    SumcheckData {
        polynomial_evaluations: rounds.to_vec(),
        pow_witnesses: Vec::new(),
    }
}

fn openings(
    opening: &TreeOpening,
    first: bool,
) -> QueryOpenings<Base, Extension, PrunedMerklePaths<u8, 32>> {
    let proof = PrunedMerklePaths {
        sibling_hashes: opening.siblings.clone(),
    };
    if first {
        let rows = opening.rows.clone();
        QueryOpenings::Base(SharedProofOpening { rows, proof })
    } else {
        let rows = opening.rows.iter().map(|row| extensions(row)).collect();
        QueryOpenings::Extension(SharedProofOpening { rows, proof })
    }
}

#[test]
fn the_librarys_verifier_accepts_what_this_prover_sends() {
    for profile in Profile::OFF_CHAIN {
        for (variables, claims) in [(13, 1), (15, 4), (16, 2), (18, 3)] {
            let plain = Plain::new(variables, claims, profile);
            assert!(plain.accepted_there(), "{variables} {profile:?}");
            assert!(plain.accepted_here(), "{variables} {profile:?}");
        }
    }
}

#[test]
fn both_verifiers_reject_the_same_changes() {
    let plain = || Plain::new(15, 3, Profile::Default);
    let one = Extension::ONE;
    plain().rejected(|plain| plain.values[1] += one);
    plain().rejected(|plain| plain.answers[0] += one);
    plain().rejected(|plain| plain.root[9] ^= 1);
    plain().rejected(|plain| plain.rounds[2][0] += one);
    plain().rejected(|plain| plain.rounds[5][1] += one);
    plain().rejected(|plain| plain.later.rounds[0].root[0] ^= 1);
    plain().rejected(|plain| plain.later.rounds[0].answers[0] += one);
    plain().rejected(|plain| plain.later.rounds[0].work += Base::ONE);
    plain().rejected(|plain| plain.later.rounds[0].fold[0][1] += one);
    plain().rejected(|plain| plain.later.rounds[0].leaves[0].rows[3][2] += Base::ONE);
    plain().rejected(|plain| plain.later.rounds[0].leaves[0].siblings[0][0] ^= 1);
    plain().rejected(|plain| plain.later.last[1] += one);
    plain().rejected(|plain| plain.later.leaves[0].rows[0][0] += Base::ONE);
    plain().rejected(|plain| plain.later.work += Base::ONE);
    plain().rejected(|plain| plain.later.fold[0][0] += one);
}
