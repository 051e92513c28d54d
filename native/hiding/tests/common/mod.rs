//! Vectors of known elements, and claims about them whose values are computed from the elements.
#![allow(dead_code)]

use commitment::columns::evaluate;
use commitment::merkle::Digest;
use commitment::{Malformed, Profile, Reader, Writer};
use hiding::{Claim, Committed, Context, LinearForm, Opening, Randomness, Rejected, Shape, Vector};
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension, Site, Transcript};

/// One opening, before it is made.
pub struct Case {
    pub shape: Shape,
    pub columns: Vec<Vec<Vec<Base>>>,
    pub committed: Vec<Committed>,
    pub claim: Claim,
}

pub fn beside(columns: &[usize], openings: usize, sampled: bool) -> Vector {
    Vector {
        columns: columns.to_vec(),
        openings,
        sampled,
    }
}

pub fn randomness(slot: u64) -> Randomness {
    let nothing = [0; 32];
    let context = Context {
        statement: &nothing,
        witness: &nothing,
        key: &nothing,
        slot,
    };
    Randomness::new(&context).unwrap()
}

pub fn elements(variables: usize, seed: usize) -> Vec<Base> {
    let element = |index: usize| index.wrapping_mul(index + 7 * seed + 1) % 2_130_706_433;
    (0..1_usize << variables)
        .map(|index| Base::from_usize(element(index)))
        .collect()
}

/// What both sides absorb before the claim is fixed.
pub fn begin(profile: Profile, roots: &[Digest]) -> Transcript {
    let mut transcript = Transcript::by(profile.hash());
    transcript.absorb(Site::Witness, roots.as_flattened());
    transcript
}

impl Case {
    pub fn new(fresh: &[usize], others: &[Vector], profile: Profile) -> Self {
        let shape = Shape::new(fresh, others, profile).unwrap();
        let sizes: Vec<&[usize]> = std::iter::once(fresh)
            .chain(others.iter().map(|other| &other.columns[..]))
            .collect();
        let columns: Vec<Vec<Vec<Base>>> = sizes
            .iter()
            .enumerate()
            .map(|(vector, sizes)| {
                let sizes = sizes.iter().enumerate();
                sizes
                    .map(|(column, &variables)| elements(variables, 31 * vector + column))
                    .collect()
            })
            .collect();
        let committed: Vec<Committed> = columns
            .iter()
            .enumerate()
            .map(|(vector, columns)| {
                let columns: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
                let mut randomness = randomness(vector as u64);
                shape.commit(vector, &columns, &mut randomness).unwrap()
            })
            .collect();
        let mut case = Self {
            shape,
            columns,
            committed,
            claim: Claim {
                forms: Vec::new(),
                value: Extension::ZERO,
            },
        };
        case.claim = case.claims();
        case
    }

    pub fn roots(&self) -> Vec<Digest> {
        self.committed.iter().map(Committed::root).collect()
    }

    /// Each column at a point, and some cells of each vector's first one.
    fn claims(&self) -> Claim {
        let mut transcript = begin(self.shape.profile(), &self.roots());
        let mut value = Extension::ZERO;
        let mut forms = Vec::new();
        for columns in &self.columns {
            let mut form = LinearForm::new();
            for (index, column) in columns.iter().enumerate() {
                let point = transcript.point(column.len().ilog2() as usize);
                let scale = transcript.challenge();
                value += scale * evaluate(column, &point);
                form.add_point(index, point, scale);
            }
            let weights = transcript.point(33);
            let cells = columns[0][100..].iter().zip(&weights);
            value += cells
                .map(|(&cell, &weight)| weight * cell)
                .sum::<Extension>();
            form.add_cells(0, 100, weights);
            forms.push(form);
        }
        Claim { forms, value }
    }

    pub fn open(&self) -> Opening {
        let committed: Vec<&Committed> = self.committed.iter().collect();
        self.shape
            .prove_again(&committed, &self.claim, &mut self.begin())
            .unwrap()
    }

    pub fn check(&self, opening: &Opening) -> Result<(), Rejected> {
        let roots = self.roots();
        self.shape
            .verify(&roots, &self.claim, opening, &mut self.begin())
    }

    pub fn begin(&self) -> Transcript {
        begin(self.shape.profile(), &self.roots())
    }

    pub fn encode(&self, opening: &Opening) -> Writer {
        let mut out = Writer::default();
        opening.encode(&self.shape, &mut out);
        out
    }

    pub fn decode(&self, bytes: &[u8]) -> Result<Opening, Malformed> {
        let mut input = Reader::new(bytes);
        let opening = Opening::decode(&self.shape, &mut input)?;
        input.finish()?;
        Ok(opening)
    }
}
