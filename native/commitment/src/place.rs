//! Where tables of different sizes lie in one stack.

use sumcheck::add_scaled;
use transcript::Extension;

/// Where a table lies in the stack: its element i is at the index whose first bits are i and whose
/// last bits are the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Variables of the table.
    pub variables: usize,
    /// Its slot, a number of as many bits as the stack has more variables.
    pub slot: usize,
}

impl Place {
    /// The places of tables of so many variables each, in their order, and the cells that they take:
    /// in the order of falling variables, equal ones in the order of their number, each at the next
    /// free cell of a stack of [`Self::whole`] variables. A table's slot is the number of its place with
    /// the bits reversed, so that tables of different sizes stay apart.
    pub fn stacked(variables: &[usize], least: usize) -> (Vec<Self>, usize) {
        let mut order: Vec<usize> = (0..variables.len()).collect();
        // The sort is stable: equal tables keep their order.
        order.sort_by_key(|&index| std::cmp::Reverse(variables[index]));
        let mut offsets = vec![0; variables.len()];
        let mut cells = 0_usize;
        for index in order {
            offsets[index] = cells;
            cells = cells.saturating_add(1 << variables[index]);
        }
        let whole = Self::whole(cells, least);
        let places = variables.iter().zip(offsets);
        let places = places.map(|(&variables, offset)| Self {
            variables,
            slot: reversed(offset >> variables, whole - variables),
        });
        (places.collect(), cells)
    }

    /// Variables of a stack of so many cells, at least `least`.
    pub fn whole(cells: usize, least: usize) -> usize {
        let cells = cells.checked_next_power_of_two();
        (cells.map_or(usize::BITS, usize::ilog2) as usize).max(least)
    }

    /// Adds `scale` · `values`, which are those of a folded table, where they lie in the folded stack
    /// of a stack of `whole` variables.
    pub fn scatter(
        self,
        whole: usize,
        scale: Extension,
        values: &[Extension],
        out: &mut [Extension],
    ) {
        let stride = 1 << (whole - self.variables);
        if stride == 1 {
            add_scaled(out, scale, values);
            return;
        }
        for (out, &value) in out[self.slot..].iter_mut().step_by(stride).zip(values) {
            *out += scale * value;
        }
    }
}

/// The number whose `bits` bits are those of `value` in reverse.
fn reversed(value: usize, bits: usize) -> usize {
    (0..bits)
        .map(|bit| ((value >> bit) & 1) << (bits - 1 - bit))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn tables_fill_a_stack_and_never_share_a_cell() {
        for variables in [
            &[3, 5, 3, 2, 5][..],
            &[0, 0, 1],
            &[4],
            &[1, 1, 1, 1],
            &[6, 0],
        ] {
            let (places, cells) = Place::stacked(variables, 2);
            let whole = Place::whole(cells, 2);
            let mut taken = vec![false; 1 << whole];
            for place in places {
                for index in 0..1_usize << place.variables {
                    let cell = (index << (whole - place.variables)) | place.slot;
                    assert!(!std::mem::replace(&mut taken[cell], true));
                }
            }
            assert_eq!(taken.iter().filter(|&&taken| taken).count(), cells);
        }
        assert_eq!(Place::whole(0, 3), 3);
        assert_eq!(Place::whole(9, 3), 4);
    }
}
