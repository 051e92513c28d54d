//! Canonical bytes: one form each, every length told before anything is read.

use p3_field::{BasedVectorSpace, PrimeCharacteristicRing, PrimeField32};
use transcript::{BASE_BYTES, Base, DEGREE, Extension, write_extension};

/// Bytes that do not encode what they should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Short,
    /// Bytes are left over.
    #[error("bytes are left over")]
    Long,
    /// A field element is not below the modulus.
    #[error("a field element is not below the modulus")]
    NotCanonical,
    /// A count is beyond its bound.
    #[error("a count is beyond its bound")]
    Count,
    /// Numbers are not in the one form that they have.
    #[error("numbers are not in the one form that they have")]
    Coding,
}

/// Reads canonical values off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// All that is left, without taking it.
    pub const fn ahead(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed::Short)?;
        self.bytes = tail;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.take(N)?.try_into().map_err(|_| Malformed::Short)
    }

    /// A little-endian word.
    pub fn word(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// An element of the base field.
    pub fn base(&mut self) -> Result<Base, Malformed> {
        let word = self.word()?;
        if word < Base::ORDER_U32 {
            Ok(Base::from_u32(word))
        } else {
            Err(Malformed::NotCanonical)
        }
    }

    /// An element of the extension field.
    pub fn extension(&mut self) -> Result<Extension, Malformed> {
        let mut coefficients = [Base::ZERO; DEGREE];
        for coefficient in &mut coefficients {
            *coefficient = self.base()?;
        }
        Extension::from_basis_coefficients_slice(&coefficients).ok_or(Malformed::Short)
    }

    /// `count` elements of the extension field.
    pub fn extensions(&mut self, count: usize) -> Result<Vec<Extension>, Malformed> {
        self.fits(count, DEGREE * BASE_BYTES)?;
        (0..count).map(|_| self.extension()).collect()
    }

    /// Checks that `count` items of `size` bytes are there, before anything is allocated for them.
    pub fn fits(&self, count: usize, size: usize) -> Result<(), Malformed> {
        match count.checked_mul(size) {
            Some(bytes) if bytes <= self.bytes.len() => Ok(()),
            _ => Err(Malformed::Short),
        }
    }

    /// Checks that nothing is left.
    pub const fn finish(&self) -> Result<(), Malformed> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Long)
        }
    }
}

/// Writes canonical values, and remembers which field begins where.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
    /// The name of each field and its first byte.
    pub fields: Vec<(&'static str, usize)>,
}

impl Writer {
    /// Begins a field.
    pub fn field(&mut self, name: &'static str) {
        self.fields.push((name, self.bytes.len()));
    }

    /// Appends elements of the extension field.
    pub fn extensions(&mut self, elements: &[Extension]) {
        for &element in elements {
            write_extension(&mut self.bytes, element);
        }
    }

    /// Appends an element of the base field.
    pub fn base(&mut self, element: Base) {
        self.bytes
            .extend_from_slice(&element.as_canonical_u32().to_le_bytes());
    }
}
