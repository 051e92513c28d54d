//! Statistics of many samples of a few classes, and how unlikely they are where all classes are one.
//!
//! ```text
//! uniform       chi-square of the low and of the high byte of each position against the even distribution
//! classes       chi-square of two samples, of both bytes of each position
//! pairs         Σ x·y of random pairs of positions, x and y about 0
//! classifier    rate of a logistic regression that has learnt from one half, on the other
//! ```
//!
//! Each figure comes with *nats*: minus the logarithm of a bound on the probability that it is as large by
//! chance. For chi-square with k degrees P(χ² ≥ k + 2√(k·x) + 2x) ≤ e^−x (Laurent and Massart, Annals of
//! Statistics 28, lemma 1), less ln 1000 for the distance of counts, of which at least 30 are expected, from
//! that distribution; for pairs and classifier Hoeffding's bound, which is exact. A run of M figures fails where
//! one of them has more than ln(M / 10⁻⁶) nats: with probability below 10⁻⁶ for a sound build, by the union
//! bound, whatever depends on what.

use std::collections::BTreeMap;

/// A sound build fails with less.
pub const FAILURE: f64 = 1e-6;
/// Off the nats of each chi-square.
const RESERVE: f64 = 6.907_755_278_982_137;
/// Counts that are expected in a cell at least.
const EXPECTED: usize = 30;
/// Cells of a byte at most.
const MOST_CELLS: usize = 256;
/// The order of the base field.
const ORDER: u64 = 2_130_706_433;

/// What a position holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field element that must be uniform.
    Uniform,
    /// Another word, which must have one distribution in all classes.
    Alike,
}

/// Cells into which a byte falls, so that each can be expected to hold enough of so many samples.
fn cells(samples: usize) -> usize {
    let most = (samples / EXPECTED).clamp(2, MOST_CELLS);
    1 << most.ilog2()
}

/// How often each cell of each byte of each position was hit by the samples of a class.
pub struct Tally {
    kinds: Vec<Kind>,
    cells: usize,
    counts: Vec<u32>,
    samples: usize,
    /// Positions whose values are kept, and these, sample by sample.
    kept: Vec<usize>,
    values: Vec<u32>,
}

impl Tally {
    /// For so many samples of positions of these kinds.
    pub fn new(kinds: &[Kind], samples: usize, kept: &[usize]) -> Self {
        let cells = cells(samples);
        Self {
            kinds: kinds.to_vec(),
            cells,
            counts: vec![0; 2 * cells * kinds.len()],
            samples: 0,
            kept: kept.to_vec(),
            values: Vec::with_capacity(samples * kept.len()),
        }
    }

    pub fn add(&mut self, sample: &[u32]) {
        assert_eq!(sample.len(), self.kinds.len(), "a sample of another length");
        let cells = self.cells as u64;
        let places = self.counts.chunks_exact_mut(2 * self.cells);
        for ((&value, &kind), counts) in sample.iter().zip(&self.kinds).zip(places) {
            let order = if kind == Kind::Uniform {
                ORDER
            } else {
                1 << 32
            };
            let low = u64::from(value & 255) * cells / 256;
            let high = u64::from(value) * cells / order;
            counts[low as usize] += 1;
            counts[(cells + high) as usize] += 1;
        }
        let kept = self.kept.iter().map(|&position| sample[position]);
        self.values.extend(kept);
        self.samples += 1;
    }

    /// Adds the samples of another one.
    pub fn join(&mut self, other: &Self) {
        for (own, &more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
        self.values.extend_from_slice(&other.values);
        self.samples += other.samples;
    }

    /// Position, whether it is the high byte, and the counts.
    fn each(&self) -> impl Iterator<Item = (usize, usize, &[u32])> {
        let all = self.counts.chunks_exact(self.cells).enumerate();
        all.map(|(number, counts)| (number / 2, number % 2, counts))
    }

    /// The values of a sample that are kept, about 0.
    fn centred(&self, sample: usize) -> impl Iterator<Item = f64> {
        let width = self.kept.len();
        let values = &self.values[sample * width..(sample + 1) * width];
        values.iter().map(|&value| centred(value))
    }
}

fn centred(value: u32) -> f64 {
    f64::from(value) / ORDER as f64 - 0.5
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    pub family: &'static str,
    #[allow(dead_code, reason = "it is printed where a figure is beyond the limit")]
    pub what: String,
    /// The position that it is about, where it is about one.
    pub position: Option<usize>,
    pub nats: f64,
}

/// All figures of a run.
#[derive(Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    fn add(&mut self, family: &'static str, what: String, position: Option<usize>, nats: f64) {
        self.0.push(Figure {
            family,
            what,
            position,
            nats,
        });
    }

    /// Nats that no figure of a sound build has.
    pub fn limit(&self) -> f64 {
        (self.0.len() as f64 / FAILURE).ln()
    }

    /// Figures beyond the limit.
    pub fn beyond(&self) -> Vec<&Figure> {
        let limit = self.limit();
        self.0.iter().filter(|own| own.nats >= limit).collect()
    }

    /// Of each family how many figures there are, and the nats of the most unlikely one.
    pub fn families(&self) -> BTreeMap<&'static str, (usize, f64)> {
        let mut found: BTreeMap<&'static str, (usize, f64)> = BTreeMap::new();
        for figure in &self.0 {
            let (count, most) = found.entry(figure.family).or_default();
            *count += 1;
            *most = most.max(figure.nats);
        }
        found
    }

    /// Uniformity of the positions that must be uniform.
    pub fn uniform(&mut self, class: &str, tally: &Tally) {
        let expected = tally.samples as f64 / tally.cells as f64;
        for (position, byte, counts) in tally.each() {
            if tally.kinds[position] == Kind::Uniform {
                let square = |&count: &u32| (f64::from(count) - expected).powi(2) / expected;
                let statistic = counts.iter().map(square).sum();
                let what = format!("{class}, position {position}, byte {byte}");
                let nats = of_chi_square(statistic, tally.cells - 1);
                self.add("uniform", what, Some(position), nats);
            }
        }
    }

    /// That two classes with equally many samples are one.
    pub fn alike(&mut self, classes: [&str; 2], tallies: [&Tally; 2]) {
        assert_eq!(tallies[0].samples, tallies[1].samples);
        let both = tallies[0].each().zip(tallies[1].each());
        for ((position, byte, first), (_, _, second)) in both {
            let (statistic, degrees) = two_samples(first, second);
            let what = format!("{classes:?}, position {position}, byte {byte}");
            let nats = of_chi_square(statistic, degrees);
            self.add("classes", what, Some(position), nats);
        }
    }

    /// That random pairs of positions have nothing to do with each other. Only positions that are kept and
    /// must be uniform take part.
    pub fn pairs(&mut self, class: &str, tally: &Tally, pairs: &[[usize; 2]]) {
        let mut sums = vec![0.0; pairs.len()];
        for sample in 0..tally.samples {
            let values: Vec<f64> = tally.centred(sample).collect();
            for (sum, &[a, b]) in sums.iter_mut().zip(pairs) {
                *sum += values[a] * values[b];
            }
        }
        // |x·y| ≤ 1/4, so that P(|Σ x·y| ≥ t) ≤ 2·exp(−8t²/n).
        for (sum, pair) in sums.iter().zip(pairs) {
            let nats = 8.0 * sum * sum / tally.samples as f64 - std::f64::consts::LN_2;
            let [a, b] = pair.map(|kept| tally.kept[kept]);
            let what = format!("{class}, positions {a} and {b}");
            self.add("pairs", what, None, nats);
        }
    }

    /// That what was learnt of two classes from one half of their samples tells nothing of the other.
    pub fn classifier(&mut self, classes: [&str; 2], tallies: [&Tally; 2]) -> f64 {
        let half = tallies[0].samples / 2;
        let learnt = Logistic::learn(tallies, half);
        let mut right = 0;
        for sample in half..2 * half {
            for (class, tally) in tallies.iter().enumerate() {
                let says = learnt.odds(&features(tally, sample)) > 0.0;
                right += usize::from(says == (class == 1));
            }
        }
        let tried = 2 * half;
        let rate = right as f64 / tried as f64;
        // Pairs of samples, one of each class, are exchangeable: P(|rate − 1/2| ≥ t) ≤ 2·exp(−2·half·t²).
        let nats = 2.0 * half as f64 * (rate - 0.5).powi(2) - std::f64::consts::LN_2;
        let what = format!("{classes:?}, rate {rate:.4}");
        self.add("classifier", what, None, nats);
        rate
    }
}

/// The x of the bound with which a statistic is reached, less the reserve; 0 for what is no surprise.
fn of_chi_square(statistic: f64, degrees: usize) -> f64 {
    let k = degrees as f64;
    let root = ((2.0 * statistic - k).max(k).sqrt() - k.sqrt()) / 2.0;
    (root * root - RESERVE).max(0.0)
}

/// Pearson's statistic of two samples of one size, with its degrees. Cells that are hit too seldom are one.
fn two_samples(first: &[u32], second: &[u32]) -> (f64, usize) {
    let mut rest = [0_u32; 2];
    let mut cells = Vec::with_capacity(first.len() + 1);
    for (&a, &b) in first.iter().zip(second) {
        if (a + b) as usize >= EXPECTED {
            cells.push([a, b]);
        } else {
            rest = [rest[0] + a, rest[1] + b];
        }
    }
    if rest != [0, 0] {
        cells.push(rest);
    }
    let squares = cells.iter().map(|&[a, b]| {
        let difference = f64::from(a) - f64::from(b);
        difference * difference / f64::from(a + b)
    });
    (squares.sum(), cells.len().saturating_sub(1).max(1))
}

/// What a classifier sees of a sample: each value, and its low byte, which has another place.
fn features(tally: &Tally, sample: usize) -> Vec<f64> {
    let width = tally.kept.len();
    let values = &tally.values[sample * width..(sample + 1) * width];
    let low = values
        .iter()
        .map(|&value| f64::from(value & 255) / 255.0 - 0.5);
    tally.centred(sample).chain(low).collect()
}

/// A logistic regression.
struct Logistic {
    weights: Vec<f64>,
    bias: f64,
}

impl Logistic {
    const ROUNDS: usize = 3;
    const RATE: f64 = 0.05;

    /// Learns from the first samples of both classes, by gradient descent one sample after another.
    fn learn(tallies: [&Tally; 2], samples: usize) -> Self {
        let mut own = Self {
            weights: vec![0.0; 2 * tallies[0].kept.len()],
            bias: 0.0,
        };
        for round in 0..Self::ROUNDS {
            let rate = Self::RATE / (round + 1) as f64;
            for sample in 0..samples {
                for (class, tally) in tallies.iter().enumerate() {
                    let features = features(tally, sample);
                    let says = 1.0 / (1.0 + (-own.odds(&features)).exp());
                    let step = rate * (class as f64 - says);
                    for (weight, feature) in own.weights.iter_mut().zip(&features) {
                        *weight += step * feature;
                    }
                    own.bias += step;
                }
            }
        }
        own
    }

    fn odds(&self, features: &[f64]) -> f64 {
        let products = self.weights.iter().zip(features).map(|(w, x)| w * x);
        self.bias + products.sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::{FAILURE, Figures, Kind, ORDER, Tally, of_chi_square};
    use crate::models::graphs::Random;

    const SAMPLES: usize = 2000;

    fn uniform(random: &mut Random) -> u32 {
        ((random.below(1 << 30) as u64 * ORDER) >> 30) as u32
    }

    /// Samples of three positions.
    fn tally(seed: u64, value: impl Fn(&mut Random, u32) -> u32) -> Tally {
        let mut random = Random(seed);
        let mut tally = Tally::new(
            &[Kind::Uniform, Kind::Uniform, Kind::Alike],
            SAMPLES,
            &[0, 1],
        );
        for _ in 0..SAMPLES {
            let first = uniform(&mut random);
            let second = value(&mut random, first);
            let work = (uniform(&mut random) % 50) * (uniform(&mut random) % 50);
            tally.add(&[first, second, work]);
        }
        tally
    }

    fn found(first: &Tally, second: &Tally) -> Vec<&'static str> {
        let mut figures = Figures::default();
        for tally in [first, second] {
            figures.uniform("a class", tally);
            figures.pairs("a class", tally, &[[0, 1]]);
        }
        figures.alike(["first", "second"], [first, second]);
        figures.classifier(["first", "second"], [first, second]);
        assert!(figures.limit() > (1.0 / FAILURE).ln());
        let mut found: Vec<_> = figures.beyond().iter().map(|own| own.family).collect();
        found.dedup();
        found
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let honest = || tally(3, |random, _| uniform(random));
        assert_eq!(
            found(&honest(), &tally(4, |random, _| uniform(random))),
            [""; 0]
        );
    }

    #[test]
    fn each_kind_of_figure_finds_what_it_is_for() {
        let honest = tally(5, |random, _| uniform(random));
        // A low byte that has few values in all classes.
        let few = |seed| tally(seed, |random, _| uniform(random) & !127);
        assert_eq!(found(&few(6), &few(7)), ["uniform"]);
        // A high byte that is small in one: a tenth of all is left out.
        let small = tally(8, |random, _| (f64::from(uniform(random)) * 0.9) as u32);
        let all = ["uniform", "classes"];
        assert_eq!(found(&honest, &small)[..2], all);
        // Positions that are one.
        let equal = |seed| tally(seed, |_, first| first);
        assert_eq!(found(&equal(9), &equal(10)), ["pairs"]);
        // Each class on its own side of 0.
        let above = |random: &mut Random| (u64::from(uniform(random)) / 2 + ORDER / 2) as u32;
        let below = tally(11, |random, _| uniform(random) / 2);
        let above = tally(12, |random, _| above(random));
        assert!(found(&below, &above).contains(&"classifier"));
    }

    #[test]
    fn nats_are_those_of_the_bound() {
        for (degrees, x) in [(3, 20.0_f64), (255, 40.0)] {
            let k = f64::from(degrees);
            let statistic = k + 2.0 * (k * x).sqrt() + 2.0 * x;
            let nats = of_chi_square(statistic, degrees as usize);
            assert!((nats + super::RESERVE - x).abs() < 1e-9);
            assert!(of_chi_square(k / 2.0, degrees as usize) < 1e-9);
        }
    }
}
