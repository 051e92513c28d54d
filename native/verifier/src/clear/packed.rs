//! Whole numbers in about as many bits as their sizes ask for: the coding of results in the profile
//! `small`.
//!
//! It is Rice's: of each number the last k bits as they are, and the rest counted out. What a range
//! allows does not matter, only what the numbers are, which for sums of many products is far less.
//! There is one form for each list of numbers, since k follows from them.

use commitment::{Malformed, Reader};

/// Non-negative numbers, small ones for integers near zero: 0, -1, 1, -2, … become 0, 1, 2, 3, ….
const fn folded(value: i32) -> u32 {
    (value << 1).cast_unsigned() ^ (value >> 31).cast_unsigned()
}

const fn unfolded(folded: u32) -> i32 {
    (folded >> 1).cast_signed() ^ -((folded & 1).cast_signed())
}

/// Bits by which the counted parts of all numbers grow where one bit less is written as it is.
fn growth(folded: &[u32], k: u32) -> u64 {
    let halves = folded.iter().map(|&z| u64::from((z >> k).div_ceil(2)));
    halves.sum()
}

/// Whether one more bit written as it is costs at least what it saves.
fn enough(folded: &[u32], k: u32) -> bool {
    growth(folded, k) <= folded.len() as u64
}

/// Appends the numbers.
pub(crate) fn write(values: &[i32], out: &mut Vec<u8>) {
    let folded: Vec<u32> = values.iter().map(|&value| folded(value)).collect();
    // At 31 it is enough for whatever numbers.
    let k = (0..31).find(|&k| enough(&folded, k)).unwrap_or(31);
    out.push(k as u8);
    let mut bits = Bits::new(out);
    for &z in &folded {
        bits.push(u64::from(z) & ((1 << k) - 1), k);
    }
    bits.finish();
    let mut bits = Bits::new(out);
    for &z in &folded {
        let mut rest = z >> k;
        while rest >= 32 {
            bits.push(0, 32);
            rest -= 32;
        }
        bits.push(1 << rest, rest + 1);
    }
    bits.finish();
}

/// Writes bits, the lowest of a byte first.
struct Bits<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    const fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            held: 0,
            count: 0,
        }
    }

    /// Appends the `count` low bits of a number that has no others; at most 33.
    fn push(&mut self, number: u64, count: u32) {
        self.held |= number << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    /// Fills the last byte with zeros.
    fn finish(mut self) {
        let missing = self.count.next_multiple_of(8) - self.count;
        self.push(0, missing);
    }
}

/// Reads `count` numbers and appends them; the first one outside of `lo..=hi`, if any is.
pub(crate) fn read(
    reader: &mut Reader<'_>,
    count: usize,
    (lo, hi): (i32, i32),
    values: &mut Vec<i32>,
) -> Result<Option<usize>, Malformed> {
    let [k] = reader.array()?;
    if k > 31 {
        return Err(Malformed::Coding);
    }
    let k = u32::from(k);
    let written = (count * k as usize).div_ceil(8);
    let low = reader.take(written)?;
    // Each counted part has a bit at least.
    reader.fits(count.div_ceil(8), 1)?;
    let mut low = Window::new(low);
    let mut high = Window::new(reader.ahead());
    values.reserve(count);
    let mut folded = Vec::with_capacity(count);
    let mut outside = None;
    for index in 0..count {
        let low = low.bits(k)?;
        let z = high.zeros()? << k | low;
        let value = u32::try_from(z).map(unfolded).ok();
        if let Some(value) = value.filter(|value| (lo..=hi).contains(value)) {
            values.push(value);
            folded.push(z as u32);
        } else {
            outside = outside.or(Some(index));
        }
    }
    if !low.rest_is_zero() || !high.rest_is_zero() {
        return Err(Malformed::Coding);
    }
    reader.take(high.used.div_ceil(8))?;
    let least = enough(&folded, k) && (k == 0 || !enough(&folded, k - 1));
    if outside.is_none() && !least {
        return Err(Malformed::Coding);
    }
    Ok(outside)
}

/// Reads bits.
struct Window<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
    /// Bits that were read.
    used: usize,
}

impl<'a> Window<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            held: 0,
            count: 0,
            used: 0,
        }
    }

    /// Takes in the next bytes: four, or what there is.
    fn refill(&mut self) -> Result<(), Malformed> {
        if let Some((word, rest)) = self.bytes.split_first_chunk() {
            self.held |= u64::from(u32::from_le_bytes(*word)) << self.count;
            self.count += 32;
            self.bytes = rest;
        } else if let Some((&byte, rest)) = self.bytes.split_first() {
            self.held |= u64::from(byte) << self.count;
            self.count += 8;
            self.bytes = rest;
        } else {
            return Err(Malformed::Short);
        }
        Ok(())
    }

    /// The next `count` bits, at most 31.
    fn bits(&mut self, count: u32) -> Result<u64, Malformed> {
        while self.count < count {
            self.refill()?;
        }
        let bits = self.held & ((1 << count) - 1);
        self.advance(count);
        Ok(bits)
    }

    /// How many zeros come before the next one, which is read as well.
    fn zeros(&mut self) -> Result<u64, Malformed> {
        let mut zeros = 0;
        while self.held == 0 {
            zeros += u64::from(self.count);
            self.advance(self.count);
            self.refill()?;
        }
        let last = self.held.trailing_zeros();
        self.advance(last + 1);
        Ok(zeros + u64::from(last))
    }

    fn advance(&mut self, count: u32) {
        self.held = self.held.checked_shr(count).unwrap_or(0);
        self.count -= count;
        self.used += count as usize;
    }

    /// Whether the last byte that was begun has only zeros left.
    const fn rest_is_zero(&self) -> bool {
        let left = self.used.next_multiple_of(8) - self.used;
        self.held & ((1 << left) - 1) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use commitment::{Malformed, Reader};

    const ALL: (i32, i32) = (i32::MIN, i32::MAX);

    fn written(values: &[i32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(values, &mut bytes);
        bytes
    }

    fn numbers(count: usize, bits: u32) -> Vec<i32> {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as i32
        };
        (0..count)
            .map(|_| next() >> (31 - bits))
            .map(|value| value - (1 << bits >> 1))
            .collect()
    }

    fn result(bytes: &[u8], count: usize) -> Result<Vec<i32>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut values = Vec::new();
        if read(&mut reader, count, ALL, &mut values)?.is_some() {
            return Err(Malformed::Coding);
        }
        reader.finish()?;
        Ok(values)
    }

    #[test]
    fn what_is_written_is_read() {
        let mut lists = vec![
            vec![0],
            vec![-1; 9],
            vec![i32::MIN, i32::MAX, 0],
            vec![0, 0, 0, 0, 100_000],
        ];
        lists.extend((0..31).map(|bits| numbers(100 + bits as usize, bits)));
        for values in lists {
            let bytes = written(&values);
            assert_eq!(result(&bytes, values.len()).unwrap(), values);
        }
    }

    #[test]
    fn numbers_of_n_bits_take_little_more() {
        for bits in 1..30 {
            let taken = written(&numbers(4096, bits)).len() as f64 / 512.0;
            assert!(taken < f64::from(bits) + 0.6, "{bits}: {taken}");
        }
    }

    #[test]
    fn there_is_no_second_form() {
        let values = numbers(50, 9);
        let bytes = written(&values);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert_ne!(result(&other, 50), Ok(values.clone()), "bit {bit} of {at}");
            }
        }
        for end in 0..bytes.len() {
            assert_eq!(result(&bytes[..end], 50), Err(Malformed::Short));
        }
        assert_eq!(result(&[bytes, vec![0]].concat(), 50), Err(Malformed::Long));
    }

    #[test]
    fn only_the_least_parameter_is_taken() {
        // 3, 3 with k = 0, 1 and 2: folded 6, 6.
        let forms: [&[u8]; 3] = [
            &[0, 0b0100_0000, 0b10_0000],
            &[1, 0, 0b1000_1000],
            &[2, 0b1010, 0b1010],
        ];
        assert_eq!(written(&[3, 3]), forms[2]);
        assert_eq!(result(forms[2], 2), Ok(vec![3, 3]));
        for other in [forms[0], forms[1]] {
            assert_eq!(result(other, 2), Err(Malformed::Coding));
        }
        assert_eq!(
            result(&[32, 0, 0, 0, 0, 0, 0, 0, 0, 3], 2),
            Err(Malformed::Coding)
        );
    }

    #[test]
    fn bits_that_fill_a_byte_are_zero() {
        for form in [[2, 0b1_1010, 0b1010], [2, 0b1010, 0b1_1010]] {
            assert_eq!(result(&form, 2), Err(Malformed::Coding));
        }
    }

    #[test]
    fn a_number_out_of_its_range_is_told() {
        let bytes = written(&[3, -4, 4, 5]);
        for (range, expected) in [((-4, 5), None), ((-3, 5), Some(1)), ((-4, 4), Some(3))] {
            let mut values = Vec::new();
            let found = read(&mut Reader::new(&bytes), 4, range, &mut values);
            assert_eq!(found, Ok(expected));
        }
        // More than 2^32, counted out.
        let mut bytes = vec![31, 0, 0, 0, 0];
        bytes.extend([0, 0, 1]);
        let found = read(&mut Reader::new(&bytes), 1, ALL, &mut Vec::new());
        assert_eq!(found, Ok(Some(0)));
    }
}
