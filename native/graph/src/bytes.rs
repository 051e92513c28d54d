//! The encoding: little-endian, one form for one graph.

use crate::{
    Constant, Conv, Fault, Input, MAGIC, MAX_BYTES, MAX_CONSTANTS, MAX_ELEMENTS, MAX_INPUTS,
    MAX_NODES, MAX_OPERANDS, MAX_OUTPUTS, MAX_RANK, MAX_WEIGHTS, Node, Op, Parts, Shape, VERSION,
    VERSION_WITH_PARAMETERS, Weight, elements,
};

/// Stands for an absent constant.
const NONE: u32 = u32::MAX;

fn fault<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Encoding(why.into()))
}

pub(crate) fn read(data: &[u8]) -> Result<Parts, Fault> {
    if data.len() > MAX_BYTES {
        return fault(format!("it takes more than {MAX_BYTES} bytes"));
    }
    let mut source = Reader {
        left: data,
        version: VERSION,
    };
    if source.take(MAGIC.len())? != MAGIC {
        return fault("it does not begin as one");
    }
    let version = source.u32()?;
    if ![VERSION, VERSION_WITH_PARAMETERS].contains(&version) {
        return fault(format!("it is of version {version}, not {VERSION}"));
    }
    source.version = version;
    let parts = Parts {
        inputs: source.several("inputs", MAX_INPUTS, Reader::input)?,
        weights: source.several("weight matrices", MAX_WEIGHTS, |source| {
            Ok(Weight {
                rows: source.size()?,
                cols: source.size()?,
            })
        })?,
        constants: source.several("constants", MAX_CONSTANTS, Reader::constant)?,
        nodes: source.several("nodes", MAX_NODES, Reader::node)?,
        outputs: source.list(MAX_OUTPUTS, Reader::size)?,
    };
    if !source.left.is_empty() {
        return fault("bytes follow its end");
    }
    // One form for one graph.
    let expected = version_of(&parts);
    if version != expected {
        return fault(format!("it is of version {version}, not {expected}"));
    }
    Ok(parts)
}

/// The version that a graph is written in.
fn version_of(parts: &Parts) -> u32 {
    if parts.parameters().next().is_some() {
        VERSION_WITH_PARAMETERS
    } else {
        VERSION
    }
}

struct Reader<'a> {
    left: &'a [u8],
    version: u32,
}

impl<'a> Reader<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], Fault> {
        let Some((part, left)) = self.left.split_at_checked(size) else {
            return fault("it is cut short");
        };
        self.left = left;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some((part, left)) = self.left.split_first_chunk::<N>() else {
            return fault("it is cut short");
        };
        self.left = left;
        Ok(*part)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, Fault> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn size(&mut self) -> Result<usize, Fault> {
        Ok(self.u32()? as usize)
    }

    fn optional(&mut self) -> Result<Option<usize>, Fault> {
        let id = self.u32()?;
        Ok((id != NONE).then_some(id as usize))
    }

    fn dims(&mut self) -> Result<Shape, Fault> {
        let rank = usize::from(self.u8()?);
        if rank > MAX_RANK {
            return fault(format!(
                "a tensor has {rank} dimensions, the limit is {MAX_RANK}"
            ));
        }
        (0..rank).map(|_| self.size()).collect()
    }

    fn list<T>(
        &mut self,
        most: usize,
        read: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.size()?;
        if count > most {
            return fault(format!("a list holds {count} numbers, the limit is {most}"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn several<T>(
        &mut self,
        what: &str,
        most: usize,
        read: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.size()?;
        if count > most {
            return fault(format!("it holds {count} {what}, the limit is {most}"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn input(&mut self) -> Result<Input, Fault> {
        Ok(Input {
            shape: self.dims()?,
            lo: self.i32()?,
            hi: self.i32()?,
        })
    }

    fn constant(&mut self) -> Result<Constant, Fault> {
        let shape = self.dims()?;
        let count = elements(&shape);
        if !(1..=MAX_ELEMENTS).contains(&count) {
            return fault(format!(
                "a constant holds {count} numbers; 1 to {MAX_ELEMENTS} are allowed"
            ));
        }
        let (numbers, _) = self.take(count * 4)?.as_chunks::<4>();
        let values = numbers.iter().map(|&number| i32::from_le_bytes(number));
        Ok(Constant {
            shape,
            values: values.collect(),
        })
    }

    fn node(&mut self) -> Result<Node, Fault> {
        let code = self.u8()?;
        let (lo, hi) = (self.i32()?, self.i32()?);
        let shape = self.dims()?;
        let operands = self.list(MAX_OPERANDS, Self::size)?;
        Ok(Node {
            op: self.op(code)?,
            operands,
            shape,
            lo,
            hi,
        })
    }

    fn op(&mut self, code: u8) -> Result<Op, Fault> {
        Ok(match code {
            1 => Op::Linear {
                weight: self.size()?,
                bias: self.optional()?,
            },
            2 => Op::Conv(self.conv()?),
            3 => Op::MatMul,
            4 => Op::Add {
                coefficients: self.list(MAX_OPERANDS, Self::i32)?,
                constant: self.optional()?,
            },
            5 => Op::Mul,
            6 => Op::Rescale {
                multipliers: self.size()?,
                axis: self.size()?,
                shift: self.u32()?,
            },
            7 => Op::Lookup {
                table: self.size()?,
                first: self.i32()?,
            },
            8 => Op::View {
                offset: self.i64()?,
                strides: self.list(MAX_RANK, Self::i64)?,
            },
            9 => Op::Pad {
                begin: self.list(MAX_RANK, Self::size)?,
                end: self.list(MAX_RANK, Self::size)?,
                fill: self.i32()?,
            },
            10 => Op::Concat { axis: self.size()? },
            11 => Op::Take { map: self.size()? },
            12 => Op::Pick,
            13 => Op::Sum { axes: self.size()? },
            14 => Op::Max { axes: self.size()? },
            15 => Op::ArgMax {
                last: match self.u32()? {
                    0 => false,
                    1 => true,
                    _ => return fault("the choice among equals is neither 0 nor 1"),
                },
            },
            16 => Op::Divide { k: self.i32()? },
            17 => Op::SquareRoot { k: self.i32()? },
            18 => Op::Const {
                constant: self.size()?,
            },
            19 if self.version == VERSION_WITH_PARAMETERS => Op::Parameter,
            _ => return fault(format!("there is no operation {code}")),
        })
    }

    fn conv(&mut self) -> Result<Conv, Fault> {
        Ok(Conv {
            weight: self.size()?,
            bias: self.optional()?,
            groups: self.size()?,
            kernel: self.list(MAX_RANK, Self::size)?,
            stride: self.list(MAX_RANK, Self::size)?,
            dilation: self.list(MAX_RANK, Self::size)?,
            pad_begin: self.list(MAX_RANK, Self::size)?,
            pad_end: self.list(MAX_RANK, Self::size)?,
        })
    }
}

pub(crate) fn write(parts: &Parts) -> Vec<u8> {
    let mut out = Writer(MAGIC.to_vec());
    out.u32(version_of(parts));
    out.several(&parts.inputs, |out, input| {
        out.dims(&input.shape);
        out.i32(input.lo);
        out.i32(input.hi);
    });
    out.several(&parts.weights, |out, weight| {
        out.size(weight.rows);
        out.size(weight.cols);
    });
    out.several(&parts.constants, |out, constant| {
        out.dims(&constant.shape);
        for &value in &constant.values {
            out.i32(value);
        }
    });
    out.several(&parts.nodes, |out, node| {
        out.0.push(node.op.code());
        out.i32(node.lo);
        out.i32(node.hi);
        out.dims(&node.shape);
        out.sizes(&node.operands);
        out.attributes(&node.op);
    });
    out.sizes(&parts.outputs);
    out.0
}

struct Writer(Vec<u8>);

impl Writer {
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.0.extend(value.to_le_bytes());
    }

    fn size(&mut self, value: usize) {
        self.u32(value as u32);
    }

    fn optional(&mut self, value: Option<usize>) {
        self.u32(value.map_or(NONE, |id| id as u32));
    }

    fn dims(&mut self, shape: &[usize]) {
        self.0.push(shape.len() as u8);
        for &size in shape {
            self.size(size);
        }
    }

    fn several<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.size(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn sizes(&mut self, values: &[usize]) {
        self.several(values, |out, &value| out.size(value));
    }

    fn attributes(&mut self, op: &Op) {
        match op {
            Op::Linear { weight, bias } => {
                self.size(*weight);
                self.optional(*bias);
            }
            Op::Conv(conv) => {
                self.size(conv.weight);
                self.optional(conv.bias);
                self.size(conv.groups);
                self.sizes(&conv.kernel);
                self.sizes(&conv.stride);
                self.sizes(&conv.dilation);
                self.sizes(&conv.pad_begin);
                self.sizes(&conv.pad_end);
            }
            Op::Add {
                coefficients,
                constant,
            } => {
                self.several(coefficients, |out, &value| out.i32(value));
                self.optional(*constant);
            }
            Op::Rescale {
                multipliers,
                axis,
                shift,
            } => {
                self.size(*multipliers);
                self.size(*axis);
                self.u32(*shift);
            }
            Op::Lookup { table, first } => {
                self.size(*table);
                self.i32(*first);
            }
            Op::View { offset, strides } => {
                self.0.extend(offset.to_le_bytes());
                self.several(strides, |out, stride| out.0.extend(stride.to_le_bytes()));
            }
            Op::Pad { begin, end, fill } => {
                self.sizes(begin);
                self.sizes(end);
                self.i32(*fill);
            }
            Op::Concat { axis: number }
            | Op::Take { map: number }
            | Op::Sum { axes: number }
            | Op::Max { axes: number }
            | Op::Const { constant: number } => self.size(*number),
            Op::ArgMax { last } => self.u32(u32::from(*last)),
            Op::Divide { k } | Op::SquareRoot { k } => self.i32(*k),
            Op::MatMul | Op::Mul | Op::Pick | Op::Parameter => {}
        }
    }
}
