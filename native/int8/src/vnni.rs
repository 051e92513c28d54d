//! The sums with AVX-512 VNNI: one instruction adds four products of a byte without a sign and one
//! with it to each of sixteen 32-bit lanes.
//!
//! A limb is four bytes, so that a weight has twenty *planes*. The sums of the planes are put
//! together at the end: limb = Σ 2^(8 i) · plane i. A lane takes at most 255 · 128 · 4 in a step;
//! after `STEPS` of them it is emptied, far below 2^31.
// Loads and stores through these pointers ask for no alignment.
#![allow(unsafe_code, clippy::cast_ptr_alignment)]

use super::{LIMBS, Sum, Weight};
use core::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm_maskz_loadu_epi8, _mm_unpackhi_epi8, _mm_unpackhi_epi16,
    _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm512_add_epi32, _mm512_castsi128_si512,
    _mm512_dpbusd_epi32, _mm512_inserti32x4, _mm512_loadu_si512, _mm512_maskz_loadu_epi8,
    _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_storeu_si512,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Bytes of a vector.
pub const LANES: usize = 64;
/// Bytes of a limb, and products that one lane adds in a step.
pub const BYTES: usize = 4;
const PLANES: usize = LIMBS * BYTES;
/// 32-bit lanes of a vector.
const WORDS: usize = LANES / BYTES;
/// Steps after which lanes are emptied: so long that this is cheap, so short that a few rows of so
/// many vectors stay in the nearest cache.
const STEPS: usize = 32;
/// Rows that share what is read of the planes.
const ROWS: usize = 4;
/// Planes whose sums for `ROWS` rows stay in registers.
const GROUP: usize = 5;

pub fn combine_columns(sets: &[&[Weight]], width: usize, matrix: &[i8]) -> Vec<Vec<Sum>> {
    let sets: Vec<_> = sets.iter().map(|weights| planes(weights)).collect();
    let mut sums = vec![vec![[0; LIMBS]; matrix.len() / width]; sets.len()];
    for first in (0..width).step_by(STEPS * LANES) {
        let last = (first + STEPS * LANES).min(width);
        for (place, rows) in matrix.chunks(ROWS * width).enumerate() {
            // What was read of the rows serves all sets.
            for (planes, sums) in sets.iter().zip(&mut sums) {
                let planes = &planes[first / LANES..last.div_ceil(LANES)];
                let sums = &mut sums[place * ROWS..];
                let mut row = rows.chunks_exact(width).map(|row| &row[first..last]);
                // SAFETY: the instructions are those that this module is compiled for.
                unsafe {
                    if row.len() == ROWS {
                        let rows = [(); ROWS].map(|()| row.next().unwrap_or_default());
                        add_dots(planes, rows, sums);
                    } else {
                        for (row, sum) in row.zip(sums) {
                            add_dots(planes, [row], std::slice::from_mut(sum));
                        }
                    }
                }
            }
        }
    }
    sums
}

/// The bytes of the weights: in each vector 64 weights, twenty planes; zero beyond the last.
fn planes(weights: &[Weight]) -> Vec<[[u8; LANES]; PLANES]> {
    let vectors = weights.chunks(LANES).map(|weights| {
        let mut vector = [[0; LANES]; PLANES];
        for (lane, weight) in weights.iter().enumerate() {
            for (plane, byte) in weight
                .iter()
                .flat_map(|limb| limb.to_le_bytes())
                .enumerate()
            {
                vector[plane][lane] = byte;
            }
        }
        vector
    });
    vectors.collect()
}

/// Adds the sums of `R` rows of one length, of at most `STEPS` vectors, of which the last may be cut
/// off.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_dots<const R: usize>(planes: &[[[u8; LANES]; PLANES]], rows: [&[i8]; R], sums: &mut [Sum]) {
    // Of each row the sums of all planes, one row after another.
    let mut lanes = [_mm512_setzero_si512(); ROWS * PLANES];
    let vectors = rows.map(|row| row.as_chunks::<LANES>());
    for group in 0..PLANES / GROUP {
        let mut of_rows = [[_mm512_setzero_si512(); GROUP]; R];
        for (step, planes) in planes.iter().enumerate() {
            let values = vectors.map(|(whole, rest)| match whole.get(step) {
                Some(values) => load(values),
                None => load(rest),
            });
            for (index, plane) in planes[group * GROUP..][..GROUP].iter().enumerate() {
                // SAFETY: a plane has as many bytes as are read; no alignment is asked for.
                let plane = unsafe { _mm512_loadu_si512(plane.as_ptr().cast::<__m512i>()) };
                for (sums, &values) in of_rows.iter_mut().zip(&values) {
                    sums[index] = _mm512_dpbusd_epi32(sums[index], plane, values);
                }
            }
        }
        for (row, sums) in of_rows.iter().enumerate() {
            lanes[row * PLANES + group * GROUP..][..GROUP].copy_from_slice(sums);
        }
    }
    let mut totals = [0_i32; ROWS * PLANES];
    for (totals, lanes) in totals
        .as_chunks_mut::<WORDS>()
        .0
        .iter_mut()
        .zip(lanes.as_chunks().0)
    {
        let total = total(lanes);
        // SAFETY: sixteen words of four bytes are written to as many.
        unsafe { _mm512_storeu_si512(totals.as_mut_ptr().cast::<__m512i>(), total) };
    }
    for (sum, totals) in sums.iter_mut().zip(totals.as_chunks::<PLANES>().0) {
        add(sum, totals.map(i64::from));
    }
}

/// The sums of the lanes of sixteen vectors, each in the lane of its number. They are below 2^31.
#[target_feature(enable = "avx512f")]
fn total(lanes: &[__m512i; WORDS]) -> __m512i {
    // Each step adds up halves: of pairs of lanes, of quarters, of the vector.
    let pairs: [__m512i; 8] = std::array::from_fn(|i| {
        let (a, b) = (lanes[2 * i], lanes[2 * i + 1]);
        _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b))
    });
    let fours: [__m512i; 4] = std::array::from_fn(|i| {
        let (a, b) = (pairs[2 * i], pairs[2 * i + 1]);
        _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
    });
    let halves: [__m512i; 2] = std::array::from_fn(|i| {
        let (a, b) = (fours[2 * i], fours[2 * i + 1]);
        let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b);
        let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b);
        _mm512_add_epi32(even, odd)
    });
    let [a, b] = halves;
    let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b);
    let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b);
    _mm512_add_epi32(even, odd)
}

/// The first 64 bytes, or those that there are, followed by zeros.
#[target_feature(enable = "avx512f,avx512bw")]
fn load(values: &[i8]) -> __m512i {
    if values.len() >= LANES {
        // SAFETY: there are 64 bytes; no alignment is asked for.
        return unsafe { _mm512_loadu_si512(values.as_ptr().cast::<__m512i>()) };
    }
    let mask = (1_u64 << values.len()) - 1;
    // SAFETY: bytes beyond the slice are masked, and masked bytes are not read.
    unsafe { _mm512_maskz_loadu_epi8(mask, values.as_ptr()) }
}

/// Adds the sums of the planes of each limb.
fn add(sum: &mut Sum, planes: [i64; PLANES]) {
    for (sum, planes) in sum.iter_mut().zip(planes.chunks_exact(BYTES)) {
        for (byte, plane) in planes.iter().enumerate() {
            *sum += plane << (8 * byte);
        }
    }
}

/// Rows whose lanes are emptied together.
const DEEP: usize = BYTES * 64;
/// Four rows of a strip of 64 columns: in each vector 16 columns, the four values of a column
/// beside each other.
type Strip = [__m512i; WORDS / BYTES];

pub fn combine_rows(weights: &[Weight], matrix: &[i8], columns: usize) -> Vec<Sum> {
    let mut sums = vec![[0; LIMBS]; columns];
    for (weights, rows) in weights.chunks(DEEP).zip(matrix.chunks(DEEP * columns)) {
        let words = words(weights);
        for (strip, sums) in sums.chunks_mut(LANES).enumerate() {
            // SAFETY: the instructions are those that this module is compiled for.
            unsafe { add_strip(&words, rows, columns, strip * LANES, sums) };
        }
    }
    sums
}

/// The bytes of the weights: for each four rows twenty planes of one byte a row; zero beyond the
/// last.
fn words(weights: &[Weight]) -> Vec<[i32; PLANES]> {
    let words = weights.chunks(BYTES).map(|weights| {
        let mut word = [[0; BYTES]; PLANES];
        for (row, weight) in weights.iter().enumerate() {
            for (plane, byte) in weight
                .iter()
                .flat_map(|limb| limb.to_le_bytes())
                .enumerate()
            {
                word[plane][row] = byte;
            }
        }
        word.map(i32::from_le_bytes)
    });
    words.collect()
}

/// Adds the columns from `first` on to their sums, of which there are at most 64.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512vl")]
fn add_strip(words: &[[i32; PLANES]], rows: &[i8], columns: usize, first: usize, sums: &mut [Sum]) {
    let width = sums.len();
    let mut strips = [[_mm512_setzero_si512(); WORDS / BYTES]; DEEP / BYTES];
    let mut row = rows
        .chunks_exact(columns)
        .map(|row| &row[first..first + width]);
    for strip in strips.iter_mut().take(words.len()) {
        *strip = interleave([(); BYTES].map(|()| row.next().unwrap_or_default()));
    }
    for (part, sums) in sums.chunks_mut(WORDS).enumerate() {
        let mut lanes = [_mm512_setzero_si512(); PLANES];
        for (strip, word) in strips.iter().zip(words) {
            for (lanes, &bytes) in lanes.iter_mut().zip(word) {
                *lanes = _mm512_dpbusd_epi32(*lanes, _mm512_set1_epi32(bytes), strip[part]);
            }
        }
        let mut stored = [[0_i32; WORDS]; PLANES];
        for (stored, &lanes) in stored.iter_mut().zip(&lanes) {
            // SAFETY: sixteen words of four bytes are written to as many.
            unsafe { _mm512_storeu_si512(stored.as_mut_ptr().cast::<__m512i>(), lanes) };
        }
        for (column, sum) in sums.iter_mut().enumerate() {
            add(sum, stored.each_ref().map(|lanes| i64::from(lanes[column])));
        }
    }
}

/// Four rows of at most 64 columns; rows and columns that are missing are zero.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn interleave(rows: [&[i8]; BYTES]) -> Strip {
    let mut strip = [_mm512_setzero_si512(); WORDS / BYTES];
    for (part, strip) in strip.iter_mut().enumerate() {
        let [a, b, c, d] = rows.map(|row| sixteen(row.get(part * WORDS..).unwrap_or_default()));
        let (low, high) = (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b));
        let (low2, high2) = (_mm_unpacklo_epi8(c, d), _mm_unpackhi_epi8(c, d));
        let first = _mm512_castsi128_si512(_mm_unpacklo_epi16(low, low2));
        let two = _mm512_inserti32x4::<1>(first, _mm_unpackhi_epi16(low, low2));
        let three = _mm512_inserti32x4::<2>(two, _mm_unpacklo_epi16(high, high2));
        *strip = _mm512_inserti32x4::<3>(three, _mm_unpackhi_epi16(high, high2));
    }
    strip
}

/// The first sixteen bytes, or those that there are, followed by zeros.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn sixteen(values: &[i8]) -> __m128i {
    if values.len() >= WORDS {
        // SAFETY: there are sixteen bytes; no alignment is asked for.
        return unsafe { _mm_loadu_si128(values.as_ptr().cast::<__m128i>()) };
    }
    let mask = (1_u16 << values.len()) - 1;
    // SAFETY: bytes beyond the slice are masked, and masked bytes are not read.
    unsafe { _mm_maskz_loadu_epi8(mask, values.as_ptr()) }
}
