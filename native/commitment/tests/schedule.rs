//! The table of parameters by size that `specs/sumcheck-proof.md` refers to.
use commitment::{Profile, Scheme, Size};

/// Set `WRITE_VECTORS=1` to write the file anew.
#[test]
fn the_table_of_parameters_is_the_one_in_force() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/sumcheck/schedule.json"
    );
    let mut rows = Vec::new();
    for profile in Profile::ALL {
        for variables in commitment::MIN_VARIABLES..=commitment::MAX_VARIABLES {
            let size = Size {
                rows: 1 << (variables - 10),
                columns: 1 << 10,
            };
            let scheme = Scheme::new(&[size], profile).unwrap();
            assert_eq!(scheme.plan().variables(), variables);
            rows.push(format!("  {}", scheme.parameters_json()));
        }
    }
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
