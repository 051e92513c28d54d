//! What lookups and maxima take: columns that are looked up by what their operands are.

use crate::plan::{Constraint, Difference, MAX_TABLE, Role};
use crate::planner::{Planned, Planner};
use crate::tables::Recipe;
use graph::{Node, VALUE_LIMIT, elements};

/// Every element of a tensor is less, in absolute value.
const VALUES: i64 = VALUE_LIMIT as i64;

impl Planner<'_> {
    /// Numbers of a constant.
    fn entries(&self, constant: usize) -> i64 {
        let values = self.graph.constants.get(constant);
        values.map_or(0, |constant| constant.values.len() as i64)
    }

    /// A lookup that is not taken together with a rescaling.
    pub(crate) fn lookup(&mut self, node: &Node, table: usize, first: i32) -> Planned {
        let Some(&x) = node.operands.first() else {
            return Err("it has no operand".to_owned());
        };
        let constant = self.facts.same(table);
        // Else a key could stand for another one, or for none.
        let (least, most) = (first.into(), i64::from(first) + self.entries(constant));
        if !(-VALUES..=VALUES).contains(&least) || most > VALUES {
            return Err("the keys of its table reach 2^29".to_owned());
        }
        let table = self.function(Recipe::Constant { constant, first })?;
        // No key is added for the padding: an element that has it would be in the table too.
        let outside = match self.tables.value(table, 0) {
            Some(_) => 0,
            None => first,
        };
        let pad = self.tables.value(table, outside.into()).unwrap_or(0);
        let column = self.column(&node.shape, pad);
        let lookup = self.look(table, &node.shape);
        let constraint = Constraint::Lookup {
            x,
            column,
            lookup,
            outside,
        };
        Ok((Role::Column(column), constraint))
    }

    /// A maximum.
    pub(crate) fn max(&mut self, node: &Node, axes: usize) -> Planned {
        let Some(&x) = node.operands.first() else {
            return Err("it has no operand".to_owned());
        };
        let Some((shape, lo, hi)) = self.graph.tensor(x) else {
            return Err("it has no operand".to_owned());
        };
        // 0 and 1 are what the padding has.
        let most = (i64::from(hi) - i64::from(lo)).max(1);
        // Of two elements that each exceed the other by so much in the field, both are equal.
        if most >= 1 << 29 {
            return Err("its operands differ by 2^29 or more".to_owned());
        }
        let size = elements(shape.get(shape.len() - axes..).unwrap_or(&[]));
        let column = self.column(&node.shape, 0);
        let zeros = self.column(shape, 0);
        let difference = if most < MAX_TABLE {
            let table = self.function(Recipe::Zero { most })?;
            Difference::Direct(self.look(table, shape))
        } else {
            let limbs = self.limbs(shape, 64 - most.leading_zeros(), 0);
            let bit = self.tables.range(1);
            let bit = self.look(bit, shape);
            Difference::Wide { limbs, bit }
        };
        let bits = (usize::BITS - (size - 1).leading_zeros()).max(1);
        let range = self.tables.range(bits);
        let count = self.look(range, &node.shape);
        let constraint = Constraint::Max {
            x,
            column,
            zeros,
            difference,
            count,
        };
        Ok((Role::Column(column), constraint))
    }
}
