//! What divisions and square roots take: identities of integers that need not fit the field.

use crate::origin::Origin;
use crate::plan::{Constraint, Divisor, Exact, Limit, Number, Role};
use crate::planner::{Planned, Planner};
use crate::range_decomposition::{
    self, Range, Span, accumulate, add, carries, carry, constant, digits, multiply, negative, value,
};
use crate::saturation_tables::MODULUS;
use crate::witness;
use graph::Node;

impl Planner<'_> {
    /// A division by what may be at most 2^28 or so.
    pub(crate) fn divide(&mut self, node: &Node, k: i32) -> Planned {
        let graph = self.graph;
        let refuse = || "it has no divisor".to_owned();
        let tensor = *node.operands.get(1).ok_or_else(refuse)?;
        let (_, _, most) = graph.tensor(tensor).ok_or_else(refuse)?;
        // Of what is viewed in part only, the rest need not be a divisor.
        let takes = |lo: i32, hi: i32| lo >= 0 && hi <= most;
        let Some(origin) = Origin::of(graph, tensor, takes, &mut self.views) else {
            self.beyond = Some(Limit::Work);
            return Err("more than 2^16 views lead to divisors".to_owned());
        };
        let (shape, ..) = graph.tensor(origin.tensor).ok_or_else(refuse)?;
        let most = i64::from(most);
        if most < 1 {
            return Err("its divisor is never positive".to_owned());
        }
        let span = Span::of((0, most));
        let product = |result: &[Range]| {
            let doubled: Vec<Range> = result.iter().map(|&(l, h)| (2 * l, 2 * h)).collect();
            // In the padding 1 is added to the divisor.
            let divisor = add(&span.ranges(), &[(0, 1)]);
            range_decomposition::product(&divisor, &add(&doubled, &constant(&[-1])))
        };
        // There the result is 0 and the rest 1.
        let exact = self.exact(node, 2 * i64::from(k), product, (2 * most - 1, 1))?;
        let pieces = self.pieces(shape, span, 0);
        let divisor = Divisor {
            tensor,
            origin,
            pieces,
        };
        Ok((stored(&exact)?, Constraint::Divide { exact, divisor }))
    }

    /// A square root.
    pub(crate) fn square_root(&mut self, node: &Node, k: i32) -> Planned {
        let product = |result: &[Range]| range_decomposition::product(result, result);
        let most = i64::from(node.hi.max(0));
        // There is none that is negative.
        let node = Node {
            lo: 0,
            hi: node.hi.max(0),
            ..node.clone()
        };
        let exact = self.exact(&node, k.into(), product, (2 * most, 0))?;
        Ok((stored(&exact)?, Constraint::SquareRoot(exact)))
    }

    /// Columns for the pieces of a number.
    fn pieces(&mut self, shape: &[usize], span: Span, pad: i64) -> Number {
        Number {
            base: span.base,
            limbs: self.cut(shape, span.pieces(), pad - span.base),
        }
    }

    /// What an identity of integers takes. `product` makes the ranges of its product from those of
    /// the result; the rest is at most `most`, and `pad` in the padding.
    fn exact(
        &mut self,
        node: &Node,
        factor: i64,
        product: impl Fn(&[Range]) -> Vec<Range>,
        (most, pad): (i64, i64),
    ) -> Result<Exact, String> {
        let refuse = || "its products are too large for the field".to_owned();
        let graph = self.graph;
        let operand = *node.operands.first().ok_or_else(refuse)?;
        let (_, lo, hi) = graph.tensor(operand).ok_or_else(refuse)?;
        let (factor, result) = (digits(factor), Span::of((node.lo.into(), node.hi.into())));
        let rest = Span::of((0, most));
        let carried = |operand: &[Range]| {
            let left = add(&product(&result.ranges()), &rest.ranges());
            let right = range_decomposition::product(&constant(&factor), operand);
            carries(&add(&left, &negative(&right)))
        };
        let direct = self.ranges.get(operand).copied().flatten();
        let direct = direct.and_then(|range| carried(&[range]));
        let span = Span::of((lo.into(), hi.into()));
        let (span, carried) = match direct {
            Some(carried) => (None, carried),
            None => (Some(span), carried(&span.ranges()).ok_or_else(refuse)?),
        };
        // What is stored of rest and slack, with twice the divisor or the root, must not wrap around.
        if (2_i128 << rest.bits) >= MODULUS {
            return Err(refuse());
        }
        let shape = node.shape.as_slice();
        let result = self.pieces(shape, result, 0);
        let remains = self.pieces(shape, rest, pad);
        let slack = self.limbs(shape, rest.bits, 0);
        let pieces = span.map(|span| self.pieces(shape, span, 0));
        // In the padding the identity holds coefficient by coefficient, so that no carry is needed.
        let carries = carried.iter().map(|span| Number {
            base: span.base,
            limbs: self.limbs(shape, span.bits, -span.base),
        });
        Ok(Exact {
            carries: carries.collect(),
            factor,
            operand,
            pieces,
            result,
            rest: remains,
            slack,
        })
    }
}

fn stored(exact: &Exact) -> Result<Role, String> {
    let Number { base, limbs } = &exact.result;
    let base = i32::try_from(*base).map_err(|_| "its result is too large".to_owned())?;
    Ok(Role::Limbs {
        base,
        pad: 0,
        limbs: limbs.clone(),
    })
}

impl witness::ColumnBuilder<'_> {
    /// The columns of a division.
    pub(crate) fn divide(&mut self, exact: &Exact, divisor: &Divisor, result: &[i32]) {
        let tensors = self.tensors;
        let origin = wide(tensors.get(divisor.origin.tensor));
        self.limbs(&divisor.pieces.limbs, &origin);
        let span = divisor.pieces.base;
        let divisors = wide(tensors.get(divisor.tensor));
        let products = divisors.iter().zip(result).map(|(&b, &y)| {
            let mut doubled = polynomial(y.into(), exact.result.base);
            for digit in &mut doubled {
                *digit *= 2;
            }
            accumulate(&mut doubled, -1, &[1]);
            multiply(&polynomial(b, span), &doubled)
        });
        let rests = self.exact(exact, result, products);
        let slack = rests.iter().zip(&divisors).map(|(r, b)| 2 * b - 1 - r);
        self.limbs(&exact.slack, &slack.collect::<Vec<_>>());
    }

    /// The columns of a square root.
    pub(crate) fn square_root(&mut self, exact: &Exact, result: &[i32]) {
        let products = result.iter().map(|&y| {
            let root = polynomial(y.into(), exact.result.base);
            multiply(&root, &root)
        });
        let rests = self.exact(exact, result, products);
        let slack = rests.iter().zip(result).map(|(r, &y)| 2 * i64::from(y) - r);
        self.limbs(&exact.slack, &slack.collect::<Vec<_>>());
    }

    /// The columns of an identity but for the slack; the rests.
    fn exact(
        &mut self,
        exact: &Exact,
        result: &[i32],
        products: impl Iterator<Item = Vec<i64>>,
    ) -> Vec<i64> {
        let operand = wide(self.tensors.get(exact.operand));
        let mut rests = Vec::with_capacity(operand.len());
        let mut carries = vec![Vec::with_capacity(operand.len()); exact.carries.len()];
        for (&a, mut sum) in operand.iter().zip(products) {
            let a = match &exact.pieces {
                None => vec![a],
                Some(pieces) => polynomial(a, pieces.base),
            };
            accumulate(&mut sum, -1, &multiply(&exact.factor, &a));
            let rest = -value(&sum);
            rests.push(rest);
            accumulate(&mut sum, 1, &digits(rest));
            sum.resize(exact.carries.len() + 1, 0);
            let own = exact.carries.iter().zip(carry(&sum));
            for (column, (number, carry)) in carries.iter_mut().zip(own) {
                column.push(carry - number.base);
            }
        }
        self.limbs(&exact.rest.limbs, &rests);
        for (number, column) in exact.carries.iter().zip(&carries) {
            self.limbs(&number.limbs, column);
        }
        if let Some(pieces) = &exact.pieces {
            let stored: Vec<i64> = operand.iter().map(|a| a - pieces.base).collect();
            self.limbs(&pieces.limbs, &stored);
        }
        let stored = result.iter().map(|&y| i64::from(y) - exact.result.base);
        self.limbs(&exact.result.limbs, &stored.collect::<Vec<_>>());
        rests
    }
}

fn wide(values: &[i32]) -> Vec<i64> {
    values.iter().copied().map(i64::from).collect()
}

/// The coefficients of a number that is stored from a base on.
fn polynomial(number: i64, base: i64) -> Vec<i64> {
    let mut sums = digits(base);
    accumulate(&mut sums, 1, &digits(number - base));
    sums
}
