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
        let most = differ(lo, hi)?;
        let size = elements(shape.get(shape.len() - axes..).unwrap_or(&[]));
        let column = self.column(&node.shape, 0);
        let zeros = self.column(shape, 0);
        let difference = self.difference(shape, most, Recipe::Zero { most })?;
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

    /// Lookups of differences from 0 to `most` with their flags; `recipe` is the table of both.
    pub(crate) fn difference(
        &mut self,
        shape: &[usize],
        most: i64,
        recipe: Recipe,
    ) -> Result<Difference, String> {
        if recipe.entries(self.facts) <= MAX_TABLE {
            let table = self.function(recipe)?;
            return Ok(Difference::Direct(self.look(table, shape)));
        }
        let limbs = self.limbs(shape, 64 - most.leading_zeros(), 0);
        let bit = self.bit(shape);
        Ok(Difference::Wide { limbs, bit })
    }

    /// A lookup that makes a column 0 or 1.
    pub(crate) fn bit(&mut self, shape: &[usize]) -> usize {
        let range = self.tables.range(1);
        self.look(range, shape)
    }
}

/// What elements of a range differ by at most, and 1, which is in the padding.
pub(crate) fn differ(lo: i32, hi: i32) -> Result<i64, String> {
    let most = (i64::from(hi) - i64::from(lo)).max(1);
    // Of two elements that each exceed the other by less than this in the field, both are equal.
    if most >= 1 << 29 {
        return Err("its operands differ by 2^29 or more".to_owned());
    }
    Ok(most)
}
