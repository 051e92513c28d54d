//! The sums with AVX-512 VNNI: one instruction adds four products of a byte without a sign and one
//! with it to each of sixteen 32-bit lanes.
//!
//! A limb is four bytes, so that a weight has twenty *planes*. The sums of the planes are put
//! together at the end: limb = Σ 2^(8 i) · plane i. A lane takes at most 255 · 128 · 4 in a step;
//! after `DEEP / BYTES` of them it is emptied, far below 2^31.
// Loads and stores through these pointers ask for no alignment.
#![allow(unsafe_code, clippy::cast_ptr_alignment)]

use super::{LIMBS, Sum, Weight};
use core::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm_maskz_loadu_epi8, _mm_unpackhi_epi8, _mm_unpackhi_epi16,
    _mm_unpacklo_epi8, _mm_unpacklo_epi16, _mm512_castsi128_si512, _mm512_dpbusd_epi32,
    _mm512_inserti32x4, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_storeu_si512,
};

/// Bytes of a vector.
pub const LANES: usize = 64;
/// Bytes of a limb, and products that one lane adds in a step.
pub const BYTES: usize = 4;
const PLANES: usize = LIMBS * BYTES;
/// 32-bit lanes of a vector.
const WORDS: usize = LANES / BYTES;
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
