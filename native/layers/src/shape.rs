//! What of a graph's nodes the reduction needs: Linear and Conv alike, as one kind of contraction.

use commitment::{Size, variables};
use graph::{Graph, Op, Weight};

/// One spatial dimension of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Positions of the operand.
    pub input: usize,
    /// Positions of the result.
    pub output: usize,
    /// Size of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Step within the window.
    pub dilation: usize,
    /// Zeros before the operand.
    pub pad: usize,
}

impl Axis {
    /// Of one position, which is read once: what a second dimension is where there is only one.
    pub(crate) const SINGLE: Self = Self {
        input: 1,
        output: 1,
        kernel: 1,
        stride: 1,
        dilation: 1,
        pad: 0,
    };

    /// The operand's position that result `output` reads at `kernel`, unless it is padding.
    pub const fn source(&self, output: usize, kernel: usize) -> Option<usize> {
        let padded = output * self.stride + kernel * self.dilation;
        if padded >= self.pad && padded - self.pad < self.input {
            Some(padded - self.pad)
        } else {
            None
        }
    }

    /// The results that read the operand at `kernel`, and not padding, each with the position that
    /// it reads.
    pub(crate) fn reach(self, kernel: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
        let (pad, stride, shift) = (self.pad, self.stride, kernel * self.dilation);
        let first = pad.saturating_sub(shift).div_ceil(stride);
        let past = (self.input + pad).saturating_sub(shift).div_ceil(stride);
        let outputs = first..past.min(self.output);
        outputs.map(move |output| (output, output * stride + shift - pad))
    }

    /// For each of the operand's positions, whether some result reads it.
    pub(crate) fn sources(&self) -> Vec<bool> {
        let mut read = vec![false; self.input];
        for kernel in 0..self.kernel {
            for (_, source) in self.reach(kernel) {
                read[source] = true;
            }
        }
        read
    }
}

/// A weighted contraction: a Linear node is a convolution without spatial dimensions, whose batch
/// are all positions and whose channels are the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contraction {
    /// Tensor id of the operand.
    pub operand: usize,
    /// Tensor id of the result.
    pub result: usize,
    /// Constant id of the bias.
    pub bias: Option<usize>,
    /// Size of the weight matrix.
    pub size: Size,
    /// Outermost positions.
    pub batch: usize,
    /// Groups of channels.
    pub groups: usize,
    /// Channels of the operand in one group.
    pub channels: usize,
    /// Spatial dimensions, none to two.
    pub axes: Vec<Axis>,
}

impl Contraction {
    /// Elements of the operand once it is weighted over the positions.
    pub const fn operand_elements(&self) -> usize {
        self.groups.saturating_mul(self.size.columns)
    }

    /// What weighting the operand takes: the most elements at a time, and products in all.
    pub fn effort(&self) -> (usize, usize) {
        let image = self.axes.iter().map(|axis| axis.input);
        let channels = self.groups.saturating_mul(self.channels);
        // Axis after axis from the last, positions of the operand become those of the window.
        let mut elements = image.fold(channels, usize::saturating_mul);
        let (mut most, mut products) = (0, 0_usize);
        if self.axes.is_empty() {
            most = elements;
            products = elements;
        }
        for axis in self.axes.iter().rev() {
            elements = (elements / axis.input.max(1)).saturating_mul(axis.kernel);
            most = most.max(elements);
            products = products.saturating_add(elements.saturating_mul(axis.output));
        }
        (most, products.saturating_mul(self.batch))
    }

    /// Variables of the rows of the weight matrix.
    pub const fn row_variables(&self) -> usize {
        variables(self.size.rows)
    }

    /// Variables of its columns.
    pub const fn column_variables(&self) -> usize {
        variables(self.size.columns)
    }

    /// Variables over which the sumcheck runs. One group: the columns. More: also the rows, because
    /// each row contracts only the channels of its own group.
    pub const fn rounds(&self) -> usize {
        if self.groups == 1 {
            self.column_variables()
        } else {
            self.row_variables() + self.column_variables()
        }
    }
}

/// The contractions of a graph in the order of their nodes, which is that of their matrices.
pub fn contractions(graph: &Graph) -> Vec<Contraction> {
    graph
        .nodes
        .iter()
        .enumerate()
        .filter_map(|(number, node)| {
            let operand = *node.operands.first()?;
            let (x, _, _) = graph.tensor(operand)?;
            let weight = graph.weights.get(node.op.weight()?)?;
            let result = graph.inputs.len() + number;
            contraction(&node.op, x, &node.shape, *weight, (operand, result))
        })
        .collect()
}

fn contraction(
    op: &Op,
    x: &[usize],
    y: &[usize],
    weight: Weight,
    (operand, result): (usize, usize),
) -> Option<Contraction> {
    let size = Size {
        rows: weight.rows,
        columns: weight.cols,
    };
    let bias = op.bias();
    match op {
        Op::Linear { .. } => Some(Contraction {
            operand,
            result,
            bias,
            size,
            batch: x.split_last()?.1.iter().product(),
            groups: 1,
            channels: weight.cols,
            axes: Vec::new(),
        }),
        Op::Conv(conv) => {
            let (&batch, x) = x.split_first()?;
            let (&channels, inputs) = x.split_first()?;
            let outputs = y.get(2..)?;
            let axes = (0..conv.kernel.len())
                .map(|axis| {
                    Some(Axis {
                        input: *inputs.get(axis)?,
                        output: *outputs.get(axis)?,
                        kernel: *conv.kernel.get(axis)?,
                        stride: *conv.stride.get(axis)?,
                        dilation: *conv.dilation.get(axis)?,
                        pad: *conv.pad_begin.get(axis)?,
                    })
                })
                .collect::<Option<_>>()?;
            Some(Contraction {
                operand,
                result,
                bias,
                size,
                batch,
                groups: conv.groups,
                channels: channels / conv.groups.max(1),
                axes,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn positions_between_strides_and_beyond_padding_are_not_read() {
        let axis = Axis {
            input: 8,
            output: 3,
            kernel: 2,
            stride: 4,
            dilation: 1,
            pad: 1,
        };
        // Windows begin at -1, 3 and 7.
        let read = [true, false, false, true, true, false, false, true];
        assert_eq!(axis.sources(), read);
        assert_eq!(axis.source(0, 0), None);
        assert_eq!(axis.source(2, 1), None);
        assert_eq!(axis.reach(0).collect::<Vec<_>>(), [(1, 3), (2, 7)]);
        assert_eq!(axis.reach(1).collect::<Vec<_>>(), [(0, 0), (1, 4)]);
    }
}
