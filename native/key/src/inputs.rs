//! Where private inputs lie: a vector of their own, which is committed to once for all attempts at a job.

use crate::layout::own_variables;
use crate::pads::LEAST;
use claim_reduction::padded;
use graph::Graph;
use hiding::Vector;
use p3_field::PrimeCharacteristicRing;
use transcript::{Base, Extension};

/// The vector of inputs, in the shape of an opening; the fresh one is number 0, that of weights 1.
pub const INPUTS: usize = 2;
/// How often one commitment to inputs may be opened: a job's attempts.
pub const INPUT_OPENINGS: usize = 8;

/// The vector of inputs: one column for each, its axes padded.
#[derive(Clone, Debug)]
pub struct InputVector {
    shapes: Vec<graph::Shape>,
}

impl InputVector {
    pub(crate) fn new(graph: &Graph) -> Self {
        let shapes = graph.inputs.iter().map(|input| input.shape.clone());
        Self {
            shapes: shapes.collect(),
        }
    }

    /// The vector, as it is committed to beside others.
    pub(crate) fn vector(&self) -> Vector {
        let columns = self
            .shapes
            .iter()
            .map(|shape| own_variables(shape).max(LEAST));
        Vector {
            columns: columns.collect(),
            openings: INPUT_OPENINGS,
            sampled: true,
        }
    }

    /// The columns of these inputs.
    pub fn cells(&self, inputs: &[&[i32]]) -> Vec<Vec<Base>> {
        let columns = self.shapes.iter().zip(inputs);
        columns
            .map(|(shape, values)| padded(shape, own_variables(shape).max(LEAST), values))
            .collect()
    }

    /// The point of an input's column at which it is the input at `point`; nothing where that is not a point of
    /// it.
    pub fn point(&self, input: usize, point: &[Extension]) -> Option<Vec<Extension>> {
        let own = own_variables(self.shapes.get(input)?);
        (point.len() == own).then(|| {
            let mut at = vec![Extension::ZERO; own.max(LEAST) - own];
            at.extend_from_slice(point);
            at
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{INPUT_OPENINGS, InputVector};
    use graph::{Graph, Input, Node, Op, Parts};
    use p3_field::PrimeCharacteristicRing;
    use sumcheck::{dot, equality};
    use transcript::{Base, Extension, Transcript};

    fn graph(shapes: &[&[usize]]) -> Graph {
        let inputs = shapes.iter().map(|shape| Input {
            shape: shape.to_vec(),
            lo: -9,
            hi: 9,
        });
        let node = Node {
            op: Op::View {
                offset: 0,
                strides: vec![],
            },
            operands: vec![0],
            shape: vec![],
            lo: -9,
            hi: 9,
        };
        Graph::new(Parts {
            inputs: inputs.collect(),
            nodes: vec![node],
            outputs: vec![shapes.len()],
            ..Parts::default()
        })
        .unwrap()
    }

    #[test]
    fn a_column_at_its_point_is_the_input_there() {
        let inputs = InputVector::new(&graph(&[&[3, 120], &[4]]));
        assert_eq!(inputs.vector().columns, [9, 8]);
        assert_eq!(inputs.vector().openings, INPUT_OPENINGS);
        let values: [Vec<i32>; 2] = [(0..360).collect(), vec![7, -8, 9, 1]];
        let columns = inputs.cells(&[&values[0], &values[1]]);
        let mut transcript = Transcript::new();
        for (input, shape) in [[3_usize, 120].as_slice(), &[4]].iter().enumerate() {
            let parts: Vec<Vec<Extension>> = shape
                .iter()
                .map(|size| transcript.point(size.next_power_of_two().ilog2() as usize))
                .collect();
            let at = inputs.point(input, &parts.concat()).unwrap();
            let weights = equality(&at, 1 << at.len());
            let cells: Vec<Extension> = columns[input].iter().map(|&c: &Base| c.into()).collect();
            let mut expected = Extension::ZERO;
            for (index, &value) in values[input].iter().enumerate() {
                let inner = shape.last().unwrap();
                let lead = shape.len() - 1;
                let mut weight = equality(&parts[lead], *inner)[index % inner];
                if lead == 1 {
                    weight *= equality(&parts[0], shape[0])[index / inner];
                }
                expected += weight * Extension::from_i32(value);
            }
            assert_eq!(dot(&weights, &cells), expected);
        }
        assert!(inputs.point(0, &transcript.point(8)).is_none());
        assert!(inputs.point(2, &[]).is_none());
    }
}
