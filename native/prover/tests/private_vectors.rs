//! Proofs of the private mode that any other verifier can be checked with. All that hides is drawn from
//! fixed numbers here, so that the same bytes are made again.
mod hidden;
mod models;

use commitment::Profile;
use graph::Graph;
use hidden::{lie, seeded};
use key::PrivateKey;
use models::graphs::clamps;
use models::{choices, everything, held, integers, linear, told, vision, wide};
use serde_json::{Value, json};
use transcript::Transcript;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/");

fn vectors() -> [(&'static str, Graph, Profile); 8] {
    [
        (
            "clamps-conservative",
            clamps(-40, 90),
            Profile::Conservative,
        ),
        ("choices-default", choices(), Profile::Default),
        ("everything-default", everything(), Profile::Default),
        ("held-default", held(), Profile::Default),
        ("integers-default", integers(), Profile::Default),
        ("linear-default", linear(), Profile::Default),
        ("vision-conservative", vision(), Profile::Conservative),
        ("wide-default", wide(), Profile::Default),
    ]
}

/// The key's own account of what can go wrong.
fn terms(key: &PrivateKey) -> Value {
    let security = key.security();
    // To four decimals, which no machine's logarithm changes.
    let rounded = |bits: f64| (bits * 1e4).round() / 1e4;
    let terms = security.terms.iter();
    let terms = terms.map(|term| json!([term.name, rounded(term.bits)]));
    json!({"bits": rounded(security.provable_bits), "terms": terms.collect::<Vec<_>>()})
}

/// Set `WRITE_VECTORS=1` to write the files anew.
#[test]
fn proofs_are_the_vectors() {
    let write = std::env::var_os("WRITE_VECTORS").is_some();
    let check = |name: &str, text: &str| {
        let path = format!("{FOLDER}{name}.json");
        if write {
            std::fs::create_dir_all(format!("{FOLDER}private")).unwrap();
            std::fs::write(&path, text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap();
        assert!(stored == text, "{name}: not what is stored");
    };
    let mut security = serde_json::Map::new();
    for (name, graph, profile) in vectors() {
        let case = seeded(graph, profile);
        let (outputs, proof) = lie(&case, |_| (), Transcript::new(), &mut |_, _| ());
        let proof = proof.encode(case.key());
        case.verify(&outputs, &proof).unwrap();
        let text = told(&case.key().encode(), &case.inputs, &outputs, &proof);
        check(&format!("private/{name}"), &text);
        security.insert(name.into(), terms(case.key()));
    }
    let text = serde_json::to_string_pretty(&security).unwrap();
    check("private/security", &format!("{text}\n"));
}
