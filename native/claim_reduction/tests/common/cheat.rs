//! A prover that takes every freedom that is left to it: tensors are residues, their padding included,
//! and whoever commits to weights and parameters chooses what stands beyond their axes.

#[path = "cheat_columns.rs"]
mod cells;
#[path = "cheat_choices.rs"]
mod choices;

use super::Case;
use claim_reduction::{Column, Columns, Held, Plan, Role};
use executor::Tensors;
use graph::{Constant, Graph, Input, Node, Op, Parts, Weight};
use layers::contractions;
use p3_field::PrimeCharacteristicRing;
use transcript::Base;

/// The modulus.
pub const P: i64 = 2_130_706_433;

/// A number of least absolute value that is congruent.
fn residue(value: i128) -> i64 {
    let value = value.rem_euclid(i128::from(P)) as i64;
    if value > P / 2 { value - P } else { value }
}

pub fn padded(shape: &[usize]) -> Vec<usize> {
    shape.iter().map(|size| size.next_power_of_two()).collect()
}

/// All indices of a shape, row-major.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for &size in shape {
        all = all
            .iter()
            .flat_map(|outer: &Vec<usize>| {
                (0..size).map(move |own| outer.iter().copied().chain([own]).collect())
            })
            .collect();
    }
    all
}

fn place(shape: &[usize], index: &[usize]) -> usize {
    let axes = shape.iter().zip(index);
    axes.fold(0, |at, (&size, &own)| at * size + own)
}

pub fn within(shape: &[usize], index: &[usize]) -> bool {
    shape.iter().zip(index).all(|(size, at)| at < size)
}

/// What is up to the cheat.
pub struct Choice {
    /// The matrices with their rows and columns up to powers of two.
    pub weights: Vec<i8>,
    /// The parameters with their axes up to powers of two.
    pub parameters: Vec<Vec<i64>>,
    /// What stands in the padding of inputs that are not shown, cell by cell; zeros where nothing is said.
    pub beyond: Vec<Vec<i64>>,
    /// For each node, whether its sum takes the padding in.
    pub reads: Vec<bool>,
}

/// What the cheat makes of a graph.
pub struct Cheat<'a> {
    graph: &'a Graph,
    plan: &'a Plan,
    choice: &'a Choice,
    tensors: Vec<Vec<i64>>,
    columns: Columns,
}

impl<'a> Cheat<'a> {
    /// A case that states what the cheat has computed; nothing where a table does not hold it.
    pub fn case(
        graph: &'a Graph,
        plan: &'a Plan,
        choice: &'a Choice,
        inputs: &[Vec<i32>],
    ) -> Option<Case> {
        let views: Vec<&[i32]> = inputs.iter().map(Vec::as_slice).collect();
        let known = plan.known(graph, &views).ok()?;
        let mut cheat = Cheat {
            graph,
            plan,
            choice,
            tensors: Vec::new(),
            columns: Columns {
                committed: plan.columns.iter().map(blank).collect(),
                looked: vec![[None, None]; plan.lookups.len()],
            },
        };
        for (number, (input, values)) in graph.inputs.iter().zip(inputs).enumerate() {
            let mut cells = spread(&input.shape, values);
            if let Some(held) = plan.inputs.get(number) {
                cheat.hide(number, held, &mut cells);
            }
            cheat.tensors.push(cells);
        }
        for (number, node) in graph.nodes.iter().enumerate() {
            let values = match (&plan.roles[number], &plan.constraints[number]) {
                (Role::Known, _) => {
                    let id = graph.inputs.len() + number;
                    spread(&node.shape, known.get(id))
                }
                (Role::Parameter(parameter), _) => choice.parameters[*parameter].clone(),
                (Role::Absorbed, _) => vec![0; indices(&padded(&node.shape)).len()],
                (_, Some(constraint)) => cheat.constrained(node, number, constraint)?,
                (_, None) => cheat.reduced(node, number)?,
            };
            cheat.tensors.push(values);
        }
        Some(cheat.finish(inputs))
    }

    /// Fills the padding of an input that is not shown. What is out of its range is held to it as far as limbs
    /// can pretend.
    fn hide(&mut self, number: usize, held: &Held, cells: &mut [i64]) {
        let shape = &self.graph.inputs[number].shape;
        for (cell, index) in indices(&padded(shape)).iter().enumerate() {
            let real = within(shape, index);
            if !real {
                let chosen = self.choice.beyond.get(number);
                cells[cell] = chosen.map_or(0, |chosen| chosen[cell]);
            }
            let over = cells[cell] - if real { held.low } else { 0 };
            self.pretend(&held.over, cell, over);
            self.pretend(&held.under, cell, held.high - held.low - over);
        }
    }

    fn finish(self, inputs: &[Vec<i32>]) -> Case {
        let outputs = self.graph.outputs.iter().map(|&id| {
            let shape = self.shape(id);
            let values = indices(shape)
                .into_iter()
                .map(|index| self.at(id, &index) as i32);
            values.collect()
        });
        let claimed = Some(outputs.collect());
        let wide = widened(self.graph);
        let narrow = |values: &Vec<i64>| values.iter().map(|&v| v as i32).collect();
        let tensors: Vec<Vec<i32>> = self.tensors.iter().map(narrow).collect();
        Case {
            contractions: contractions(&wide),
            graph: wide,
            plan: self.plan.clone(),
            weights: self.choice.weights.clone(),
            inputs: inputs.to_vec(),
            tensors: Tensors::holding(tensors),
            columns: self.columns,
            claimed,
        }
    }

    fn shape(&self, id: usize) -> &'a [usize] {
        self.graph.tensor(id).unwrap().0
    }

    fn at(&self, id: usize, index: &[usize]) -> i64 {
        self.tensors[id][place(&padded(self.shape(id)), index)]
    }

    fn reduced(&self, node: &Node, number: usize) -> Option<Vec<i64>> {
        let x = *node.operands.first()?;
        let shape = self.shape(x);
        let reach = |size: usize| {
            if self.choice.reads[number] {
                size.next_power_of_two()
            } else {
                size
            }
        };
        Some(match &node.op {
            Op::Linear { weight, bias } => {
                let sizes = |w: &Weight| w.rows.next_power_of_two() * w.cols.next_power_of_two();
                let start: usize = self.graph.weights[..*weight].iter().map(sizes).sum();
                let depth = *shape.last()?;
                let bias = bias.map(|id| &self.graph.constants[id].values);
                each(node, |index| {
                    let (&row, lead) = index.split_last().unwrap();
                    let line = start + row * depth.next_power_of_two();
                    let products = (0..reach(depth)).map(|k| {
                        let at: Vec<usize> = lead.iter().copied().chain([k]).collect();
                        i128::from(self.choice.weights[line + k]) * i128::from(self.at(x, &at))
                    });
                    let own = bias.filter(|_| within(&node.shape, index));
                    products.sum::<i128>() + own.map_or(0, |bias| bias[row].into())
                })
            }
            Op::MatMul => {
                let depth = *shape.last()?;
                each(node, |index| {
                    let (batch, &[row, column]) = index.split_last_chunk().unwrap();
                    let products = (0..reach(depth)).map(|k| {
                        let [a, b] = [[row, k], [k, column]]
                            .map(|own| batch.iter().copied().chain(own).collect::<Vec<_>>());
                        let [a, b] = [self.at(x, &a), self.at(node.operands[1], &b)];
                        i128::from(a) * i128::from(b)
                    });
                    products.sum()
                })
            }
            Op::Sum { axes } => {
                let summed = &shape[shape.len() - axes..];
                let all: Vec<usize> = summed.iter().map(|&size| reach(size)).collect();
                each(node, |index| {
                    let inner = indices(&all).into_iter();
                    let terms = inner.map(|own| {
                        let at: Vec<usize> = index.iter().copied().chain(own).collect();
                        i128::from(self.at(x, &at))
                    });
                    terms.sum()
                })
            }
            Op::Add {
                coefficients,
                constant,
            } => each(node, |index| {
                let terms = node.operands.iter().zip(coefficients);
                let sum: i128 = terms
                    .map(|(&id, &c)| i128::from(c) * i128::from(self.at(id, index)))
                    .sum();
                let own = constant.filter(|_| within(&node.shape, index));
                let own = own.map_or(0, |id| {
                    let values = &self.graph.constants[id].values;
                    values[place(&node.shape, index) % values.len()]
                });
                sum + i128::from(own)
            }),
            Op::Mul => each(node, |index| {
                let of = |at: usize| i128::from(self.at(node.operands[at], index));
                of(0) * of(1)
            }),
            _ => return self.moved(node),
        })
    }

    /// Operations that move elements.
    fn moved(&self, node: &Node) -> Option<Vec<i64>> {
        let x = *node.operands.first()?;
        let shape = self.shape(x);
        Some(match &node.op {
            Op::View { offset, strides } => each(node, |index| {
                self.viewed(x, (*offset, strides), node, index)
            }),
            Op::Pad { begin, fill, .. } => each(node, |index| {
                let axes = index.iter().zip(begin).zip(shape.iter().zip(&node.shape));
                let inside: Option<Vec<usize>> = axes
                    .map(|((&at, &begin), (&size, &whole))| {
                        let kept = size == whole && at < size.next_power_of_two();
                        let at = at.checked_sub(begin)?;
                        (kept || at < size).then_some(at)
                    })
                    .collect();
                match inside {
                    Some(at) => self.at(x, &at).into(),
                    None if within(&node.shape, index) => (*fill).into(),
                    None => 0,
                }
            }),
            Op::Concat { axis } => each(node, |index| {
                let mut index = index.to_vec();
                for &id in &node.operands {
                    let size = self.shape(id)[*axis];
                    if index[*axis] < size {
                        return self.at(id, &index).into();
                    }
                    index[*axis] -= size;
                }
                0
            }),
            Op::Take { map } => each(node, |index| {
                let map = &self.graph.constants[*map].values;
                let address = within(&node.shape, index).then(|| map[place(&node.shape, index)]);
                match address {
                    Some(address) if address >= 0 => self.flat(x, address as usize).into(),
                    _ => 0,
                }
            }),
            _ => return None,
        })
    }

    /// An element by its address.
    fn flat(&self, id: usize, address: usize) -> i64 {
        let shape = self.shape(id);
        let mut index = vec![0; shape.len()];
        let mut left = address;
        for (at, &size) in index.iter_mut().zip(shape).rev() {
            *at = left % size;
            left /= size;
        }
        self.at(id, &index)
    }

    /// An element of a view; behind an axis that is read to its end what stands behind that one.
    fn viewed(
        &self,
        x: usize,
        (offset, strides): (i64, &[i64]),
        node: &Node,
        index: &[usize],
    ) -> i128 {
        if within(&node.shape, index) {
            let steps = strides.iter().zip(index);
            let address = steps.fold(offset, |at, (step, &own)| at + step * own as i64);
            return self.flat(x, address as usize).into();
        }
        let shape = self.shape(x);
        let mut step = 1;
        let mut steps = vec![1; shape.len()];
        for (own, &size) in steps.iter_mut().zip(shape).rev() {
            *own = step;
            step *= size as i64;
        }
        let mut at: Vec<i64> = shape
            .iter()
            .zip(&steps)
            .map(|(&size, step)| offset / step % size as i64)
            .collect();
        for ((&stride, &size), &own) in strides.iter().zip(&node.shape).zip(index) {
            if own == 0 {
                continue;
            }
            let along = (0..shape.len()).find(|&axis| {
                shape[axis] > 1 && stride % steps[axis] == 0 && {
                    let step = stride / steps[axis];
                    step > 0 && step < shape[axis] as i64
                }
            });
            let Some(along) = along else { return 0 };
            let step = stride / steps[along];
            if own >= size && (size as i64 * step) < shape[along] as i64 {
                return 0;
            }
            at[along] += step * own as i64;
        }
        let at: Vec<usize> = at.into_iter().map(|at| at as usize).collect();
        if within(&padded(shape), &at) {
            self.at(x, &at).into()
        } else {
            0
        }
    }
}

/// A column of nothing but its padding.
fn blank(column: &Column) -> Vec<Base> {
    vec![Base::from_i32(column.pad); 1 << column.variables()]
}

/// A tensor with zeros in its padding.
fn spread(shape: &[usize], values: &[i32]) -> Vec<i64> {
    let all = indices(&padded(shape));
    let value = |index: &Vec<usize>| {
        let real = within(shape, index).then(|| values[place(shape, index)]);
        real.unwrap_or(0).into()
    };
    all.iter().map(value).collect()
}

/// The elements of the padded tensor of a node.
fn each(node: &Node, of: impl Fn(&[usize]) -> i128) -> Vec<i64> {
    let all = indices(&padded(&node.shape));
    all.iter().map(|index| residue(of(index))).collect()
}

/// Tensors and matrices of a graph with all sizes up to powers of two, and nothing else of it.
fn widened(graph: &Graph) -> Graph {
    let inputs = graph.inputs.iter().map(|input| Input {
        shape: padded(&input.shape),
        ..*input
    });
    let weights = graph.weights.iter().map(|weight| Weight {
        rows: weight.rows.next_power_of_two(),
        cols: weight.cols.next_power_of_two(),
    });
    let mut parts = Parts {
        inputs: inputs.collect(),
        weights: weights.collect(),
        outputs: graph.outputs.clone(),
        ..Parts::default()
    };
    for node in &graph.nodes {
        let shape = padded(&node.shape);
        let (op, operands) = if let Op::Linear { weight, .. } = &node.op {
            let (weight, bias) = (*weight, None);
            (Op::Linear { weight, bias }, node.operands.clone())
        } else {
            parts.constants.push(Constant {
                shape: shape.clone(),
                values: vec![0; graph::elements(&shape)],
            });
            let constant = parts.constants.len() - 1;
            (Op::Const { constant }, Vec::new())
        };
        parts.nodes.push(Node {
            op,
            operands,
            shape,
            ..*node
        });
    }
    Graph::new(parts).unwrap()
}
