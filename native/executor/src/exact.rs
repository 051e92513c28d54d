//! Exact arithmetic in a form that the compiler does many at a time.

/// The largest absolute value.
pub(crate) fn largest(values: &[i32]) -> u64 {
    let values = values.iter().map(|value| value.unsigned_abs());
    u64::from(values.max().unwrap_or(0))
}

/// Adds Σ factors[i] · lines[i], where 32 bits hold the sums. Four lines are taken together, so that
/// sums are loaded and stored once for them.
pub(crate) fn combine(sums: &mut [i32], factors: &[i32], lines: &[i32]) {
    let mut lines = lines.chunks_exact(sums.len());
    let (fours, rest) = factors.as_chunks::<4>();
    for &[a, b, c, d] in fours {
        let [p, q, r, s] = [(); 4].map(|()| lines.next().unwrap_or_default());
        let lines = p.iter().zip(q).zip(r.iter().zip(s));
        for (sum, ((&p, &q), (&r, &s))) in sums.iter_mut().zip(lines) {
            let first = a.wrapping_mul(p).wrapping_add(b.wrapping_mul(q));
            let second = c.wrapping_mul(r).wrapping_add(d.wrapping_mul(s));
            *sum = sum.wrapping_add(first.wrapping_add(second));
        }
    }
    for &factor in rest {
        for (sum, &value) in sums.iter_mut().zip(lines.next().unwrap_or_default()) {
            *sum = sum.wrapping_add(factor.wrapping_mul(value));
        }
    }
}

/// floor(n / d) for 0 < d < 2^31 and |n| < 2^62 where it is below 2^48; else `i64::MAX`, which no
/// tensor holds.
///
/// Found by the processor's binary64 and made exact by what is left.
pub(crate) fn floor_of(n: i64, d: i64) -> i64 {
    // Added to a number below 2^51, it leaves the nearest integer in the low bits.
    const ROUND: f64 = (3_i64 << 51) as f64;
    // n is rounded once and the quotient once: together they are wrong by less than 2^-3.
    let ratio = n as f64 / d as f64;
    let nearest = (ratio + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i64;
    let left = n.wrapping_sub(nearest.wrapping_mul(d));
    if ratio.abs() < (1_i64 << 48) as f64 {
        nearest.wrapping_sub(i64::from(left < 0))
    } else {
        i64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::{combine, floor_of, largest};

    #[test]
    fn quotients_are_rounded_down_exactly() {
        let divisors = [1_i64, 2, 3, 7, 1 << 20, (1 << 29) - 1, (1 << 31) - 1];
        let quotients = [
            0_i64,
            1,
            2,
            1000,
            (1 << 29) - 1,
            (1 << 40) + 1,
            (1 << 48) - 1,
        ];
        for d in divisors {
            for q in quotients {
                if q > (1 << 61) / d {
                    continue;
                }
                for near in [-d, 1 - d, -1, 0, 1, d / 2, d - 1] {
                    for n in [q * d + near, -(q * d + near)] {
                        let wanted = n.div_euclid(d);
                        if wanted.abs() < 1 << 48 {
                            assert_eq!(floor_of(n, d), wanted, "{n} / {d}");
                        }
                    }
                }
            }
        }
        for n in [1 << 48, -(1 << 48), (1 << 62) - 1, -(1 << 62) + 1] {
            assert_eq!(floor_of(n, 1), i64::MAX);
        }
    }

    #[test]
    fn lines_are_combined_as_one_by_one() {
        for count in 0..10 {
            let factors: Vec<i32> = (0..count).map(|at| at * at * 31 - 100).collect();
            let lines: Vec<i32> = (0..count * 5).map(|at| at * 7 - 50).collect();
            let mut sums = [3; 5];
            combine(&mut sums, &factors, &lines);
            for (column, &sum) in sums.iter().enumerate() {
                let values = lines.iter().skip(column).step_by(5);
                let products = factors.iter().zip(values).map(|(f, v)| f * v);
                assert_eq!(sum, 3 + products.sum::<i32>());
            }
        }
        assert_eq!(largest(&[3, i32::MIN, 5]), 1 << 31);
        assert_eq!(largest(&[]), 0);
    }
}
