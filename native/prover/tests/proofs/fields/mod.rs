//! Proofs and keys whose bytes are changed field by field.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::ops::Range;

/// What is said of a proof: nothing, or the code with which it is rejected.
pub type Verdict = Result<(), &'static str>;
type Judge<'a> = Box<dyn Fn(&[u8]) -> Verdict + 'a>;
/// Field, and the rejections that a changed byte in it may meet.
pub type Row = (&'static str, &'static [&'static str]);
/// Part of a key, its bytes, and what becomes of a proof when one is changed.
pub type Part = (&'static str, Range<usize>, &'static [&'static str]);

/// A proof that is accepted, and where its fields are.
pub struct Told<'a> {
    pub proof: Vec<u8>,
    pub fields: Vec<(&'static str, Range<usize>)>,
    judge: Judge<'a>,
}

impl<'a> Told<'a> {
    pub fn new(
        proof: Vec<u8>,
        starts: &[(&'static str, usize)],
        judge: impl Fn(&[u8]) -> Verdict + 'a,
    ) -> Self {
        assert_eq!(judge(&proof), Ok(()));
        let ends = starts.iter().skip(1).map(|&(_, start)| start);
        let ends: Vec<usize> = ends.chain([proof.len()]).collect();
        let starts = starts.iter().zip(ends);
        Self {
            fields: starts
                .map(|(&(name, start), end)| (name, start..end))
                .collect(),
            proof,
            judge: Box::new(judge),
        }
    }

    pub fn code(&self, proof: &[u8]) -> Verdict {
        (self.judge)(proof)
    }

    pub fn flipped(&self, byte: usize, bit: usize) -> Verdict {
        let mut proof = self.proof.clone();
        proof[byte] ^= 1 << bit;
        self.code(&proof)
    }

    /// Where a field begins.
    pub fn start(&self, name: &str) -> usize {
        let found = self.fields.iter().find(|(field, _)| *field == name);
        found.unwrap().1.start
    }

    /// Changes each field that has bytes, of which each is to have a row; adds it to `seen`, and tells
    /// `also` the byte and the code.
    pub fn each_field(
        &self,
        rows: &[Row],
        seen: &mut BTreeSet<&'static str>,
        also: impl Fn(&str, usize, &str),
    ) {
        for (name, range) in &self.fields {
            if range.is_empty() {
                continue;
            }
            let (_, codes) = rows
                .iter()
                .find(|(field, _)| field == name)
                .unwrap_or_else(|| panic!("the manifest has no row for {name}"));
            seen.insert(*name);
            let last = range.end - 1;
            for byte in [range.start, range.start.midpoint(last), last] {
                for bit in [0, 7] {
                    let code = self.flipped(byte, bit).expect_err(name);
                    assert!(codes.contains(&code), "{name} at {byte}: {code}");
                    also(name, byte, code);
                }
            }
        }
    }

    /// Gives a byte more, and the first bytes only, as many as these.
    pub fn other_lengths(&self, lengths: impl Iterator<Item = usize>) {
        let mut long = self.proof.clone();
        long.push(0);
        assert_eq!(self.code(&long), Err("PROOF_MALFORMED"));
        for length in lengths {
            assert_eq!(self.code(&self.proof[..length]), Err("PROOF_MALFORMED"));
        }
    }
}

pub fn all_seen(rows: &[Row], seen: &BTreeSet<&'static str>) {
    let listed: BTreeSet<_> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(*seen, listed, "a row of the manifest was never tried");
}

/// Changes each byte of a key in its parts, and demands one of the part's codes of it.
pub fn each_part(parts: &[Part], key: &[u8], judge: impl Fn(&[u8]) -> Verdict) {
    assert_eq!(judge(key), Ok(()));
    for (part, range, codes) in parts {
        for byte in range.clone() {
            for bit in [0, 3, 7] {
                let mut changed = key.to_vec();
                changed[byte] ^= 1 << bit;
                let code = judge(&changed).expect_err(part);
                assert!(codes.contains(&code), "{part} at {byte}: {code}");
            }
        }
    }
}
