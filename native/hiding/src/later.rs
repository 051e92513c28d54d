//! What comes after the first fold: WHIR for one vector of the extension field and one linear claim.
//!
//! Nothing in it hides anything, and nothing has to: the vector is uniform. It is
//! `specs/sumcheck-proof.md`, section 7, from step 3 on; what stands for codeword 0 is the caller's.

use crate::channel::{Channel, indices, spread_point};
use crate::code::Code;
use crate::form::equal;
use crate::leaves::{TreeOpening, TreeShape, extensions, leaf_point};
use crate::opening::{Later, LaterRound, Round};
use crate::powers::add_powers;
use crate::rejection::Rejected;
use crate::schedule::Schedule;
use commitment::merkle::Digest;
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Engine, Simd, Sum, add_scaled, dot, equality, unpack};
use transcript::{Base, Extension, HashFunction, Site};

/// A sum of products of two tables, while variables are bound one by one.
pub(crate) struct Folding {
    tables: Simd,
    pub(crate) rounds: Vec<Round>,
    pub(crate) point: Vec<Extension>,
}

impl Folding {
    pub(crate) fn new(values: Vec<Extension>, weights: Vec<Extension>) -> Self {
        Self {
            tables: Simd::new(vec![values, weights]),
            rounds: Vec::new(),
            point: Vec::new(),
        }
    }

    /// Binds so many variables.
    pub(crate) fn fold(&mut self, variables: usize, channel: &mut impl Channel) {
        for _ in 0..variables {
            let sums = self.tables.round();
            let round = [
                sums.first().copied().unwrap_or_default(),
                sums.get(1).copied().unwrap_or_default(),
            ];
            channel.absorb(Site::OpeningRound, &round);
            let x = channel.challenge();
            self.tables.fold(x);
            self.rounds.push(round);
            self.point.push(x);
        }
    }

    /// Values and weights as they are by now.
    pub(crate) fn tables(self) -> (Vec<Extension>, Vec<Extension>) {
        let tables = match self.tables {
            Simd::Packed(tables) => tables.iter().map(|table| unpack(table)).collect(),
            Simd::Short(reference) => reference.tables().to_vec(),
        };
        let mut tables: std::vec::IntoIter<Vec<Extension>> = tables.into_iter();
        let mut next = || tables.next().unwrap_or_default();
        (next(), next())
    }
}

/// Follows the rounds of a fold: the claim that is left, and the point.
pub(crate) fn follow(
    mut claim: Extension,
    rounds: &[Round],
    channel: &mut impl Channel,
) -> (Extension, Vec<Extension>) {
    let mut point = Vec::with_capacity(rounds.len());
    for round in rounds {
        channel.absorb(Site::OpeningRound, round);
        let x = channel.challenge();
        let [constant, square] = *round;
        let linear = claim - constant.double() - square;
        claim = constant + x * (linear + x * square);
        point.push(x);
    }
    (claim, point)
}

/// Opens `values`, of which the sum with `weights` is claimed. `open` opens what stands for codeword 0.
pub(crate) fn prove(
    schedule: &Schedule,
    mut values: Vec<Extension>,
    mut weights: Vec<Extension>,
    open: impl Fn(&[usize]) -> Vec<TreeOpening>,
    channel: &mut impl Channel,
) -> Later {
    let mut code: Option<Code> = None;
    let mut leaves = schedule.rows + schedule.rate;
    let mut left = schedule.rows;
    let opened = |code: &Option<Code>, indices: &[usize]| match code {
        Some(code) => vec![code.open(indices)],
        None => open(indices),
    };
    let mut rounds = Vec::with_capacity(schedule.rounds.len());
    for round in &schedule.rounds {
        let next = Code::of_values(schedule.hash, &values, round.fold, round.rate);
        channel.absorb_roots(Site::OpeningRoot, &[next.root()], &[]);
        let (mut answers, mut tables) = (Vec::new(), Vec::new());
        for _ in 0..round.samples {
            let table = equality(&spread_point(channel, left), 1 << left);
            let answer = dot(&table, &values);
            channel.absorb(Site::OpeningAnswer, &[answer]);
            answers.push(answer);
            tables.push(table);
        }
        let work = channel.work(round.queries.work);
        let indices = indices(channel, round.queries.count, leaves);
        let rows = opened(&code, &indices);
        let batching = channel.challenge();
        let mut power = batching;
        for table in tables {
            add_scaled(&mut weights, power, &table);
            power *= batching;
        }
        let points = indices.iter().map(|&index| {
            let scale = power;
            power *= batching;
            (scale, leaf_point(leaves, index))
        });
        let points: Vec<(Extension, Base)> = points.collect();
        add_powers(&mut weights, &points);
        let mut folding = Folding::new(values, weights);
        folding.fold(round.fold, channel);
        rounds.push(LaterRound {
            root: next.root(),
            answers,
            work,
            leaves: rows,
            fold: std::mem::take(&mut folding.rounds),
        });
        (values, weights) = folding.tables();
        left -= round.fold;
        leaves = left + round.rate;
        code = Some(next);
    }
    channel.absorb(Site::OpeningLast, &values);
    let work = channel.work(schedule.end.work);
    let indices = indices(channel, schedule.end.count, leaves);
    let rows = opened(&code, &indices);
    let last = values.clone();
    let mut folding = Folding::new(values, weights);
    folding.fold(schedule.last(), channel);
    Later {
        rounds,
        last,
        work,
        leaves: rows,
        fold: folding.rounds,
    }
}

/// What stands for codeword 0, as the verifier knows it.
pub(crate) struct First<'a, V> {
    pub(crate) trees: Vec<TreeShape>,
    pub(crate) roots: &'a [Digest],
    /// The value of the leaf of an index, from its leaves in all trees.
    pub(crate) value: V,
}

/// A claim that joined after the first fold.
enum Joined {
    /// The vector at a point.
    Point(Vec<Extension>),
    /// The vector as coefficients of a polynomial, at an element.
    Powers(Base),
}

impl Joined {
    /// Its weights' polynomial at a point.
    fn at(&self, point: &[Extension]) -> Extension {
        match self {
            Self::Point(own) => equal(own, point),
            Self::Powers(x) => {
                let (mut power, mut product) = (*x, Extension::ONE);
                for &coordinate in point.iter().rev() {
                    product *= Extension::ONE + coordinate * (power - Base::ONE);
                    power = power.square();
                }
                product
            }
        }
    }
}

/// Checks that the sum of a vector with weights is `claim`, the vector being the one that stands in
/// codeword 0. `weights` are these weights' polynomial at a point.
pub(crate) fn verify<V>(
    schedule: &Schedule,
    mut claim: Extension,
    proof: &Later,
    first: &First<'_, V>,
    weights: impl FnOnce(&[Extension]) -> Extension,
    channel: &mut impl Channel,
) -> Result<(), Rejected>
where
    V: Fn(usize, &[&[Base]]) -> Extension,
{
    if !proof.fits(schedule) {
        return Err(Rejected::Lengths);
    }
    let mut trees = schedule.trees(first.trees.clone()).into_iter();
    let mut roots = first.roots.to_vec();
    // The coordinates of the last fold: none before codeword 0 has been folded by the caller.
    let mut last_fold: Option<Vec<Extension>> = None;
    let mut point = Vec::with_capacity(schedule.rows);
    // Weight, where the point begins that it is for, and what it is.
    let mut joined: Vec<(Extension, usize, Joined)> = Vec::new();
    for (round, sent) in schedule.rounds.iter().zip(&proof.rounds) {
        let tree = trees.next().unwrap_or_default();
        let left = schedule.rows - point.len();
        channel.absorb_roots(Site::OpeningRoot, &[sent.root], &[]);
        let mut samples = Vec::with_capacity(round.samples);
        for &answer in &sent.answers {
            samples.push((spread_point(channel, left), answer));
            channel.absorb(Site::OpeningAnswer, &[answer]);
        }
        if !channel.worked(round.queries.work, sent.work) {
            return Err(Rejected::Work);
        }
        let leaves = tree.first().map_or(0, |tree| tree.leaves);
        let indices = indices(channel, round.queries.count, leaves);
        check_leaves(schedule.hash, &tree, &roots, &indices, &sent.leaves)?;
        let values = values(&indices, &sent.leaves, last_fold.as_deref(), &first.value);
        let batching = channel.challenge();
        let mut power = batching;
        for (at, answer) in samples {
            claim += power * answer;
            joined.push((power, point.len(), Joined::Point(at)));
            power *= batching;
        }
        for (&index, value) in indices.iter().zip(values) {
            claim += power * value;
            let x = leaf_point(leaves, index);
            joined.push((power, point.len(), Joined::Powers(x)));
            power *= batching;
        }
        let (left, coordinates) = follow(claim, &sent.fold, channel);
        claim = left;
        point.extend_from_slice(&coordinates);
        last_fold = Some(coordinates);
        roots = vec![sent.root];
    }
    let tree = trees.next().unwrap_or_default();
    channel.absorb(Site::OpeningLast, &proof.last);
    if !channel.worked(schedule.end.work, proof.work) {
        return Err(Rejected::Work);
    }
    let leaves = tree.first().map_or(0, |tree| tree.leaves);
    let indices = indices(channel, schedule.end.count, leaves);
    check_leaves(schedule.hash, &tree, &roots, &indices, &proof.leaves)?;
    let values = values(&indices, &proof.leaves, last_fold.as_deref(), &first.value);
    for (&index, value) in indices.iter().zip(values) {
        let x = leaf_point(leaves, index);
        let horner = |sum: Extension, &coefficient: &Extension| sum * x + coefficient;
        let expected = proof.last.iter().rev().fold(Extension::ZERO, horner);
        if expected != value {
            return Err(Rejected::LastPolynomial);
        }
    }
    let (left, coordinates) = follow(claim, &proof.fold, channel);
    point.extend_from_slice(&coordinates);
    let last = dot(&equality(&coordinates, proof.last.len()), &proof.last);
    let others = joined.iter();
    let others = others.map(|(power, from, joined)| *power * joined.at(&point[*from..]));
    let weight: Extension = weights(&point) + others.sum::<Extension>();
    if left == last * weight {
        Ok(())
    } else {
        Err(Rejected::Claim)
    }
}

fn check_leaves(
    function: HashFunction,
    trees: &[TreeShape],
    roots: &[Digest],
    indices: &[usize],
    openings: &[TreeOpening],
) -> Result<(), Rejected> {
    let fits = trees.len() == roots.len() && trees.len() == openings.len();
    let mut all = trees.iter().zip(roots).zip(openings);
    let good = all.all(|((tree, root), opening)| {
        opening.rows.iter().all(|row| row.len() == tree.width)
            && opening.leads_to(function, root, tree.leaves, indices)
    });
    if fits && good {
        Ok(())
    } else {
        Err(Rejected::Leaves)
    }
}

/// The values of opened leaves.
fn values(
    indices: &[usize],
    openings: &[TreeOpening],
    fold: Option<&[Extension]>,
    first: impl Fn(usize, &[&[Base]]) -> Extension,
) -> Vec<Extension> {
    let of_columns = fold.map(|fold| equality(fold, 1 << fold.len()));
    let leaves = indices.iter().enumerate().map(|(at, &index)| {
        let rows = openings.iter().filter_map(|opening| opening.rows.get(at));
        let rows: Vec<&[Base]> = rows.map(Vec::as_slice).collect();
        match (&of_columns, rows.first()) {
            (Some(weights), Some(row)) => dot(weights, &extensions(row)),
            _ => first(index, &rows),
        }
    });
    leaves.collect()
}

impl Later {
    /// Whether all is there, and nothing else.
    fn fits(&self, schedule: &Schedule) -> bool {
        let mut rounds = schedule.rounds.iter().zip(&self.rounds);
        self.rounds.len() == schedule.rounds.len()
            && self.last.len() == 1 << schedule.last()
            && self.fold.len() == schedule.last()
            && rounds.all(|(round, sent)| {
                sent.answers.len() == round.samples && sent.fold.len() == round.fold
            })
    }
}
