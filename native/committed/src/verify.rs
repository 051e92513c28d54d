//! The verifier.

use crate::{Key, Proof, Public, Rejection};
use claim_reduction::{LookupClaim, MIN_VARIABLES, Opened, Problem, Verifier, reduce};
use commitment::columns::ColumnValue;
use graph::elements;
use lookup::Claims;
use p3_field::PrimeCharacteristicRing;
use transcript::{Extension, Transcript};

impl Key {
    /// Checks that `proof` shows the graph to map `public.inputs` to `public.outputs`, for
    /// `public.statement`.
    pub fn verify(&self, public: &Public<'_>, proof: &[u8]) -> Result<(), Rejection> {
        self.verify_with(public, proof, &mut Transcript::new())
    }

    /// The same with a transcript that a test has prepared.
    #[cfg(feature = "audit")]
    pub fn verify_audited(
        &self,
        public: &Public<'_>,
        proof: &[u8],
        transcript: &mut Transcript,
    ) -> Result<(), Rejection> {
        self.verify_with(public, proof, transcript)
    }

    fn verify_with(
        &self,
        public: &Public<'_>,
        proof: &[u8],
        transcript: &mut Transcript,
    ) -> Result<(), Rejection> {
        self.check_public(public)?;
        let proof = Proof::decode(self, proof)?;
        self.begin(public, &proof.witness, transcript);
        let looked = self.argument().verify(&proof.lookups, transcript)?;
        let lookup_claims = lookup_claims(&looked);
        let problem = self.problem(public, &lookup_claims);
        let mut side = Verifier::new(&proof.reduction, transcript);
        let opened = reduce(&mut side, &problem)?;
        side.finish()?;

        let claims = self.column_claims(&opened, &looked);
        self.columns()
            .verify(&proof.witness, &proof.columns, &claims, transcript)
            .map_err(|rejected| Rejection::WitnessOpening(rejected.0))?;
        let points: Vec<_> = opened
            .matrices
            .iter()
            .map(|claim| claim.point.clone())
            .collect();
        let claimed: Vec<Extension> = opened.matrices.iter().map(|claim| claim.value).collect();
        if points.len() != self.contractions().len() {
            return Err(Rejection::WeightOpening("a matrix has no claim".to_owned()));
        }
        let values = self
            .scheme()
            .verify(
                &self.root(),
                self.binding_evaluation(),
                &proof.weights,
                &points,
                transcript,
            )
            .map_err(|rejected| Rejection::WeightOpening(rejected.0))?;
        if values == claimed {
            Ok(())
        } else {
            Err(Rejection::WeightOpening("it is of other values".to_owned()))
        }
    }

    fn check_public(&self, public: &Public<'_>) -> Result<(), Rejection> {
        let graph = self.graph();
        let count = graph.inputs.len().max(public.inputs.len());
        for number in 0..count {
            let fits = graph.inputs.get(number).zip(public.inputs.get(number));
            if !fits
                .is_some_and(|(input, values)| fits_in(values, &input.shape, input.lo, input.hi))
            {
                return Err(Rejection::Input(number));
            }
        }
        let count = graph.outputs.len().max(public.outputs.len());
        for number in 0..count {
            let known = graph.outputs.get(number).and_then(|&id| graph.tensor(id));
            let fits = known.zip(public.outputs.get(number));
            if !fits.is_some_and(|((shape, lo, hi), values)| fits_in(values, shape, lo, hi)) {
                return Err(Rejection::Output(number));
            }
        }
        Ok(())
    }

    pub(crate) fn problem<'a>(
        &'a self,
        public: &Public<'a>,
        lookup_claims: &'a [LookupClaim],
    ) -> Problem<'a> {
        Problem {
            graph: self.graph(),
            plan: self.plan(),
            contractions: self.contractions(),
            inputs: public.inputs,
            outputs: public.outputs,
            lookup_claims,
        }
    }

    /// All claims on columns, in the order of their opening: of the reduction, of multiplicities.
    pub(crate) fn column_claims(&self, opened: &Opened, looked: &Claims) -> Vec<ColumnValue> {
        let of_columns = opened.columns.iter().map(|claim| ColumnValue {
            column: claim.column,
            point: claim.point.clone(),
            value: claim.value,
        });
        let first = self.plan().columns.len();
        let of_tables = looked.multiplicities.iter().enumerate();
        let of_tables = of_tables.map(|(table, claim)| {
            let before = MIN_VARIABLES.saturating_sub(claim.point.len());
            let mut point = vec![Extension::ZERO; before];
            point.extend_from_slice(&claim.point);
            ColumnValue {
                column: first + table,
                point,
                value: claim.value,
            }
        });
        of_columns.chain(of_tables).collect()
    }
}

/// What the reduction needs of the lookup argument's claims.
pub(crate) fn lookup_claims(looked: &Claims) -> Vec<LookupClaim> {
    let claims = looked.columns.iter();
    claims
        .map(|claim| LookupClaim {
            point: claim.point.clone(),
            key: claim.key,
            value: claim.value.unwrap_or(Extension::ZERO),
        })
        .collect()
}

fn fits_in(values: &[i32], shape: &[usize], lo: i32, hi: i32) -> bool {
    values.len() == elements(shape) && values.iter().all(|value| (lo..=hi).contains(value))
}
