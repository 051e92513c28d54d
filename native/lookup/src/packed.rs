//! The prover that works on sixteen leaves at a time.
//!
//! It sends what [`crate::Plain`] sends. Four things make it faster. The leaves of looked-up rows are
//! made of their columns where they are needed, never written down. Their numerators are 1, so that
//! with D = d + 1/λ their gate is λ·D0·D1 - 1/λ. A round's sums are taken while the round before is
//! folded. And of the padding, in which all nodes of a level are equal, nothing is computed: at every
//! level and in every round it is a constant, whose weight is what the others leave of 1.

use crate::plain::{Levels, ScalarLayer};
use crate::proof::Proof;
use crate::prover::{Column, Engine, ProveError, Tree};
use crate::shape::{Argument, Fingerprint, LANE_BITS, Side};
use crate::verify::{Children, Claims, Fraction};
use commitment::equality;
use p3_field::{ExtensionField, Field, PackedFieldExtension, PackedValue, PrimeCharacteristicRing};
use transcript::{Base, Extension, Transcript};

type Lanes = <Base as Field>::Packing;
type Wide = <Extension as ExtensionField<Base>>::ExtensionPacking;

/// Leaves of a group.
const GROUP: usize = 1 << LANE_BITS;
/// Packed elements of a group.
const PARTS: usize = GROUP / Lanes::WIDTH;
const _: () = assert!(PARTS * Lanes::WIDTH == GROUP);
/// Groups of children that one step takes: two folded nodes with two children each, of two each.
const STEP: usize = 8;
/// Variables of the layers near the root, which are left to the other prover.
const TOP: usize = LANE_BITS + 1;

/// The fast prover.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packed;

impl Engine for Packed {
    fn prove(
        argument: &Argument,
        columns: &[Column<'_>],
        multiplicities: &[Vec<Base>],
        transcript: &mut Transcript,
    ) -> Result<(Proof, Claims), ProveError> {
        argument.check(columns, multiplicities)?;
        let fingerprint = Fingerprint::draw(transcript);
        let mut rows = rows(argument, &fingerprint, columns);
        let mut entries = entries(argument, &fingerprint, multiplicities);
        Ok(argument.run(&mut rows, &mut entries, columns, multiplicities, transcript))
    }
}

/// The tree of the looked-up rows.
fn rows<'a>(
    argument: &Argument,
    fingerprint: &Fingerprint,
    columns: &[Column<'a>],
) -> PackedTree<'a> {
    let side = &argument.rows;
    let blocks = side
        .blocks
        .iter()
        .map(|block| LeafBlock {
            first: block.offset / GROUP,
            constant: fingerprint.of_table(argument.lookups()[block.index].table),
            keys: columns[block.index].keys,
            values: columns[block.index].values,
        })
        .collect();
    let leaves = Leaves {
        blocks,
        beta: fingerprint.beta,
        padding: fingerprint.of(0, argument.tables()[0].at(0)),
        groups: side.cells / GROUP,
        height: side.height,
    };
    let first = leaves.parents();
    PackedTree::new(first, Some(leaves))
}

/// The tree of the tables.
fn entries<'a>(
    argument: &Argument,
    fingerprint: &Fingerprint,
    multiplicities: &[Vec<Base>],
) -> PackedTree<'a> {
    let side: &Side = &argument.entries;
    let groups = side.cells / GROUP;
    let mut level = Level::new(
        side.height,
        groups,
        Fraction {
            numerator: Extension::ZERO,
            denominator: Extension::ONE,
        },
    );
    for block in &side.blocks {
        let table = &argument.tables()[block.index];
        let keys: Vec<Base> = (0..1 << block.variables)
            .map(|entry| table.at(entry).0)
            .collect();
        let of_table = LeafBlock {
            first: 0,
            constant: fingerprint.of_table(block.index),
            keys: &keys,
            values: &argument.lifted[block.index],
        };
        let counts = Lanes::pack_slice(&multiplicities[block.index]);
        for (part, &count) in counts.iter().enumerate() {
            level.nodes.push([
                Wide::from(count),
                of_table.leaf(part, of_table.constant.into(), fingerprint.beta),
            ]);
        }
    }
    level.fill();
    PackedTree::new(level, None)
}

/// The leaves of one column.
struct LeafBlock<'a> {
    /// Its first group.
    first: usize,
    /// What its rows have in common.
    constant: Extension,
    keys: &'a [Base],
    values: &'a [Base],
}

impl LeafBlock<'_> {
    fn groups(&self) -> usize {
        self.keys.len() / GROUP
    }

    /// Key and value of a packed element, counted within the block.
    fn entry(&self, part: usize) -> (Lanes, Option<Lanes>) {
        let at = part * Lanes::WIDTH..(part + 1) * Lanes::WIDTH;
        let key = *Lanes::from_slice(&self.keys[at.clone()]);
        let value = self.values.get(at).map(|values| *Lanes::from_slice(values));
        (key, value)
    }

    /// The leaf above `constant`.
    fn leaf(&self, part: usize, constant: Wide, beta: Extension) -> Wide {
        let (key, value) = self.entry(part);
        match value {
            Some(value) => constant + Wide::from(beta) * value + key,
            None => constant + key,
        }
    }
}

/// The leaves of looked-up rows: fractions with the numerator 1.
struct Leaves<'a> {
    blocks: Vec<LeafBlock<'a>>,
    beta: Extension,
    padding: Extension,
    groups: usize,
    height: usize,
}

impl Leaves<'_> {
    /// The level above the leaves.
    fn parents(&self) -> Level {
        let leaf = Fraction {
            numerator: Extension::ONE,
            denominator: self.padding,
        };
        let padding = Children([leaf, leaf]).sum();
        let mut level = Level::new(self.height - 1, self.groups / 2, padding);
        for block in &self.blocks {
            let constant = Wide::from(block.constant);
            for pair in 0..block.groups() / 2 {
                for part in 0..PARTS {
                    let at = 2 * pair * PARTS + part;
                    let a = block.leaf(at, constant, self.beta);
                    let b = block.leaf(at + PARTS, constant, self.beta);
                    level.nodes.push([a + b, a * b]);
                }
            }
        }
        level.fill();
        level
    }
}

/// One level of a tree: numerators and denominators, group after group.
struct Level {
    nodes: Vec<[Wide; 2]>,
    variables: usize,
    /// Every node beyond those that are kept.
    padding: Fraction,
}

impl Level {
    fn new(variables: usize, groups: usize, padding: Fraction) -> Self {
        Self {
            nodes: Vec::with_capacity((groups + STEP) * PARTS),
            variables,
            padding,
        }
    }

    fn groups(&self) -> usize {
        self.nodes.len() / PARTS
    }

    /// Groups of the whole level.
    const fn all(&self) -> usize {
        1 << (self.variables - LANE_BITS)
    }

    /// Appends padding until the groups are whole steps.
    fn fill(&mut self) {
        let groups = self.groups().next_multiple_of(STEP).min(self.all());
        let padding = [
            Wide::from(self.padding.numerator),
            Wide::from(self.padding.denominator),
        ];
        self.nodes.resize(groups * PARTS, padding);
    }

    fn parents(&self) -> Self {
        let padding = Children([self.padding; 2]).sum();
        let mut level = Self::new(self.variables - 1, self.groups() / 2, padding);
        for pair in self.nodes.chunks_exact(2 * PARTS) {
            let (a, b) = pair.split_at(PARTS);
            for (&[n0, d0], &[n1, d1]) in a.iter().zip(b) {
                level.nodes.push([n0 * d1 + n1 * d0, d0 * d1]);
            }
        }
        level.fill();
        level
    }

    /// The nodes one by one, in their order.
    fn scalars(&self) -> Vec<Fraction> {
        let all = self.all();
        let node = |index: usize| {
            let (lane, group) = (index / all, index % all);
            let of =
                |element: usize| lane_of(|part| self.nodes[group * PARTS + part][element], lane);
            Fraction {
                numerator: of(0),
                denominator: of(1),
            }
        };
        (0..1 << self.variables).map(node).collect()
    }
}

/// A tree whose upper levels are kept as elements, the others packed.
struct PackedTree<'a> {
    /// From the one above the leaves, or that of the leaves, upwards.
    levels: Vec<Level>,
    leaves: Option<Leaves<'a>>,
    top: Levels,
    state: State<'a>,
}

/// The layer that is being reduced.
enum State<'a> {
    Top,
    Scalar(ScalarLayer),
    Rows(Folding<2, Leaves<'a>>),
    Inner(Folding<4, Level>),
}

impl<'a> PackedTree<'a> {
    fn new(first: Level, leaves: Option<Leaves<'a>>) -> Self {
        let mut levels = vec![first];
        while levels[levels.len() - 1].variables > TOP {
            levels.push(levels[levels.len() - 1].parents());
        }
        let top = levels.pop().map(|level| level.scalars());
        Self {
            levels,
            leaves,
            top: Levels::new(top.unwrap_or_default()),
            state: State::Top,
        }
    }
}

impl Tree for PackedTree<'_> {
    fn begin(&mut self, point: &[Extension], lambda: Extension) {
        if point.len() < TOP {
            self.top.begin(point, lambda);
            self.state = State::Top;
            return;
        }
        self.state = match (self.levels.pop(), self.leaves.take()) {
            (Some(level), leaves) => {
                self.leaves = leaves;
                State::Inner(Folding::inner(level, point, lambda))
            }
            (None, Some(leaves)) => State::Rows(Folding::rows(leaves, point, lambda)),
            (None, None) => unreachable!("a tree has as many layers as levels"),
        };
    }

    fn round(&mut self) -> [Extension; 2] {
        match &mut self.state {
            State::Top => self.top.round(),
            State::Scalar(layer) => layer.round(),
            State::Rows(folding) => folding.sums(),
            State::Inner(folding) => folding.sums(),
        }
    }

    fn fold(&mut self, x: Extension) {
        let end = match &mut self.state {
            State::Top => {
                self.top.fold(x);
                None
            }
            State::Scalar(layer) => {
                layer.fold(x);
                None
            }
            State::Rows(folding) => match folding.source.take() {
                Some(leaves) => folding.first_fold(&leaves, x),
                None => folding.fold(x),
            },
            State::Inner(folding) => match folding.source.take() {
                Some(level) => folding.first_fold(&level, x),
                None => folding.fold(x),
            },
        };
        if let Some(layer) = end {
            self.state = State::Scalar(layer);
        }
    }

    fn children(&mut self) -> Children {
        match &self.state {
            State::Top => self.top.layer.children(),
            State::Scalar(layer) => layer.children(),
            State::Rows(_) | State::Inner(_) => unreachable!("all variables are bound"),
        }
    }
}

/// One layer while the variables of its groups are bound.
///
/// A node has N elements: for N = 4 numerator + λ · denominator and denominator of child 0, numerator
/// and denominator of child 1; for N = 2 the D of both children.
struct Folding<const N: usize, S> {
    /// The level of the children, until the first fold.
    source: Option<S>,
    /// Empty until the first fold.
    nodes: Vec<[Wide; N]>,
    padding: [Wide; N],
    /// Variables of groups that are not bound.
    left: usize,
    /// Groups, the last of which may be padding.
    groups: usize,
    /// Weights of the groups once the next variable is bound.
    weights: Vec<Extension>,
    lanes: Vec<Extension>,
    lambda: Extension,
    sums: [[Wide; PARTS]; 2],
}

/// One element of a group's lanes. `parts` are the group's packed elements.
fn lane_of(part: impl Fn(usize) -> Wide, lane: usize) -> Extension {
    // Without vector instructions a packed element is one element.
    #[allow(clippy::modulo_one)]
    let within = lane % Lanes::WIDTH;
    PackedFieldExtension::<Base, Extension>::extract(&part(lane / Lanes::WIDTH), within)
}

/// What a node contributes, but for factor and constant.
fn gate<const N: usize>(node: &[Wide; N]) -> Wide {
    match *node.as_slice() {
        [d0, d1] => d0 * d1,
        [u, d0, n1, d1] => u * d1 + n1 * d0,
        _ => unreachable!("nodes have two or four elements"),
    }
}

fn line<const N: usize>(a: &[Wide; N], b: &[Wide; N], x: Wide) -> [Wide; N] {
    std::array::from_fn(|index| a[index] + x * (b[index] - a[index]))
}

impl<const N: usize, S> Folding<N, S> {
    fn new(
        source: S,
        groups: usize,
        padding: [Extension; N],
        point: &[Extension],
        lambda: Extension,
    ) -> Self {
        let left = point.len() - LANE_BITS;
        let falling =
            |point: &[Extension]| -> Vec<Extension> { point.iter().rev().copied().collect() };
        let (of_groups, of_lanes) = point.split_at(left);
        Self {
            source: Some(source),
            nodes: Vec::new(),
            padding: padding.map(Wide::from),
            left,
            groups,
            weights: equality(&falling(&of_groups[1..]), 1 << (left - 1)),
            lanes: equality(&falling(of_lanes), GROUP),
            lambda,
            sums: [[Wide::ZERO; PARTS]; 2],
        }
    }

    /// Makes room for the nodes after the first fold, and returns their number.
    fn begin_nodes(&mut self) -> usize {
        self.halve_weights();
        let folded = self.groups / 2;
        self.nodes = vec![self.padding; folded * PARTS];
        folded
    }

    /// Adds what the line through two nodes contributes to a round.
    #[inline]
    fn add(sums: &mut [[Wide; PARTS]; 2], part: usize, weight: Wide, a: &[Wide; N], b: &[Wide; N]) {
        let slope: [Wide; N] = std::array::from_fn(|index| b[index] - a[index]);
        sums[0][part] += weight * gate(a);
        sums[1][part] += weight * gate(&slope);
    }

    /// h(0) and the coefficient of X² of the round.
    fn sums(&self) -> [Extension; 2] {
        let total = |sums: &[Wide; PARTS]| -> Extension {
            let lanes = self.lanes.iter().enumerate();
            lanes
                .map(|(lane, &weight)| weight * lane_of(|part| sums[part], lane))
                .sum()
        };
        let [constant, leading] = self.sums.each_ref().map(total);
        let pairs = self.groups.div_ceil(2);
        // The weights of all groups add up to 1.
        let beyond = if pairs == self.weights.len() {
            Extension::ZERO
        } else {
            self.weights[pairs..].iter().copied().sum()
        };
        let constant = constant + beyond * lane_of(|_| gate(&self.padding), 0);
        if N == 2 {
            let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
            [self.lambda * constant - inverse, self.lambda * leading]
        } else {
            [constant, leading]
        }
    }

    /// The weights of one variable less.
    fn halve_weights(&mut self) {
        if self.weights.len() > 1 {
            let pairs = self.weights.chunks_exact(2);
            self.weights = pairs.map(|pair| pair[0] + pair[1]).collect();
        }
    }

    /// Binds the first variable of the groups; after the last one, the layer of the lanes.
    fn fold(&mut self, x: Extension) -> Option<ScalarLayer> {
        let x = Wide::from(x);
        self.halve_weights();
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        let folded = self.groups.div_ceil(2);
        let last = self.left == 1;
        for pair in 0..folded.div_ceil(2) {
            let weight = Wide::from(self.weights[pair]);
            for part in 0..PARTS {
                let at = |group: usize| group * PARTS + part;
                let first = line(&self.nodes[at(4 * pair)], &self.nodes[at(4 * pair + 1)], x);
                self.nodes[at(2 * pair)] = first;
                if last {
                    continue;
                }
                let second = if 2 * pair + 1 < folded {
                    line(
                        &self.nodes[at(4 * pair + 2)],
                        &self.nodes[at(4 * pair + 3)],
                        x,
                    )
                } else {
                    self.padding
                };
                self.nodes[at(2 * pair + 1)] = second;
                Self::add(&mut sums, part, weight, &first, &second);
            }
        }
        self.sums = sums;
        self.bound(folded)
    }

    /// Takes note of a bound variable.
    fn bound(&mut self, folded: usize) -> Option<ScalarLayer> {
        self.left -= 1;
        if self.left == 0 {
            return Some(self.end());
        }
        self.groups = folded.next_multiple_of(2);
        self.nodes.truncate(self.groups * PARTS);
        None
    }

    /// The layer of the lanes.
    fn end(&self) -> ScalarLayer {
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let node = |lane: usize| {
            let elements: [Extension; N] =
                std::array::from_fn(|element| lane_of(|part| self.nodes[part][element], lane));
            let fraction = |numerator, denominator| Fraction {
                numerator,
                denominator,
            };
            match *elements.as_slice() {
                [d0, d1] => Children([d0, d1].map(|d| fraction(Extension::ONE, d - inverse))),
                [u, d0, n1, d1] => Children([fraction(u - self.lambda * d0, d0), fraction(n1, d1)]),
                _ => unreachable!("nodes have two or four elements"),
            }
        };
        ScalarLayer {
            nodes: (0..GROUP).map(node).collect(),
            weights: self.lanes.clone(),
            lambda: self.lambda,
        }
    }
}

impl Folding<4, Level> {
    /// The layer above a level that is kept.
    fn inner(level: Level, point: &[Extension], lambda: Extension) -> Self {
        let Fraction {
            numerator: n,
            denominator: d,
        } = level.padding;
        let groups = level.groups() / 2;
        let mut folding = Self::new(level, groups, [n + lambda * d, d, n, d], point, lambda);
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        if let Some(level) = &folding.source {
            let of_lambda = Wide::from(lambda);
            let quads = level.nodes.chunks_exact(4 * PARTS);
            for (quad, &weight) in quads.zip(&folding.weights) {
                let weight = Wide::from(weight);
                for part in 0..PARTS {
                    let [a, b] = pair_of(quad, part).map(|node| with_lambda(node, of_lambda));
                    Self::add(&mut sums, part, weight, &a, &b);
                }
            }
        }
        folding.sums = sums;
        folding
    }

    fn first_fold(&mut self, level: &Level, x: Extension) -> Option<ScalarLayer> {
        let folded = self.begin_nodes();
        let (x, lambda) = (Wide::from(x), Wide::from(self.lambda));
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        let node = |quad: &[[Wide; 2]], part: usize| {
            let [a, b] = pair_of(quad, part);
            with_lambda(line(&a, &b, x), lambda)
        };
        if folded == 1 {
            for part in 0..PARTS {
                self.nodes[part] = node(&level.nodes, part);
            }
            return self.bound(folded);
        }
        let steps = level.nodes.chunks_exact(STEP * PARTS);
        let nodes = self.nodes.chunks_exact_mut(2 * PARTS);
        for ((step, nodes), &weight) in steps.zip(nodes).zip(&self.weights) {
            let weight = Wide::from(weight);
            let (low, high) = step.split_at(4 * PARTS);
            for part in 0..PARTS {
                let first = node(low, part);
                let second = node(high, part);
                Self::add(&mut sums, part, weight, &first, &second);
                nodes[part] = first;
                nodes[PARTS + part] = second;
            }
        }
        self.sums = sums;
        self.bound(folded)
    }
}

/// Two nodes of four children each: numerators and denominators.
#[inline]
fn pair_of(quad: &[[Wide; 2]], part: usize) -> [[Wide; 4]; 2] {
    [0, 2].map(|group| {
        let [n0, d0] = quad[group * PARTS + part];
        let [n1, d1] = quad[(group + 1) * PARTS + part];
        [n0, d0, n1, d1]
    })
}

/// A node whose first numerator has taken up its denominator.
#[inline]
fn with_lambda([n0, d0, n1, d1]: [Wide; 4], lambda: Wide) -> [Wide; 4] {
    [n0 + lambda * d0, d0, n1, d1]
}

impl<'a> Folding<2, Leaves<'a>> {
    /// The layer above the leaves of looked-up rows.
    fn rows(leaves: Leaves<'a>, point: &[Extension], lambda: Extension) -> Self {
        let inverse = lambda.try_inverse().unwrap_or(Extension::ZERO);
        let padding = leaves.padding + inverse;
        let groups = leaves.groups / 2;
        let mut folding = Self::new(leaves, groups, [padding; 2], point, lambda);
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        if let Some(leaves) = &folding.source {
            for block in &leaves.blocks {
                let constant = Wide::from(block.constant + inverse);
                let weights = &folding.weights[block.first / 4..];
                for (quad, &weight) in (0..block.groups() / 4).zip(weights) {
                    let weight = Wide::from(weight);
                    for part in 0..PARTS {
                        let leaf = |group: usize| {
                            block.leaf((4 * quad + group) * PARTS + part, constant, leaves.beta)
                        };
                        let (a, b) = ([leaf(0), leaf(1)], [leaf(2), leaf(3)]);
                        Self::add(&mut sums, part, weight, &a, &b);
                    }
                }
            }
        }
        folding.sums = sums;
        folding
    }

    fn first_fold(&mut self, leaves: &Leaves<'a>, x: Extension) -> Option<ScalarLayer> {
        let folded = self.begin_nodes();
        let inverse = self.lambda.try_inverse().unwrap_or(Extension::ZERO);
        let of_value = x * leaves.beta;
        let mut sums = [[Wide::ZERO; PARTS]; 2];
        for block in &leaves.blocks {
            let constant = Wide::from(block.constant + inverse);
            let weights = &self.weights[block.first / STEP..];
            let nodes = self.nodes[block.first / 4 * PARTS..].chunks_exact_mut(2 * PARTS);
            let steps = (0..block.groups() / STEP).zip(nodes).zip(weights);
            for ((step, nodes), &weight) in steps {
                let weight = Wide::from(weight);
                for part in 0..PARTS {
                    // Of the leaves at `group` and two groups on.
                    let folded = |group: usize| {
                        let at = (STEP * step + group) * PARTS + part;
                        let (key, value) = block.entry(at);
                        let (next_key, next_value) = block.entry(at + 2 * PARTS);
                        let slope = Wide::from(x) * (next_key - key);
                        let leaf = constant + key + slope;
                        match (value, next_value) {
                            (Some(value), Some(next)) => {
                                leaf + Wide::from(leaves.beta) * value
                                    + Wide::from(of_value) * (next - value)
                            }
                            _ => leaf,
                        }
                    };
                    let first = [folded(0), folded(1)];
                    let second = [folded(4), folded(5)];
                    Self::add(&mut sums, part, weight, &first, &second);
                    nodes[part] = first;
                    nodes[PARTS + part] = second;
                }
            }
        }
        self.sums = sums;
        self.bound(folded)
    }
}
