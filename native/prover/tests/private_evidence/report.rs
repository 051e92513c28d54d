//! What a run has found, for the evidence file.

use serde_json::Value;
use std::path::PathBuf;

/// Writes what a test has found into the folder that `EVIDENCE` names; nothing where it names none. `make
/// evidence` puts all of it into one file.
pub fn report(name: &str, found: &Value) {
    let Some(folder) = std::env::var_os("EVIDENCE").map(PathBuf::from) else {
        return;
    };
    let text = serde_json::to_string_pretty(found).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), text).unwrap();
}
