//! Tensors that views have repeated: what they are of, with fewer elements.

use crate::maps::{Form, Source, form};
use crate::shape::{coordinates, indicator, split};
use commitment::variables;
use graph::{Graph, Op};
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// How a tensor follows from the one that views have made it of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// That tensor.
    pub tensor: usize,
    /// Where each coordinate of its point is found in the point of the tensor that is viewed.
    sources: Vec<Source>,
    /// Size and coordinates of each axis that is repeated.
    repeated: Vec<(usize, Vec<Source>)>,
}

impl Origin {
    /// The first tensor from which views that permute, fix and repeat coordinates lead to `tensor`,
    /// through tensors whose declared ranges are taken; nothing where more than `views` of them do,
    /// from which those that do are taken away.
    pub(crate) fn of(
        graph: &Graph,
        tensor: usize,
        takes: impl Fn(i32, i32) -> bool,
        views: &mut usize,
    ) -> Option<Self> {
        let own = graph
            .tensor(tensor)
            .map_or(0, |(shape, ..)| coordinates(shape));
        let mut origin = Self {
            tensor,
            sources: (0..own).map(Source::Result).collect(),
            repeated: Vec::new(),
        };
        while origin.step(graph, &takes).is_some() {
            *views = views.checked_sub(1)?;
        }
        Some(origin)
    }

    /// Goes through one view, where there is one to go through.
    fn step(&mut self, graph: &Graph, takes: &impl Fn(i32, i32) -> bool) -> Option<()> {
        let node = graph
            .nodes
            .get(self.tensor.checked_sub(graph.inputs.len())?)?;
        let Op::View { offset, strides } = &node.op else {
            return None;
        };
        let &tensor = node.operands.first()?;
        let (shape, lo, hi) = graph.tensor(tensor)?;
        if !takes(lo, hi) {
            return None;
        }
        let Form::Bits(sources) = form(shape, *offset, strides, &node.shape) else {
            return None;
        };
        let through = |source: &Source| match *source {
            Source::Result(at) => self.sources.get(at).copied(),
            bit @ Source::Bit(_) => Some(bit),
        };
        let through: Vec<Source> = sources.iter().map(through).collect::<Option<_>>()?;
        let parts = split(&node.shape, &self.sources);
        let axes = strides.iter().zip(&node.shape).zip(parts);
        let repeated = axes.filter(|((stride, size), _)| **stride == 0 && **size > 1);
        self.repeated
            .extend(repeated.map(|((_, &size), part)| (size, part.to_vec())));
        self.sources = through;
        self.tensor = tensor;
        Some(())
    }

    /// The factor and the origin's point by which the tensor at `point` is the origin there.
    pub(crate) fn at(&self, point: &[Extension]) -> (Extension, Vec<Extension>) {
        let of = |source: &Source| match *source {
            Source::Result(at) => point.get(at).copied().unwrap_or(Extension::ZERO),
            Source::Bit(bit) => Extension::from_bool(bit),
        };
        let repeated = self.repeated.iter().map(|(size, sources)| {
            let part: Vec<Extension> = sources.iter().map(of).collect();
            indicator(&part, *size)
        });
        (repeated.product(), self.sources.iter().map(of).collect())
    }

    /// The elements of a tensor of this shape, axes padded with `pad`, from those of its origin.
    pub(crate) fn spread(
        &self,
        shape: &[usize],
        origin: &[Extension],
        pad: Extension,
    ) -> Vec<Extension> {
        let last = self.sources.len();
        let weight = |place: usize| 1_usize << (last - 1 - place);
        let mut from = vec![0_usize; coordinates(shape)];
        let mut fixed = 0;
        for (place, source) in self.sources.iter().enumerate() {
            match *source {
                Source::Result(at) => from[at] += weight(place),
                Source::Bit(bit) => fixed += if bit { weight(place) } else { 0 },
            }
        }
        // Place of each element, and where in the origin it is.
        let mut cells = vec![(0_usize, fixed)];
        for (&size, from) in shape.iter().zip(split(shape, &from)) {
            let of = |index: usize| -> usize {
                let bits = from.iter().rev().enumerate();
                bits.map(|(bit, &step)| (index >> bit & 1) * step).sum()
            };
            let own: Vec<usize> = (0..size).map(of).collect();
            cells = cells
                .iter()
                .flat_map(|&(place, at)| {
                    let line = own.iter().enumerate();
                    line.map(move |(index, &step)| ((place << variables(size)) + index, at + step))
                })
                .collect();
        }
        let mut table = vec![pad; 1 << coordinates(shape)];
        for (place, at) in cells {
            table[place] = origin[at];
        }
        table
    }
}
