//! Name and version of the protocols, as their transcripts begin.

/// That of proofs, and of the point at which a key's weights are pinned.
pub const PROTOCOL: &[u8] = b"inferproof sumcheck 1 private";

/// That of links, which tie commitments together.
pub const LINK_PROTOCOL: &[u8] = b"inferproof sumcheck 1 private link";

/// That of proofs of the ranges of a key's weights.
pub const RANGES_PROTOCOL: &[u8] = b"inferproof sumcheck 1 private ranges";
