//! The table of parameters by size that `specs/sumcheck-proof.md` refers to.
use commitment::{Profile, Scheme, Size};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/sumcheck/");

type Make = fn(&[Size], Profile) -> Result<Scheme, commitment::Error>;

/// Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn the_tables_of_parameters_are_those_in_force() {
    check("schedule.json", &Profile::ALL, Scheme::new);
    check(
        "committed_schedule.json",
        &Profile::COMMITTED,
        Scheme::committed,
    );
}

fn check(name: &str, profiles: &[Profile], make: Make) {
    let path = format!("{FOLDER}{name}");
    let mut rows = Vec::new();
    for &profile in profiles {
        for variables in commitment::MIN_VARIABLES..=commitment::MAX_VARIABLES {
            let size = Size {
                rows: 1 << (variables - 10),
                columns: 1 << 10,
            };
            let scheme = make(&[size], profile).unwrap();
            assert_eq!(scheme.plan().variables(), variables);
            rows.push(format!("  {}", scheme.parameters_json()));
        }
    }
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
