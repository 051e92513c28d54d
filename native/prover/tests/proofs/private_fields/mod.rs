//! The fields of a private proof behind its count of links, and the rejections that a changed byte in each may meet.
use crate::fields::Row;

/// An element above the modulus is malformed wherever it stands; any other is of another proof.
const ELEMENTS: &[&str] = &["OPENING_INVALID", "PROOF_MALFORMED"];

/// What is changed in a link is no link any more.
const LINK: &[&str] = &["LINK_INVALID"];
const LINK_ELEMENTS: &[&str] = &["LINK_INVALID", "PROOF_MALFORMED"];

/// Nothing that is hidden can be compared before the opening, so all of them are its.
const FIELDS: [Row; 23] = [
    ("link: root", LINK),
    ("link: fresh root", LINK),
    ("link: value", LINK_ELEMENTS),
    ("link: opening", LINK_ELEMENTS),
    ("witness", &["OPENING_INVALID"]),
    ("padded elements", ELEMENTS),
    ("relation: sum of the masks", ELEMENTS),
    ("relation: rounds", ELEMENTS),
    ("relation: factors", ELEMENTS),
    ("opening: values of masks", ELEMENTS),
    ("opening: padded answer", ELEMENTS),
    ("opening: first fold", ELEMENTS),
    ("opening: claim of the pad", ELEMENTS),
    ("opening: tail", ELEMENTS),
    ("opening: root", &["OPENING_INVALID"]),
    ("opening: answers", ELEMENTS),
    ("opening: work", ELEMENTS),
    ("opening: leaves", ELEMENTS),
    ("opening: count of siblings", &["PROOF_MALFORMED"]),
    ("opening: siblings", &["OPENING_INVALID"]),
    ("opening: fold", ELEMENTS),
    ("opening: last polynomial", ELEMENTS),
    ("opening: last fold", ELEMENTS),
];

/// A manifest of version, count of links, kind of each link, and all that stands behind them.
pub fn manifest(first: [Row; 3]) -> Vec<Row> {
    first.into_iter().chain(FIELDS).collect()
}
