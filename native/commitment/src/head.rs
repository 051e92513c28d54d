//! The first folds of an opening, computed from int8 weights.
//!
//! The library's own layout reads base field tables once for each claim and copies them for each
//! opening. Here the weights stay bytes, shared by all openings. Before the first fold, which takes
//! k variables, a claim needs only the 2^k sums of its table over the other variables; the k rounds
//! run on these, and one pass folds the weights afterwards. What is sent is the same, byte for byte,
//! as a test holds against the library's layout.

use crate::linear::{combine_columns, combine_rows, equality};
use p3_challenger::{FieldChallenger, GrindingChallenger};
use p3_field::{Field, PackedValue, PrimeCharacteristicRing, PrimeField32};
use p3_multilinear_util::point::Point;
use p3_multilinear_util::poly::Poly;
use p3_sumcheck::layout::{
    Layout, LayoutStrategy, PrefixProver, StackedClaims, Table, TablePlacement, Witness,
    plan_stacked_layout,
};
use p3_sumcheck::product_polynomial::ProductPolynomial;
use p3_sumcheck::strategy::{Basis, SumcheckProver, VariableOrder};
use p3_sumcheck::transcript::{ProverTranscript, SumcheckShape};
use p3_sumcheck::{OpeningEvals, OpeningRequest, SumcheckData, TableShape};
use std::sync::Arc;
use transcript::{Base, Extension};

type Library = PrefixProver<Base, Extension>;

/// One table of the stack.
struct Bytes {
    values: Vec<i8>,
    variables: usize,
    /// The last coordinates of the stack at which the table lies, as a number.
    slot: usize,
}

/// The committed tables, shared by all openings.
struct Stack {
    tables: Vec<Bytes>,
    /// Tables in the order in which the stack places them.
    order: Vec<usize>,
    variables: usize,
    folding: usize,
}

/// A claim about a table, or about the stack.
#[derive(Clone)]
pub struct Claim {
    pub(crate) point: Vec<Extension>,
    pub(crate) value: Extension,
    /// For each value of the variables of the first fold, the sum over the others.
    pub(crate) sums: Vec<Extension>,
}

/// The prover's side of the stack during one opening.
#[derive(Clone)]
pub struct Head {
    stack: Arc<Stack>,
    /// The claim of each table that every opening makes anew.
    pins: Arc<[Claim]>,
    claims: Vec<Vec<Claim>>,
    virtuals: Vec<Claim>,
}

impl Stack {
    fn rest(&self) -> usize {
        self.variables - self.folding
    }

    /// What a table is at a point.
    fn claim(&self, table: usize, point: &[Extension]) -> Claim {
        let (high, low) = point.split_at(self.folding);
        let weights = equality(low, 1 << low.len());
        let sums = combine_columns(&weights, &self.tables[table].values);
        Claim {
            point: point.to_vec(),
            value: dot(&equality(high, sums.len()), &sums),
            sums,
        }
    }

    /// Adds `scale` · `values` where table `table` lies in the folded stack.
    fn scatter(&self, table: usize, scale: Extension, values: &[Extension], out: &mut [Extension]) {
        let Bytes {
            variables, slot, ..
        } = self.tables[table];
        let stride = 1 << (self.variables - variables);
        for (out, &value) in out[slot..].iter_mut().step_by(stride).zip(values) {
            *out += scale * value;
        }
    }
}

pub(crate) fn dot(a: &[Extension], b: &[Extension]) -> Extension {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

/// eq of a point and the bits of an index.
pub(crate) fn equality_at(point: &[Extension], index: usize) -> Extension {
    point
        .iter()
        .rev()
        .enumerate()
        .map(|(bit, &x)| {
            if (index >> bit) & 1 == 1 {
                x
            } else {
                Extension::ONE - x
            }
        })
        .product()
}

impl Layout<Base, Extension> for Head {
    fn from_witness(witness: Witness<Base>) -> Self {
        let library = Library::from_witness(witness);
        let folding = library.folding();
        let shapes = library.table_shapes();
        let (variables, placements) = plan_stacked_layout(&shapes);
        let mut tables: Vec<Bytes> = shapes
            .iter()
            .enumerate()
            .map(|(id, shape)| Bytes {
                values: library.table(id).column(0).values().map(byte).collect(),
                variables: shape.num_variables(),
                slot: 0,
            })
            .collect();
        for placement in &placements {
            let selector = placement.selectors()[0];
            let bits = selector.num_variables();
            tables[placement.idx()].slot = (0..bits)
                .map(|bit| ((selector.index() >> bit) & 1) << (bits - 1 - bit))
                .sum();
        }
        Self {
            claims: vec![Vec::new(); tables.len()],
            virtuals: Vec::new(),
            pins: Arc::default(),
            stack: Arc::new(Stack {
                tables,
                order: placements.iter().map(TablePlacement::idx).collect(),
                variables,
                folding,
            }),
        }
    }

    fn new_witness(tables: Vec<Table<Base>>, folding: usize) -> Witness<Base> {
        Library::new_witness(tables, folding)
    }

    fn write_message(witness: &Witness<Base>, folding: usize, message: &mut [Base]) {
        Library::write_message(witness, folding, message);
    }

    fn claims(&self) -> &StackedClaims<Base, Extension> {
        // The library reads this only in the methods that are overridden below.
        unimplemented!("a head over bytes keeps its own claims")
    }

    fn num_claims(&self) -> usize {
        self.claims.iter().map(Vec::len).sum()
    }

    fn num_virtual_claims(&self) -> usize {
        self.virtuals.len()
    }

    fn strategy() -> LayoutStrategy {
        Library::strategy()
    }

    fn folding(&self) -> usize {
        self.stack.folding
    }

    fn num_variables(&self) -> usize {
        self.stack.variables
    }

    fn num_variables_table(&self, id: usize) -> usize {
        self.stack.tables[id].variables
    }

    fn table_shapes(&self) -> Vec<TableShape> {
        let tables = self.stack.tables.iter();
        tables
            .map(|table| TableShape::new(table.variables, 1))
            .collect()
    }

    fn table(&self, _id: usize) -> &Table<Base> {
        // The library hands this out to callers, of which this crate has none.
        unimplemented!("a head over bytes keeps no field elements")
    }

    fn record_opening(
        &mut self,
        table: usize,
        _batch: &OpeningRequest,
        point: &Point<Extension>,
    ) -> OpeningEvals<Extension> {
        let point = point.as_slice();
        let claim = match self.pins.get(table) {
            Some(pin) if pin.point == point => pin.clone(),
            _ => self.stack.claim(table, point),
        };
        let value = claim.value;
        self.claims[table].push(claim);
        OpeningEvals::new(vec![value], Vec::new())
    }

    fn record_opening_known(
        &mut self,
        table: usize,
        batch: &OpeningRequest,
        point: &Point<Extension>,
        _evals: &OpeningEvals<Extension>,
    ) {
        // The sums are needed either way, and the value comes with them.
        self.record_opening(table, batch, point);
    }

    fn record_virtual(&mut self, point: &Point<Extension>) -> Extension {
        let stack = &self.stack;
        let point = point.as_slice();
        let mut sums = vec![Extension::ZERO; 1 << stack.folding];
        let mut weights: Vec<Extension> = Vec::new();
        for &table in &stack.order {
            let table = &stack.tables[table];
            let (local, selector) = point.split_at(table.variables);
            let low = &local[stack.folding..];
            // Tables come in falling size, so that equal ones share their weights.
            if weights.len() != 1 << low.len() {
                weights = equality(low, 1 << low.len());
            }
            let scale = equality_at(selector, table.slot);
            let of_table = combine_columns(&weights, &table.values);
            for (sum, value) in sums.iter_mut().zip(of_table) {
                *sum += scale * value;
            }
        }
        let value = dot(&equality(&point[..stack.folding], sums.len()), &sums);
        self.virtuals.push(Claim {
            point: point.to_vec(),
            value,
            sums,
        });
        value
    }

    fn into_sumcheck<Ch>(
        self,
        sumcheck_data: &mut SumcheckData<Base, Extension>,
        pow_bits: usize,
        challenger: &mut Ch,
    ) -> (SumcheckProver<Base, Extension>, Point<Extension>)
    where
        Ch: FieldChallenger<Base> + GrindingChallenger<Witness = Base>,
    {
        let folding = self.stack.folding;
        let batching = self.batching_challenge(challenger);
        let of_tables = self.stack.order.iter().flat_map(|&table| {
            let claims = self.claims[table].iter();
            claims.map(move |claim| (Some(table), claim))
        });
        let claims: Vec<(Option<usize>, &Claim)> = of_tables
            .chain(self.virtuals.iter().map(|claim| (None, claim)))
            .collect();
        let all: Vec<&Claim> = claims.iter().map(|&(_, claim)| claim).collect();
        let (sum, point, scales) =
            first_rounds(&all, folding, batching, sumcheck_data, pow_bits, challenger);
        let product = self.folded(&point, claims.iter().copied().zip(scales));
        (SumcheckProver::new(product, sum), Point::new(point))
    }
}

impl Head {
    /// Computes the first tables at points that every opening will ask for, and keeps the sums:
    /// an opening then reads no weight for them.
    pub fn pin(&mut self, points: &[Point<Extension>]) -> Vec<Extension> {
        let points = points.iter().enumerate();
        self.pins = points
            .map(|(table, point)| self.stack.claim(table, point.as_slice()))
            .collect();
        self.pins.iter().map(|pin| pin.value).collect()
    }

    /// The stack after the first fold, and the weights of all claims over it.
    fn folded<'a>(
        &self,
        point: &[Extension],
        claims: impl Iterator<Item = ((Option<usize>, &'a Claim), Extension)>,
    ) -> ProductPolynomial<Base, Extension> {
        let stack = &self.stack;
        let rest = stack.rest();
        let rows = equality(point, 1 << stack.folding);
        let mut values = vec![Extension::ZERO; 1 << rest];
        for (id, table) in stack.tables.iter().enumerate() {
            let width = 1 << (table.variables - stack.folding);
            let folded = combine_rows(&rows, &table.values, width);
            stack.scatter(id, Extension::ONE, &folded, &mut values);
        }
        let mut weights = vec![Extension::ZERO; 1 << rest];
        for ((table, claim), scale) in claims {
            let low = &claim.point[stack.folding..];
            let of_claim = equality(low, 1 << low.len());
            match table {
                Some(table) => stack.scatter(table, scale, &of_claim, &mut weights),
                None => {
                    for (weight, value) in weights.iter_mut().zip(of_claim) {
                        *weight += scale * value;
                    }
                }
            }
        }
        product(values, weights)
    }
}

/// What is left to be summed after the first fold, as the library takes it over.
pub(crate) fn product(
    values: Vec<Extension>,
    weights: Vec<Extension>,
) -> ProductPolynomial<Base, Extension> {
    let packs = values.len() >= <Base as Field>::Packing::WIDTH;
    let (values, weights) = (Poly::new(values), Poly::new(weights));
    if packs {
        let pack = |poly: Poly<Extension>| poly.pack::<Base, Extension>();
        ProductPolynomial::new_packed(VariableOrder::Prefix, pack(values), pack(weights))
    } else {
        ProductPolynomial::new_unpacked(VariableOrder::Prefix, values, weights)
    }
}

/// The rounds of the first fold over all claims with powers of `batching`: the claim that is left,
/// the point, and by how much each claim counts after it.
pub(crate) fn first_rounds<Ch>(
    claims: &[&Claim],
    folding: usize,
    batching: Extension,
    sumcheck_data: &mut SumcheckData<Base, Extension>,
    pow_bits: usize,
    challenger: &mut Ch,
) -> (Extension, Vec<Extension>, Vec<Extension>)
where
    Ch: FieldChallenger<Base> + GrindingChallenger<Witness = Base>,
{
    let powers: Vec<Extension> =
        std::iter::successors(Some(Extension::ONE), |&power| Some(power * batching))
            .take(claims.len())
            .collect();
    let mut sum = Extension::ZERO;
    // Claims with the same first coordinates share their weights.
    let mut firsts: Vec<&[Extension]> = Vec::new();
    let mut products: Vec<(Vec<Extension>, Vec<Extension>)> = Vec::new();
    let mut product_of = Vec::with_capacity(claims.len());
    for (&claim, &power) in claims.iter().zip(&powers) {
        sum += power * claim.value;
        let first = &claim.point[..folding];
        let known = firsts.iter().position(|&other| other == first);
        let index = known.unwrap_or_else(|| {
            firsts.push(first);
            let nothing = vec![Extension::ZERO; 1 << folding];
            products.push((nothing, equality(first, 1 << folding)));
            products.len() - 1
        });
        for (total, &value) in products[index].0.iter_mut().zip(&claim.sums) {
            *total += power * value;
        }
        product_of.push(index);
    }

    let shape = SumcheckShape::new(folding, pow_bits, Basis::Evaluation);
    let mut transcript = ProverTranscript::<Ch, Base, Extension>::new(challenger, shape);
    let mut point = Vec::with_capacity(folding);
    for _ in 0..folding {
        let [constant, leading] = round(&products);
        let x = sumcheck_data.observe_and_sample(&mut transcript, constant, leading);
        sum = constant + x * (sum - constant.double() - leading + x * leading);
        for (sums, weights) in &mut products {
            fold(sums, x);
            fold(weights, x);
        }
        point.push(x);
    }
    transcript.finish();
    let scales = product_of
        .into_iter()
        .zip(powers)
        .map(|(index, power)| products[index].1[0] * power)
        .collect();
    (sum, point, scales)
}

/// An int8 weight out of the field element that it was made.
fn byte(element: Base) -> i8 {
    let value = element.as_canonical_u32();
    if value > Base::ORDER_U32 / 2 {
        (Base::ORDER_U32 - value).wrapping_neg() as i8
    } else {
        value as i8
    }
}

fn round(products: &[(Vec<Extension>, Vec<Extension>)]) -> [Extension; 2] {
    let mut round = [Extension::ZERO; 2];
    for (sums, weights) in products {
        let half = sums.len() / 2;
        let (f0, f1) = sums.split_at(half);
        let (t0, t1) = weights.split_at(half);
        for ((&f0, &f1), (&t0, &t1)) in f0.iter().zip(f1).zip(t0.iter().zip(t1)) {
            round[0] += f0 * t0;
            round[1] += (f1 - f0) * (t1 - t0);
        }
    }
    round
}

fn fold(table: &mut Vec<Extension>, x: Extension) {
    let half = table.len() / 2;
    let (low, high) = table.split_at_mut(half);
    for (low, &high) in low.iter_mut().zip(high.iter()) {
        *low += x * (high - *low);
    }
    table.truncate(half);
}

#[cfg(test)]
mod tests {
    use super::{Extension, Head, Layout, Library, byte};
    use p3_field::PrimeCharacteristicRing;
    use p3_matrix::dense::RowMajorMatrix;
    use p3_multilinear_util::point::Point;
    use p3_sumcheck::layout::Table;
    use p3_sumcheck::{OpeningBatch, SumcheckData};
    use transcript::{Base, Site, Transcript};

    /// All that a layout sends and hands over.
    fn run<L: Layout<Base, Extension>>(
        sizes: &[usize],
        folding: usize,
        pin: impl Fn(&mut L, &[Point<Extension>]),
    ) -> Vec<Extension> {
        let tables = sizes
            .iter()
            .map(|&variables| {
                let values = (0..1_usize << variables)
                    .map(|index| Base::from_i8((index * index * 31 % 256) as u8 as i8))
                    .collect();
                Table::new(RowMajorMatrix::new(values, 1 << variables))
            })
            .collect();
        let mut layout = L::from_witness(L::new_witness(tables, folding));
        let mut transcript = Transcript::new();
        transcript.absorb(Site::Key, b"head");
        let pinned: Vec<Point<Extension>> = sizes
            .iter()
            .take(sizes.len() - 1)
            .map(|&variables| Point::new(transcript.point(variables)))
            .collect();
        pin(&mut layout, &pinned);
        let mut sent = vec![layout.add_virtual_eval(transcript.sponge())];
        // The last table is not opened.
        for (table, &variables) in sizes.iter().enumerate().take(sizes.len() - 1) {
            let point = Point::new(transcript.point(variables));
            let batch = OpeningBatch::new(vec![0], vec![]);
            for point in [&point, &pinned[table]] {
                let values = layout.eval_at(table, &batch, point, transcript.sponge());
                sent.extend(values.current());
            }
        }
        let mut data = SumcheckData::default();
        let (mut prover, point) = layout.into_sumcheck(&mut data, 0, transcript.sponge());
        sent.extend(data.polynomial_evaluations.iter().flatten());
        sent.extend(point.iter());
        sent.push(prover.claimed_sum());
        sent.extend(prover.evals().as_slice());
        sent.extend(prover.weights().as_slice());
        sent.push(transcript.challenge());
        sent
    }

    #[test]
    fn the_head_sends_and_leaves_what_the_library_does() {
        for (sizes, folding) in [
            (&[9, 12, 9, 10, 9][..], 7),
            (&[11, 13, 9, 9][..], 8),
            (&[9, 9][..], 9),
        ] {
            let expected = run::<Library>(sizes, folding, |_, _| ());
            assert_eq!(run::<Head>(sizes, folding, |_, _| ()), expected);
            let pin = |head: &mut Head, points: &[Point<Extension>]| {
                head.pin(points);
            };
            assert_eq!(run::<Head>(sizes, folding, pin), expected);
        }
    }

    #[test]
    fn bytes_come_back_from_field_elements() {
        for value in i8::MIN..=i8::MAX {
            assert_eq!(byte(Base::from_i8(value)), value);
        }
    }
}
