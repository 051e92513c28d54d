//! Completeness on random shapes, and one rejection for each way to cheat.

use commitment::{Malformed, Reader, Writer};
use lookup::{
    Argument, Claims, Column, Engine, Lookup, Proof, ProveError, Reference, Rejection, Simd, Table,
};
use p3_field::{Field, PrimeCharacteristicRing};
use sumcheck::equality;
use transcript::{Base, Extension, Site, Transcript};

/// Tables, columns and what a commitment would have bound of them.
struct Case {
    argument: Argument,
    keys: Vec<Vec<Base>>,
    values: Vec<Vec<Base>>,
    multiplicities: Vec<Vec<Base>>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

fn columns<'a>(keys: &'a [Vec<Base>], values: &'a [Vec<Base>]) -> Vec<Column<'a>> {
    let pairs = keys.iter().zip(values);
    pairs
        .map(|(keys, values)| Column { keys, values })
        .collect()
}

impl Case {
    fn new(seed: u64, tables: Vec<Table>, variables: &[usize]) -> Self {
        let mut random = Random(seed);
        let lookups: Vec<Lookup> = variables
            .iter()
            .map(|&variables| Lookup {
                table: random.below(tables.len()),
                variables,
            })
            .collect();
        let mut keys = Vec::new();
        let mut values = Vec::new();
        for lookup in &lookups {
            let rows = 1 << lookup.variables;
            let entries: Vec<usize> = (0..rows)
                .map(|_| random.below(tables[lookup.table].entries()))
                .collect();
            match &tables[lookup.table] {
                Table::Range { .. } => {
                    keys.push(
                        entries
                            .iter()
                            .map(|&entry| Base::from_usize(entry))
                            .collect(),
                    );
                    values.push(Vec::new());
                }
                Table::Function {
                    first,
                    values: table,
                } => {
                    let key = |&entry: &usize| Base::from_i32(first + entry as i32);
                    keys.push(entries.iter().map(key).collect());
                    values.push(
                        entries
                            .iter()
                            .map(|&entry| Base::from_i32(table[entry]))
                            .collect(),
                    );
                }
            }
        }
        let argument = Argument::new(tables, lookups).unwrap();
        let multiplicities = argument.multiplicities(&columns(&keys, &values)).unwrap();
        Self {
            argument,
            keys,
            values,
            multiplicities,
        }
    }

    fn small(seed: u64) -> Self {
        let function = Table::Function {
            first: -60,
            values: (0..100).map(|j| (j - 50) * j).collect(),
        };
        Self::new(
            seed,
            vec![Table::Range { bits: 8 }, function],
            &[7, 9, 8, 7, 7],
        )
    }

    /// A transcript that has absorbed what the trees are about.
    fn transcript(&self) -> Transcript {
        let mut transcript = Transcript::new();
        let all = self
            .keys
            .iter()
            .chain(&self.values)
            .chain(&self.multiplicities);
        let elements: Vec<Extension> = all.flatten().map(|&element| element.into()).collect();
        transcript.absorb_elements(Site::Witness, &elements);
        transcript
    }

    fn prove_with<E: Engine>(&self, transcript: &mut Transcript) -> (Proof, Claims) {
        let columns = columns(&self.keys, &self.values);
        E::prove(&self.argument, &columns, &self.multiplicities, transcript).unwrap()
    }

    fn prove(&self) -> (Proof, Claims) {
        self.prove_with::<Reference>(&mut self.transcript())
    }

    /// What a verifier with an ideal commitment says.
    fn verdict(&self, proof: &Proof) -> Result<Claims, Option<Rejection>> {
        let claims = self
            .argument
            .verify(proof, &mut self.transcript())
            .map_err(Some)?;
        if self.opens(&claims) {
            Ok(claims)
        } else {
            Err(None)
        }
    }

    fn opens(&self, claims: &Claims) -> bool {
        let at = |values: &[Base], point: &[Extension]| -> Extension {
            let weights = equality(point, values.len());
            weights.iter().zip(values).map(|(&w, &v)| w * v).sum()
        };
        let columns = claims
            .columns
            .iter()
            .zip(self.keys.iter().zip(&self.values));
        let counts = claims.multiplicities.iter().zip(&self.multiplicities);
        columns.into_iter().all(|(claim, (keys, values))| {
            claim.key == at(keys, &claim.point)
                && claim
                    .value
                    .is_none_or(|value| value == at(values, &claim.point))
        }) && counts
            .into_iter()
            .all(|(claim, counts)| claim.value == at(counts, &claim.point))
    }
}

#[test]
fn random_shapes_are_proven_and_both_provers_agree() {
    let mut random = Random(5);
    for seed in 0..25 {
        let tables = (0..=random.below(4))
            .map(|_| match random.below(2) {
                0 => Table::Range {
                    bits: random.below(11),
                },
                _ => Table::Function {
                    first: random.below(2000) as i32 - 1000,
                    values: (0..=random.below(600))
                        .map(|_| random.below(9999) as i32 - 5000)
                        .collect(),
                },
            })
            .collect();
        let variables: Vec<usize> = (0..=random.below(9)).map(|_| 7 + random.below(5)).collect();
        let case = Case::new(seed, tables, &variables);
        let mut reference = case.transcript();
        let (proof, claims) = case.prove_with::<Reference>(&mut reference);
        assert_eq!(case.verdict(&proof), Ok(claims.clone()), "{variables:?}");
        let mut simd = case.transcript();
        let (other, others) = case.prove_with::<Simd>(&mut simd);
        assert!(other == proof && others == claims, "{variables:?}");
        assert_eq!(reference.challenge(), simd.challenge());

        let mut out = Writer::default();
        proof.encode(&mut out);
        let mut reader = Reader::new(&out.bytes);
        assert_eq!(Proof::decode(&case.argument, &mut reader), Ok(proof));
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn every_element_of_a_proof_is_bound() {
    let case = Case::small(1);
    let (proof, _) = case.prove();
    assert!(case.verdict(&proof).is_ok());
    let one = Extension::ONE;
    for depth in 0..proof.layers.len() {
        for place in 0..2 * depth {
            let mut bad = proof.clone();
            bad.layers[depth].rounds[place / 2][place % 2] += one;
            assert_eq!(case.verdict(&bad), Err(Some(Rejection::Layer(depth))));
        }
        for place in 0..proof.layers[depth].children.len() {
            let mut bad = proof.clone();
            bad.layers[depth].children[place] += one;
            let expected = if depth == 0 {
                Rejection::Sum
            } else {
                Rejection::Layer(depth)
            };
            assert_eq!(case.verdict(&bad), Err(Some(expected)), "{depth} {place}");
        }
    }
    for place in 0..proof.columns.len() {
        let mut bad = proof.clone();
        bad.columns[place] += one;
        assert_eq!(case.verdict(&bad), Err(Some(Rejection::Columns)));
    }
    for place in 0..proof.multiplicities.len() {
        let mut bad = proof.clone();
        bad.multiplicities[place] += one;
        assert_eq!(case.verdict(&bad), Err(Some(Rejection::Tables)));
    }
}

#[test]
fn claims_that_hold_together_but_are_not_the_columns_do_not_open() {
    let case = Case::small(2);
    let (proof, claims) = case.prove();
    // Two keys of one size share their weight but for the slot: shift one against the other.
    let mut bad = proof.clone();
    let position = |lookup: usize| -> usize {
        claims.columns[..lookup]
            .iter()
            .map(|c| 1 + usize::from(c.value.is_some()))
            .sum()
    };
    bad.columns.swap(position(0), position(3));
    assert!(matches!(
        case.verdict(&bad),
        Err(Some(Rejection::Columns) | None)
    ));
}

#[test]
fn a_proof_of_another_shape_is_rejected() {
    let case = Case::small(3);
    let (proof, _) = case.prove();
    let shape = Err(Some(Rejection::Shape));
    let mut bad = proof.clone();
    bad.layers.pop();
    assert_eq!(case.verdict(&bad), shape);
    let mut bad = proof.clone();
    bad.layers[3].rounds.push([Extension::ONE; 2]);
    assert_eq!(case.verdict(&bad), shape);
    for depth in [0, 4, proof.layers.len() - 1] {
        let mut bad = proof.clone();
        bad.layers[depth].children.pop();
        assert_eq!(case.verdict(&bad), shape);
    }
    for change in [0, 1] {
        let mut bad = proof.clone();
        let values = if change == 0 {
            &mut bad.columns
        } else {
            &mut bad.multiplicities
        };
        values.push(Extension::ONE);
        assert_eq!(case.verdict(&bad), shape);
    }
    assert_eq!(case.verdict(&Proof::default()), shape);
}

#[test]
fn bytes_have_one_form() {
    let case = Case::small(4);
    let mut out = Writer::default();
    case.prove().0.encode(&mut out);
    let decode = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes);
        let proof = Proof::decode(&case.argument, &mut reader)?;
        reader.finish().map(|()| proof)
    };
    assert!(decode(&out.bytes).is_ok());
    for length in (0..out.bytes.len()).step_by(97) {
        assert_eq!(decode(&out.bytes[..length]), Err(Malformed::Short));
    }
    assert_eq!(
        decode(&[&out.bytes[..], &[0]].concat()),
        Err(Malformed::Long)
    );
    let mut bytes = out.bytes.clone();
    bytes[..4].copy_from_slice(&2_130_706_433_u32.to_le_bytes());
    assert_eq!(decode(&bytes), Err(Malformed::NotCanonical));
}

/// What becomes of a case whose witness is changed after it was made.
fn changed(change: impl Fn(&mut Case)) -> Result<(), Option<Rejection>> {
    let mut case = Case::small(6);
    change(&mut case);
    let (proof, _) = case.prove();
    let reference = case.verdict(&proof).map(|_| ());
    let (proof, _) = case.prove_with::<Simd>(&mut case.transcript());
    assert_eq!(case.verdict(&proof).map(|_| ()), reference);
    reference
}

#[test]
fn a_row_outside_of_its_table_is_caught_whatever_the_multiplicities() {
    let sum = Err(Some(Rejection::Sum));
    assert_eq!(changed(|_| ()), Ok(()));
    let outside = |key: i64| {
        changed(move |case| {
            let lookup = case
                .argument
                .lookups()
                .iter()
                .position(|l| l.table == 0)
                .unwrap();
            case.keys[lookup][5] = Base::from_i64(key);
        })
    };
    for key in [-1, 256, 257, 1 << 20, i64::from(i32::MAX)] {
        assert_eq!(outside(key), sum);
    }
    // A wrong value of a right key, and the value of another key.
    let with_values = |case: &Case| {
        case.argument
            .lookups()
            .iter()
            .position(|l| l.table == 1)
            .unwrap()
    };
    assert_eq!(
        changed(|case| {
            let l = with_values(case);
            case.values[l][0] += Base::ONE;
        }),
        sum
    );
    assert_eq!(
        changed(|case| {
            let l = with_values(case);
            case.keys[l][0] += Base::ONE;
        }),
        sum
    );
}

#[test]
fn a_remainder_beyond_its_range_is_caught() {
    // m·x + half = 2^s·q + r has the second solution (q - 1, r + 2^s); only the range of r and the
    // table of q tell them apart.
    let shift = 8;
    let function = Table::Function {
        first: -60,
        values: (0..100).collect(),
    };
    let tables = vec![Table::Range { bits: shift }, function];
    let mut case = Case::new(8, tables, &[8, 8, 8]);
    let lookups = [(0, 8), (1, 8)].map(|(table, variables)| Lookup { table, variables });
    let r: Vec<Base> = (0..256).map(Base::from_usize).collect();
    let q: Vec<Base> = (0..256).map(|i| Base::from_i32(i % 100 - 60)).collect();
    let out: Vec<Base> = (0..256).map(|i| Base::from_i32(i % 100)).collect();
    case.argument = Argument::new(case.argument.tables().to_vec(), lookups.to_vec()).unwrap();
    case.keys = vec![r, q];
    case.values = vec![vec![], out];
    let recount = |case: &mut Case| {
        let columns = columns(&case.keys, &case.values);
        case.argument
            .multiplicities(&columns)
            .map(|counts| case.multiplicities = counts)
    };
    recount(&mut case).unwrap();
    assert!(case.verdict(&case.prove().0).is_ok());
    // Row 7 again, as (q - 1, r + 2^s), its value that of q - 1.
    case.keys[0][7] += Base::from_usize(1 << shift);
    case.keys[1][7] -= Base::ONE;
    case.values[1][7] -= Base::ONE;
    assert_eq!(
        recount(&mut case),
        Err(ProveError::Outside { column: 0, row: 7 })
    );
    // No multiplicities make up for it: neither the honest ones, nor those that follow q.
    for entry in [None, Some(6), Some(7)] {
        let mut case = Case {
            argument: case.argument.clone(),
            keys: case.keys.clone(),
            values: case.values.clone(),
            multiplicities: case.multiplicities.clone(),
        };
        if let Some(entry) = entry {
            case.multiplicities[1][7] -= Base::ONE;
            case.multiplicities[1][entry] += Base::ONE;
        }
        assert_eq!(case.verdict(&case.prove().0), Err(Some(Rejection::Sum)));
    }
}

#[test]
fn wrong_multiplicities_are_caught() {
    let sum = Err(Some(Rejection::Sum));
    assert_eq!(changed(|case| case.multiplicities[0][0] += Base::ONE), sum);
    assert_eq!(changed(|case| case.multiplicities[1][99] -= Base::ONE), sum);
    // The padding of the tree counts as well.
    let padding = Case::small(6).argument.padding();
    assert!(padding > 0);
    let without = |case: &mut Case| case.multiplicities[0][0] -= Base::from_usize(padding);
    assert_eq!(changed(without), sum);
    // Entries that repeat the last one are that entry.
    let moved = changed(|case| {
        case.multiplicities[1][99] += Base::ONE;
        case.multiplicities[1][120] -= Base::ONE;
    });
    assert_eq!(moved, Ok(()));
}

#[test]
fn columns_and_tables_are_not_interchangeable() {
    let case = Case::small(9);
    let (proof, _) = case.prove();
    // The verifier's shape with two columns of one size swapped between tables.
    let mut lookups = case.argument.lookups().to_vec();
    let of = |table: usize| {
        let mut all = lookups.iter().enumerate();
        all.find(|(_, l)| l.table == table && l.variables == 7)
            .map(|(index, _)| index)
    };
    let (Some(a), Some(b)) = (of(0), of(1)) else {
        panic!("the seed has both")
    };
    lookups[a].table = 1;
    lookups[b].table = 0;
    let other = Argument::new(case.argument.tables().to_vec(), lookups).unwrap();
    assert!(other.verify(&proof, &mut case.transcript()).is_err());
    // Tables that differ in one value, in their first key, or in their order.
    for change in 0..3 {
        let mut tables = case.argument.tables().to_vec();
        match (&mut tables[..], change) {
            ([_, Table::Function { values, .. }], 0) => values[50] += 1,
            ([_, Table::Function { first, .. }], 1) => *first += 1,
            (tables, _) => tables.swap(0, 1),
        }
        let other = Argument::new(tables, case.argument.lookups().to_vec()).unwrap();
        assert!(
            other.verify(&proof, &mut case.transcript()).is_err(),
            "{change}"
        );
    }
}

#[test]
fn a_zero_denominator_is_refused() {
    let case = Case::small(10);
    let (mut proof, _) = case.prove();
    // With 0 / 0 on either side the sums would agree whatever was looked up.
    for side in [0, 4] {
        let mut bad = proof.clone();
        for element in &mut bad.layers[0].children[side..side + 4] {
            *element = Extension::ZERO;
        }
        assert_eq!(case.verdict(&bad), Err(Some(Rejection::ZeroDenominator)));
    }
    // One zero is enough.
    proof.layers[0].children[1] = Extension::ZERO;
    assert_eq!(case.verdict(&proof), Err(Some(Rejection::ZeroDenominator)));
}

#[test]
fn lookups_made_for_known_challenges_pass_only_where_they_are_known() {
    // Challenges are drawn before the multiplicities are absorbed: a prover solves for them.
    let mut case = Case::small(12);
    let lookup = case
        .argument
        .lookups()
        .iter()
        .position(|l| l.table == 0)
        .unwrap();
    case.keys[lookup][5] = Base::from_usize(1000);
    let mut frozen = Transcript::new();
    let alpha = frozen.challenge();
    let _ = frozen.challenge();
    let _ = frozen.challenge();
    // 1 / (alpha + 1000) as a combination, over the base field, of five entries' fractions.
    let fraction = |key: usize| (alpha + Base::from_usize(key)).inverse();
    let removed = 7;
    let solution = solve(
        [10, 11, 12, 13, 14].map(fraction),
        fraction(1000) - fraction(removed),
    );
    // The honest count had some entry in row 5; take it away, whichever it was.
    let honest = Case::small(12);
    let was = honest.keys[lookup][5];
    let was = (0..256).find(|&key| Base::from_usize(key) == was).unwrap();
    case.multiplicities[0][was] -= Base::ONE;
    case.multiplicities[0][removed] += Base::ONE;
    for (key, coefficient) in [10, 11, 12, 13, 14].into_iter().zip(solution) {
        case.multiplicities[0][key] += coefficient;
    }
    let columns = columns(&case.keys, &case.values);
    let proof = |mut transcript: Transcript| {
        Reference::prove(
            &case.argument,
            &columns,
            &case.multiplicities,
            &mut transcript,
        )
        .unwrap()
        .0
    };
    let forged = proof(Transcript::new());
    let accepted = case
        .argument
        .verify(&forged, &mut Transcript::new())
        .unwrap();
    assert!(
        case.opens(&accepted),
        "the attack must work where challenges are known"
    );
    assert!(case.verdict(&forged).is_err());
    assert_eq!(
        case.verdict(&proof(case.transcript())),
        Err(Some(Rejection::Sum))
    );
}

/// The combination, over the base field, of the vectors that is the target.
fn solve(vectors: [Extension; 5], target: Extension) -> [Base; 5] {
    use p3_field::BasedVectorSpace;
    let coordinates = |element: Extension| -> [Base; 5] {
        let slice: &[Base] = element.as_basis_coefficients_slice();
        slice.try_into().unwrap()
    };
    let columns = vectors.map(coordinates);
    let target = coordinates(target);
    let mut rows: Vec<[Base; 6]> = (0..5)
        .map(|row| {
            let c = columns.map(|column| column[row]);
            [c[0], c[1], c[2], c[3], c[4], target[row]]
        })
        .collect();
    for pivot in 0..5 {
        let at = (pivot..5)
            .find(|&row| rows[row][pivot] != Base::ZERO)
            .unwrap();
        rows.swap(pivot, at);
        let inverse = rows[pivot][pivot].inverse();
        let scaled = rows[pivot].map(|entry| entry * inverse);
        rows[pivot] = scaled;
        for row in (0..5).filter(|&row| row != pivot) {
            let factor = rows[row][pivot];
            for (entry, &of_pivot) in rows[row].iter_mut().zip(&scaled) {
                *entry -= factor * of_pivot;
            }
        }
    }
    [0, 1, 2, 3, 4].map(|row: usize| rows[row][5])
}

#[test]
fn every_site_is_needed_and_the_inventory_is_complete() {
    let case = Case::small(13);
    let mut transcript = case.transcript();
    let (proof, _) = case.prove_with::<Reference>(&mut transcript);
    let layers = &proof.layers;
    let mut expected = vec![(Site::Witness, transcript.log()[0].1)];
    for layer in layers {
        expected.extend(layer.rounds.iter().map(|_| (Site::LookupRound, 40)));
        expected.push((Site::LookupChildren, 20 * layer.children.len()));
    }
    let values = proof.columns.len() + proof.multiplicities.len();
    expected.push((Site::LookupColumns, 20 * values));
    assert_eq!(transcript.log(), expected);
    // A verifier that leaves a site out is another verifier: its challenges, or those that follow.
    let honest = transcript.challenge();
    for site in [Site::LookupChildren, Site::LookupRound, Site::LookupColumns] {
        let mut lazy = Transcript::without(site);
        let all = case
            .keys
            .iter()
            .chain(&case.values)
            .chain(&case.multiplicities);
        let elements: Vec<Extension> = all.flatten().map(|&element| element.into()).collect();
        lazy.absorb_elements(Site::Witness, &elements);
        let verdict = case.argument.verify(&proof, &mut lazy);
        assert!(verdict.is_err() || lazy.challenge() != honest, "{site:?}");
    }
}
