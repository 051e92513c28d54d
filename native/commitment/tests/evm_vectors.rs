//! Vectors of opened leaves under Keccak-256, which the contracts' tests read.
//!
//! Set `WRITE_VECTORS=1` to write the file anew.

use commitment::merkle::{Digest, MerkleTree, root_of};
use std::fmt::Write;
use transcript::HashFunction;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/evm/merkle.json");
const KECCAK: HashFunction = HashFunction::Keccak256;

fn quoted(digests: &[Digest]) -> String {
    let mut text = "\"0x".to_owned();
    for byte in digests.as_flattened() {
        write!(text, "{byte:02x}").unwrap();
    }
    text + "\""
}

#[test]
fn opened_leaves_are_the_vectors() {
    // Depth, and the indices as they were drawn: alone, twice, in no order, all of them, some dozens.
    let many: Vec<usize> = (0..48)
        .map(|at| (at * at * 7919 + at) % (1 << 15))
        .collect();
    let cases: [(usize, &[usize]); 6] = [
        (0, &[0]),
        (1, &[1]),
        (4, &[3, 3, 2, 15, 7]),
        (5, &[31, 0]),
        (3, &[7, 6, 5, 4, 3, 2, 1, 0]),
        (15, &many),
    ];
    let mut texts = Vec::new();
    for (depth, indices) in cases {
        let leaf = |index: usize| KECCAK.digest(&index.to_le_bytes());
        let leaves: Vec<Digest> = (0..1 << depth).map(leaf).collect();
        let opened: Vec<Digest> = indices.iter().map(|&index| leaves[index]).collect();
        let tree = MerkleTree::new(KECCAK, leaves);
        let siblings = tree.siblings(indices);
        let given = indices.iter().copied().zip(opened.iter().copied());
        assert_eq!(root_of(KECCAK, depth, given, &siblings), Some(tree.root()));
        texts.push(format!(
            "{{\"depth\": {depth}, \"indices\": {indices:?}, \"leaves\": {}, \"siblings\": {}, \"root\": {}}}",
            quoted(&opened),
            quoted(&siblings),
            quoted(&[tree.root()]),
        ));
    }
    let text = format!("{{\"cases\": [\n{}\n]}}\n", texts.join(",\n"));
    if std::env::var_os("WRITE_VECTORS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(PATH).unwrap() == text,
        "not what is stored"
    );
}
