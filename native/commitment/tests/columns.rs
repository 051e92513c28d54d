//! Openings of committed columns: completeness, and a rejection for each change.

use commitment::columns::{
    ColumnValue, Columns, ColumnsError, ColumnsOpening, CommittedColumns, MAX_CLAIMS, MIN_COLUMN,
};
use commitment::{MAX_VARIABLES, Profile, Reader, Root, Writer, compose};
use p3_field::PrimeCharacteristicRing;
use sumcheck::equality;
use transcript::{Base, Extension, Site, Transcript};

/// What prover and verifier share before an opening.
fn begin(root: &Root) -> Transcript {
    let mut transcript = Transcript::new();
    transcript.absorb(Site::Witness, root);
    transcript
}

fn absorb(values: &[ColumnValue], transcript: &mut Transcript) {
    let values: Vec<Extension> = values.iter().map(|claim| claim.value).collect();
    transcript.absorb_elements(Site::LookupColumns, &values);
}

struct Case {
    scheme: Columns,
    committed: CommittedColumns,
    claims: Vec<ColumnValue>,
}

impl Case {
    /// Claims about the columns of the given indices, at points of which some are shared.
    fn new(variables: &[usize], of: &[usize], profile: Profile) -> Self {
        let scheme = Columns::new(variables, of.len(), profile).unwrap();
        let columns: Vec<Vec<Base>> = variables
            .iter()
            .enumerate()
            .map(|(seed, &variables)| {
                let element = |index: usize| index.wrapping_mul(index + 7 * seed) % 2_130_706_433;
                (0..1_usize << variables)
                    .map(|i| Base::from_usize(element(i)))
                    .collect()
            })
            .collect();
        let views: Vec<&[Base]> = columns.iter().map(Vec::as_slice).collect();
        let committed = scheme.commit(&views).unwrap();
        let mut transcript = begin(&committed.root());
        let shared = transcript.point(MAX_VARIABLES);
        let claims = of
            .iter()
            .enumerate()
            .map(|(index, &column)| {
                let own = variables[column];
                let point = if index % 3 == 0 {
                    transcript.point(own)
                } else {
                    shared[MAX_VARIABLES - own..].to_vec()
                };
                let weights = equality(&point, 1 << own);
                let value = weights
                    .iter()
                    .zip(&columns[column])
                    .map(|(&w, &v)| w * v)
                    .sum();
                ColumnValue {
                    column,
                    point,
                    value,
                }
            })
            .collect();
        Self {
            scheme,
            committed,
            claims,
        }
    }

    fn transcript(&self) -> Transcript {
        let mut transcript = begin(&self.committed.root());
        transcript.point(MAX_VARIABLES);
        absorb(&self.claims, &mut transcript);
        transcript
    }

    fn open(&self) -> ColumnsOpening {
        let claims: Vec<(usize, Vec<Extension>)> = self
            .claims
            .iter()
            .map(|claim| (claim.column, claim.point.clone()))
            .collect();
        self.scheme
            .open(&self.committed, &claims, &mut self.transcript())
            .unwrap()
    }

    fn accepts(&self, opening: &ColumnsOpening, claims: &[ColumnValue]) -> bool {
        let root = self.committed.root();
        self.scheme
            .verify(&root, opening, claims, &mut self.transcript())
            .is_ok()
    }

    fn bytes(&self, opening: &ColumnsOpening) -> Writer {
        let mut out = Writer::default();
        opening.encode(&self.scheme, &mut out);
        out
    }
}

#[test]
fn columns_of_any_sizes_open_at_any_points() {
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[8], &[0]),
        (&[8, 11, 8, 9, 10], &[0, 1, 2, 3, 4, 4, 1, 0]),
        (&[12, 9, 12, 8], &[3, 2, 1, 0, 0]),
        (&[14, 8, 8, 13, 13, 13, 9], &[0, 1, 2, 3, 4, 5, 6, 0, 3, 3]),
        (&[9; 20], &[19, 0, 7, 7, 7, 3]),
        (&[20, 8, 9, 8], &[0, 1, 2, 3]),
    ];
    for profile in Profile::COMMITTED {
        for (variables, of) in shapes {
            let case = Case::new(variables, of, profile);
            let opening = case.open();
            assert!(case.accepts(&opening, &case.claims), "{variables:?}");
            let out = case.bytes(&opening);
            let mut reader = Reader::new(&out.bytes);
            let again = ColumnsOpening::decode(&case.scheme, &mut reader).unwrap();
            assert_eq!(reader.finish(), Ok(()));
            assert_eq!(case.bytes(&again).bytes, out.bytes);
            assert!(case.accepts(&again, &case.claims));
        }
    }
}

#[test]
fn wrong_values_points_and_columns_are_rejected() {
    let case = Case::new(&[9, 12, 9, 8], &[0, 1, 2, 3, 1], Profile::Default);
    let opening = case.open();
    assert!(case.accepts(&opening, &case.claims));
    for index in 0..case.claims.len() {
        let mut claims = case.claims.clone();
        claims[index].value += Extension::ONE;
        assert!(!case.accepts(&opening, &claims));
        for place in [0, 7] {
            let mut claims = case.claims.clone();
            claims[index].point[place] += Extension::ONE;
            assert!(!case.accepts(&opening, &claims));
        }
    }
    // Columns of one size swapped, with their points or without.
    let mut claims = case.claims.clone();
    (claims[0].column, claims[2].column) = (2, 0);
    assert!(!case.accepts(&opening, &claims));
    claims.swap(0, 2);
    assert!(!case.accepts(&opening, &claims));
    // Claims that fit no column, or another number of them.
    for change in 0..4 {
        let mut claims = case.claims.clone();
        match change {
            0 => claims[1].column = 4,
            1 => claims[1].column = 0,
            2 => drop(claims.pop()),
            _ => claims.push(claims[0].clone()),
        }
        assert!(!case.accepts(&opening, &claims));
    }
    assert!(!case.accepts(&opening, &[]));
}

#[test]
fn another_root_or_transcript_is_rejected() {
    let case = Case::new(&[9, 10], &[0, 1], Profile::Default);
    let opening = case.open();
    let mut root = case.committed.root();
    root[5] ^= 1;
    let verdict = case
        .scheme
        .verify(&root, &opening, &case.claims, &mut case.transcript());
    assert!(verdict.is_err());
    let mut other = case.transcript();
    other.absorb(Site::Witness, b"more");
    let root = case.committed.root();
    assert!(
        case.scheme
            .verify(&root, &opening, &case.claims, &mut other)
            .is_err()
    );
    // Values that suit challenges which do not depend on them.
    let mut claims = case.claims.clone();
    claims[0].value += Extension::ONE;
    let mut frozen = begin(&root);
    frozen.point(MAX_VARIABLES);
    assert!(
        case.scheme
            .verify(&root, &opening, &claims, &mut frozen)
            .is_err()
    );
}

#[test]
fn every_byte_of_an_opening_is_bound() {
    for profile in Profile::COMMITTED {
        let case = Case::new(&[9, 11, 9], &[0, 1, 2, 1], profile);
        let opening = case.open();
        let out = case.bytes(&opening);
        let verdict = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let Ok(opening) = ColumnsOpening::decode(&case.scheme, &mut reader) else {
                return false;
            };
            reader.finish().is_ok() && case.accepts(&opening, &case.claims)
        };
        assert!(verdict(&out.bytes));
        let mut places: Vec<usize> = (0..out.bytes.len()).step_by(1009).collect();
        for (field, &(_, start)) in out.fields.iter().enumerate() {
            let end = out
                .fields
                .get(field + 1)
                .map_or(out.bytes.len(), |&(_, end)| end);
            if end > start {
                places.extend([start, usize::midpoint(start, end), end - 1]);
            }
        }
        for place in places {
            let mut bytes = out.bytes.clone();
            bytes[place] ^= 1;
            assert!(!verdict(&bytes), "{profile:?} {place}");
        }
        assert!(!verdict(&out.bytes[..out.bytes.len() - 1]));
        assert!(!verdict(&[&out.bytes[..], &[0]].concat()));
        assert!(!verdict(&[]));
    }
}

#[test]
fn shapes_beyond_the_limits_are_refused() {
    let fault = |variables: &[usize], claims| {
        Columns::new(variables, claims, Profile::Default)
            .err()
            .unwrap()
    };
    assert!(matches!(fault(&[], 1), ColumnsError::Count { .. }));
    assert!(matches!(fault(&[8], 0), ColumnsError::Count { .. }));
    assert!(matches!(
        fault(&[8], MAX_CLAIMS + 1),
        ColumnsError::Count { .. }
    ));
    for variables in [0, MIN_COLUMN - 1, MAX_VARIABLES + 1, usize::MAX] {
        assert_eq!(fault(&[8, variables], 1), ColumnsError::Variables(1));
    }
    let large = fault(&[MAX_VARIABLES, 8], 1);
    assert_eq!(large, ColumnsError::TooLarge((1 << MAX_VARIABLES) + 256));
    let scheme = Columns::new(&[8, 9], 1, Profile::Default).unwrap();
    let column = vec![Base::ONE; 256];
    for columns in [
        vec![],
        vec![&column[..]],
        vec![&column[..]; 2],
        vec![&column[..]; 3],
    ] {
        assert!(matches!(
            scheme.commit(&columns),
            Err(ColumnsError::Column(_))
        ));
    }
}

#[test]
fn both_openings_together_stay_above_a_hundred_bits_at_every_size() {
    for profile in Profile::COMMITTED {
        // The weakest opening of weights, over all sizes.
        let weakest = (commitment::MIN_VARIABLES..=MAX_VARIABLES)
            .map(|variables| {
                let size = commitment::Size {
                    rows: 1 << (variables - 10),
                    columns: 1 << 10,
                };
                let scheme = commitment::Scheme::committed(&[size], profile).unwrap();
                compose(&scheme.security())
            })
            .fold(f64::INFINITY, f64::min);
        for variables in commitment::MIN_VARIABLES..=MAX_VARIABLES {
            let scheme = Columns::new(&[variables], 1000, profile).unwrap();
            let terms = scheme.security();
            let bits = compose(&terms);
            let both = -((-bits).exp2() + (-weakest).exp2()).log2();
            assert!(
                both >= 100.0,
                "{profile:?} {variables}: {bits} with {weakest}"
            );
            assert!((bits - scheme.opening_bits()).abs() < 0.01 || bits <= scheme.opening_bits());
            // What lies between root and opening has more than 2^-120, even for each candidate.
            assert!(scheme.candidate_bits() < 8.0);
        }
    }
}

/// Set `WRITE_VECTORS=1` to write the file anew.
#[test]
fn the_table_of_parameters_is_the_one_in_force() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/sumcheck/witness_schedule.json"
    );
    let mut rows = Vec::new();
    for profile in Profile::COMMITTED {
        for variables in commitment::MIN_VARIABLES..=MAX_VARIABLES {
            let scheme = Columns::new(&[variables], 1, profile).unwrap();
            assert_eq!(scheme.variables(), variables);
            rows.push(format!("  {}", scheme.parameters_json()));
        }
    }
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
