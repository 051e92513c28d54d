//! An epoch and its proofs as words at positions, for statistics.

use crate::sample::Made;
use crate::statistics::Kind;

/// Bytes of a word.
const WORD: usize = 4;
/// Words of a digest.
const DIGEST: usize = 8;

/// What stands at each position: the field's name, and what its words are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Positions {
    pub names: Vec<&'static str>,
    pub kinds: Vec<Kind>,
}

/// How many words of a field are looked at, and what they must be.
fn looked_at(name: &str) -> (usize, Kind) {
    match name {
        // They are the same in all proofs.
        "version" | "count of links" => (0, Kind::Alike),
        // Hashes of what is uniform or salted. They are functions of what is shown and of what is not; no law
        // makes them uniform.
        "witness" | "opening: root" | "opening: siblings" => (DIGEST, Kind::Alike),
        // The first number for which a hash begins with zeros; and what follows from which leaves are drawn.
        "opening: work" | "opening: count of siblings" => (1, Kind::Alike),
        _ => (usize::MAX, Kind::Uniform),
    }
}

/// Positions and words of an epoch, of the root of private inputs, and of the proofs.
pub fn words(made: &Made) -> (Positions, Vec<u32>) {
    let mut found = Positions {
        names: Vec::new(),
        kinds: Vec::new(),
    };
    let mut words = Vec::new();
    let mut add = |name: &'static str, kind, bytes: &[u8], most: usize| {
        for word in bytes.chunks_exact(WORD).take(most) {
            found.names.push(name);
            found.kinds.push(kind);
            words.push(u32::from_le_bytes(word.try_into().unwrap()));
        }
    };
    add("link: root", Kind::Alike, &made.epoch.root(), DIGEST);
    let mut value = Vec::new();
    transcript::write_extension(&mut value, made.value);
    add("link: value", Kind::Uniform, &value, usize::MAX);
    if let Some(root) = &made.input_root {
        add("root of the inputs", Kind::Alike, root, DIGEST);
    }
    for proof in &made.proofs {
        let written = proof.write_alone(made.key(), made.epoch.kind());
        let ends = written.fields.iter().skip(1).map(|&(_, start)| start);
        let ends = ends.chain([written.bytes.len()]);
        for (&(name, start), end) in written.fields.iter().zip(ends) {
            let (most, kind) = looked_at(name);
            add(name, kind, &written.bytes[start..end], most);
        }
    }
    (found, words)
}
