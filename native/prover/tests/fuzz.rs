//! The fuzz targets of `native/fuzz` on stable Rust: the kept corpora, and random changes of them.
//!
//! `FUZZ_ROUNDS=100` makes so many times as many changes; `FUZZ_SEED=7` draws others.
#[path = "../../fuzz/targets.rs"]
mod targets;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use targets::{Case, cases, from_hex};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/");
const GRAPHS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../vectors/integer_graphs.json"
);
/// The case whose proof is in the kept corpus; the others of [`cases`] are changed here, but too large to be
/// kept twice.
const KEPT_PROOF: usize = 0;
/// Numbers that decoders stumble over.
const EDGES: [u32; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x100,
    0xffff,
    0x0100_0000,
    0x1fff_ffff,
    0x2000_0000,
    0x7f00_0000,
    0x7f00_0001,
    0xffff_ffff,
];

type Files = BTreeMap<String, Vec<u8>>;

/// What the vectors put into the corpus of each target.
fn seeds() -> BTreeMap<&'static str, Files> {
    let text = std::fs::read_to_string(GRAPHS).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut graphs = Files::new();
    for kind in ["valid", "invalid"] {
        for (number, entry) in vectors[kind].as_array().unwrap().iter().enumerate() {
            let digits = entry["graph"].as_str().unwrap();
            let bytes = from_hex(digits.strip_prefix("0x").unwrap());
            graphs.insert(format!("{kind}-{number}"), bytes);
        }
    }
    BTreeMap::from([
        ("graph", graphs),
        ("key", cases().iter().map(key).collect()),
        ("proof", Files::from([proof(KEPT_PROOF)])),
    ])
}

fn key(case: &Case) -> (String, Vec<u8>) {
    (case.name.to_owned(), case.key_bytes.clone())
}

/// The proof of a case behind its number.
fn proof(number: usize) -> (String, Vec<u8>) {
    let case = &cases()[number];
    let bytes = [&[number as u8], case.proof.as_slice()].concat();
    (case.name.to_owned(), bytes)
}

fn corpus(target: &str) -> Files {
    let folder = PathBuf::from(CORPUS).join(target);
    std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect()
}

/// Runs a target, and says what it was given where it panics.
fn run(target: fn(&[u8]), name: &str, data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        let mut digits = String::new();
        for byte in data.iter().take(4096) {
            write!(digits, "{byte:02x}").unwrap();
        }
        panic!(
            "{name}: a panic, or something that does not hold, with {} bytes: {digits}",
            data.len()
        );
    }
}

struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 29)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// One to four changes; those of `from` on.
fn change(seed: &[u8], other: &[u8], from: usize, draw: &mut Draw) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=draw.below(4) {
        let at = from + draw.below(data.len().saturating_sub(from));
        match draw.below(7) {
            0 if at < data.len() => data[at] ^= 1 << draw.below(8),
            1 if at < data.len() => data[at] = draw.next() as u8,
            2 if at + 4 <= data.len() => {
                let edge = EDGES[draw.below(EDGES.len())].to_le_bytes();
                data[at..at + 4].copy_from_slice(&edge);
            }
            3 => data.truncate(at),
            4 => data.insert(at.min(data.len()), draw.next() as u8),
            5 if at < data.len() => {
                let end = (at + 1 + draw.below(32)).min(data.len());
                data.drain(at..end);
            }
            _ => {
                let begin = draw.below(other.len());
                let end = (begin + 1 + draw.below(64)).min(other.len());
                let at = at.min(data.len());
                data.splice(at..at, other[begin..end].iter().copied());
            }
        }
    }
    data
}

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn fuzz(name: &str, target: fn(&[u8]), files: &Files, rounds: usize, from: usize) {
    let files: Vec<_> = files.iter().collect();
    assert!(!files.is_empty());
    for (file, data) in &files {
        run(target, &format!("{name}/{file}"), data);
    }
    let mut draw = Draw(number("FUZZ_SEED", 1) as u64);
    for round in 0..rounds * number("FUZZ_ROUNDS", 1) {
        let (file, seed) = files[round % files.len()];
        let (_, other) = files[draw.below(files.len())];
        let data = change(seed, other, from, &mut draw);
        run(
            target,
            &format!("{name}/{file}, changed in round {round}"),
            &data,
        );
    }
}

/// Set `WRITE_VECTORS=1` to write the seeds anew.
#[test]
fn the_corpora_hold_the_vectors() {
    for (target, files) in seeds() {
        let folder = PathBuf::from(CORPUS).join(target);
        if std::env::var_os("WRITE_VECTORS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            for (name, data) in &files {
                std::fs::write(folder.join(name), data).unwrap();
            }
        }
        let kept = corpus(target);
        for (name, data) in files {
            assert!(
                kept.get(&name) == Some(&data),
                "{target}/{name} is not the vector"
            );
        }
    }
}

#[test]
fn graphs_of_strangers() {
    fuzz("graph", targets::graph, &corpus("graph"), 200_000, 0);
}

#[test]
fn keys_of_strangers() {
    fuzz("key", targets::key, &corpus("key"), 3_000, 0);
}

#[test]
fn proofs_of_strangers() {
    let mut files = corpus("proof");
    files.extend((0..cases().len()).map(proof));
    fuzz("proof", targets::proof, &files, 3_000, 1);
}

/// The guard sees what it is there to see.
#[test]
#[should_panic(expected = "a test: a panic, or something that does not hold, with 2 bytes: 0aff")]
fn a_panic_is_told_with_its_bytes() {
    run(|data| assert!(data.is_empty()), "a test", &[10, 255]);
}
