//! Integers too large for the field, as polynomials in a base.
//!
//! A number is cut into pieces of [`BASE_BITS`] bits; piece i is the coefficient of Xⁱ. An identity of
//! integers is one of polynomials up to a multiple of B − X: N(B) = 0 where N(X) = (B − X)·c(X).
//! Coefficient by coefficient that is N_m = B·c_m − c_{m−1}, small enough to hold over the integers
//! if it holds in the field. The coefficients of c are the carries.

use crate::saturation_tables::MODULUS;

/// Bits of a piece.
pub(crate) const BASE_BITS: u32 = 13;
/// The base.
pub(crate) const BASE: i64 = 1 << BASE_BITS;

/// Least and greatest value.
pub(crate) type Range = (i64, i64);

/// Bits that 0 to `most` take, at least one.
pub(crate) const fn bits(most: i64) -> u32 {
    let bits = 64 - most.leading_zeros();
    if bits == 0 { 1 } else { bits }
}

/// Digits of an integer, the lowest first, all of its sign.
pub(crate) fn digits(number: i64) -> Vec<i64> {
    let mut digits = Vec::new();
    let mut left = number;
    loop {
        digits.push(left % BASE);
        left /= BASE;
        if left == 0 {
            return digits;
        }
    }
}

/// Where a number that is stored from `base` on lies: `base` to `base` + 2^`bits` − 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) base: i64,
    pub(crate) bits: u32,
}

impl Span {
    /// That of all integers of a range, 0 among them.
    pub(crate) fn of((lo, hi): Range) -> Self {
        let (lo, hi) = (lo.min(0), hi.max(0));
        // A base without a lowest digit keeps the carries small, where it takes no more bits.
        let round = lo.div_euclid(BASE) * BASE;
        let base = if bits(hi - round) == bits(hi - lo) {
            round
        } else {
            lo
        };
        Self {
            base,
            bits: bits(hi - base),
        }
    }

    /// The bits of each piece.
    pub(crate) fn pieces(&self) -> Vec<u32> {
        let starts = (0..self.bits).step_by(BASE_BITS as usize);
        starts
            .map(|start| (self.bits - start).min(BASE_BITS))
            .collect()
    }

    /// The ranges of its coefficients.
    pub(crate) fn ranges(&self) -> Vec<Range> {
        let pieces = self.pieces().into_iter().map(|bits| (0, (1 << bits) - 1));
        add(&constant(&digits(self.base)), &pieces.collect::<Vec<_>>())
    }

    /// The greatest number that can be stored.
    pub(crate) const fn most(&self) -> i64 {
        self.base + (1 << self.bits) - 1
    }
}

/// The ranges of known coefficients.
pub(crate) fn constant(coefficients: &[i64]) -> Vec<Range> {
    coefficients.iter().map(|&c| (c, c)).collect()
}

/// The ranges of a sum.
pub(crate) fn add(a: &[Range], b: &[Range]) -> Vec<Range> {
    let at = |ranges: &[Range], index: usize| ranges.get(index).copied().unwrap_or((0, 0));
    (0..a.len().max(b.len()))
        .map(|index| {
            let (a, b) = (at(a, index), at(b, index));
            (a.0 + b.0, a.1 + b.1)
        })
        .collect()
}

/// The ranges of a product.
pub(crate) fn product(a: &[Range], b: &[Range]) -> Vec<Range> {
    let mut sums = vec![(0, 0); (a.len() + b.len()).saturating_sub(1)];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            let ends = times(*a, *b);
            sums[i + j] = (sums[i + j].0 + ends.0, sums[i + j].1 + ends.1);
        }
    }
    sums
}

/// The range of a product.
pub(crate) fn times(a: Range, b: Range) -> Range {
    let ends = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
    ends.into_iter().fold((ends[0], ends[0]), |(low, high), e| {
        (low.min(e), high.max(e))
    })
}

/// The ranges of what is subtracted.
pub(crate) fn negative(ranges: &[Range]) -> Vec<Range> {
    ranges.iter().map(|&(low, high)| (-high, -low)).collect()
}

/// The carries of N, whose coefficients have these ranges; nothing where a coefficient of
/// N − (B − X)·c could be a multiple of the modulus without being zero.
pub(crate) fn carries(ranges: &[Range]) -> Option<Vec<Span>> {
    let count = ranges.len().saturating_sub(1);
    // From below: c_m = (N_m + c_{m−1}) / B.
    let mut found: Vec<Range> = Vec::with_capacity(count);
    let mut before = (0, 0);
    for &(low, high) in &ranges[..count] {
        let (low, high) = (low + before.0, high + before.1);
        before = (-(-low).div_euclid(BASE), high.div_euclid(BASE));
        found.push(before);
    }
    // From above: c_{m−1} = B·c_m − N_m.
    let mut after = (0, 0);
    for index in (0..count).rev() {
        let (low, high) = ranges[index + 1];
        let own = &mut found[index];
        after = (
            own.0.max(BASE * after.0 - high),
            own.1.min(BASE * after.1 - low),
        );
        *own = after;
    }
    let spans: Vec<Span> = found
        .iter()
        .map(|&(low, high)| Span {
            base: low,
            bits: bits((high - low).max(0)),
        })
        .collect();
    let carry = |index: Option<usize>| {
        let span = index.and_then(|index| spans.get(index));
        span.map_or((0, 0), |span| (span.base, span.most()))
    };
    let apart = ranges.iter().enumerate().all(|(index, &(low, high))| {
        let (own, before) = (carry(Some(index)), carry(index.checked_sub(1)));
        let least = i128::from(low) - i128::from(BASE) * i128::from(own.1) + i128::from(before.0);
        let most = i128::from(high) - i128::from(BASE) * i128::from(own.0) + i128::from(before.1);
        -MODULUS < least && most < MODULUS
    });
    apart.then_some(spans)
}

/// The carries of a polynomial whose value at B is 0.
pub(crate) fn carry(coefficients: &[i64]) -> Vec<i64> {
    let lower = coefficients.iter().take(coefficients.len() - 1);
    lower
        .scan(0, |before, &coefficient| {
            *before = (coefficient + *before).div_euclid(BASE);
            Some(*before)
        })
        .collect()
}

/// The value of a polynomial at B.
pub(crate) fn value(coefficients: &[i64]) -> i64 {
    let highest_first = coefficients.iter().rev();
    highest_first.fold(0, |sum, &c| sum * BASE + c)
}

/// The product of two polynomials.
pub(crate) fn multiply(a: &[i64], b: &[i64]) -> Vec<i64> {
    let mut sums = vec![0; (a.len() + b.len()).saturating_sub(1)];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            sums[i + j] += a * b;
        }
    }
    sums
}

/// Adds `by` times a polynomial to another.
pub(crate) fn accumulate(sums: &mut Vec<i64>, by: i64, terms: &[i64]) {
    sums.resize(sums.len().max(terms.len()), 0);
    for (sum, term) in sums.iter_mut().zip(terms) {
        *sum += by * term;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BASE, Span, accumulate, add, carries, carry, constant, digits, multiply, negative, product,
        value,
    };

    #[test]
    fn digits_make_the_number_again() {
        for number in [0, 1, -1, 8191, 8192, -8192, (1 << 40) + 5, -(1 << 32) - 1] {
            let digits = digits(number);
            assert_eq!(value(&digits), number);
            assert!(digits.iter().all(|d| d.abs() < BASE && d * number >= 0));
        }
    }

    #[test]
    fn a_span_holds_its_range_and_zero() {
        for (lo, hi) in [(0, 0), (3, 9), (-9, -3), (-590_350, 590_350), (-1, 1 << 28)] {
            let span = Span::of((lo, hi));
            assert!(span.base <= lo.min(0) && span.most() >= hi.max(0));
            assert!(span.most() < 4 * (hi.max(0) - lo.min(0)).max(1), "{span:?}");
            assert_eq!(span.pieces().iter().sum::<u32>(), span.bits);
            let ranges = span.ranges();
            assert_eq!(
                value(&ranges.iter().map(|r| r.0).collect::<Vec<_>>()),
                span.base
            );
            assert_eq!(
                value(&ranges.iter().map(|r| r.1).collect::<Vec<_>>()),
                span.most()
            );
        }
    }

    #[test]
    fn carries_lie_where_they_are_looked_for() {
        // b·(2y − 1) + r − 2k·a = 0 for the greatest and least of everything.
        let (k, most_a, most_b) = (379_625_062_i64, 5032, 29_148_467);
        let [b, y, r] = [(0, most_b), (-590_350, 590_350), (0, 2 * most_b - 1)].map(Span::of);
        let mut doubled: Vec<_> = y.ranges().iter().map(|&(l, h)| (2 * l, 2 * h)).collect();
        doubled = add(&doubled, &constant(&[-1]));
        let operand = product(&constant(&digits(2 * k)), &[(-most_a, most_a)]);
        let ranges = add(
            &add(&product(&b.ranges(), &doubled), &r.ranges()),
            &negative(&operand),
        );
        let spans = carries(&ranges).unwrap();
        for (a, b) in [
            (most_a, 3_300_000),
            (-most_a, 3_300_001),
            (0, most_b),
            (1, most_b),
            (-1, 3_300_000),
        ] {
            let y = (2 * k * a + b).div_euclid(2 * b);
            let rest = 2 * k * a - b * (2 * y - 1);
            assert!((0..2 * b).contains(&rest));
            let mut own: Vec<i64> = digits(y - Span::of((-590_350, 590_350)).base);
            own = own.iter().map(|d| 2 * d).collect();
            let base: Vec<i64> = digits(Span::of((-590_350, 590_350)).base);
            accumulate(&mut own, 2, &base);
            own[0] -= 1;
            let mut n = multiply(&digits(b), &own);
            accumulate(&mut n, 1, &digits(rest));
            let factor: Vec<i64> = digits(2 * k).iter().map(|d| d * a).collect();
            accumulate(&mut n, -1, &factor);
            assert_eq!(value(&n), 0);
            n.resize(ranges.len(), 0);
            let found = carry(&n);
            assert_eq!(found.len(), spans.len());
            for (c, span) in found.iter().zip(&spans) {
                assert!((span.base..=span.most()).contains(c), "{c} {span:?}");
            }
            assert_eq!(found.last().copied().unwrap_or(0), -n.last().unwrap());
        }
    }

    #[test]
    fn coefficients_that_can_wrap_around_have_no_carries() {
        let wide = (0, 1 << 31);
        assert_eq!(carries(&[wide]), None);
        assert_eq!(carries(&[(0, 5), wide, (-5, 0)]), None);
        assert!(carries(&[(-(1 << 28), 1 << 28), (-(1 << 28), 1 << 28)]).is_some());
    }
}
