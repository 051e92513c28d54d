//! How a shape follows from sizes and profile.

use crate::schedule::{Schedule, first_fold};
use crate::shape::{
    LEAF, LEAST_FOLD, MASK_CLAIMS, MAX_COLUMNS, MAX_OPENINGS, MAX_SELDOM_ROWS, MAX_VECTORS, Mask,
    PLANES, Shape, ShapeError, Vector, VectorShape,
};
use commitment::{MAX_VARIABLES, MIN_VARIABLES, Place, Profile};

impl Shape {
    /// The shape of openings of a fresh vector with columns of so many variables each and of `others`.
    pub fn new(fresh: &[usize], others: &[Vector], profile: Profile) -> Result<Self, ShapeError> {
        let largest = check(fresh, others)?;
        // The block of masks grows with the fold, and the fold with the vectors; neither shrinks.
        let mut variables = largest.max(MIN_VARIABLES);
        loop {
            let fold = first_fold(variables);
            let shape = Self::with_rows(fresh, others, profile, variables - fold)?;
            let needed = shape.vectors.iter().map(|vector| vector.variables).max();
            match needed {
                Some(needed) if needed > variables => variables = needed,
                _ => return Ok(shape),
            }
        }
    }

    /// The shape with 2^`rows` rows, for openings that are made seldom and are to be small: codes are long, queries
    /// few.
    pub fn of_rows(
        fresh: &[usize],
        others: &[Vector],
        rows: usize,
        profile: Profile,
    ) -> Result<Self, ShapeError> {
        let variables = check(fresh, others)?.max(rows + LEAST_FOLD);
        if variables > MAX_VARIABLES || rows > MAX_SELDOM_ROWS {
            return Err(ShapeError::TooLarge(0));
        }
        let openings = others.iter().map(|other| other.openings).max();
        let schedule = Schedule::seldom(rows, variables, openings.unwrap_or(0).max(1), profile);
        Self::with_schedule(fresh, others, profile, schedule.ok_or(ShapeError::Tails)?)
    }

    fn with_rows(
        fresh: &[usize],
        others: &[Vector],
        profile: Profile,
        rows: usize,
    ) -> Result<Self, ShapeError> {
        let openings = others.iter().map(|other| other.openings).max();
        let schedule = Schedule::new(rows, openings.unwrap_or(0).max(1), profile);
        Self::with_schedule(fresh, others, profile, schedule.ok_or(ShapeError::Tails)?)
    }

    /// The shape with another schedule than the profile's.
    pub(crate) fn with_schedule(
        fresh: &[usize],
        others: &[Vector],
        profile: Profile,
        schedule: Schedule,
    ) -> Result<Self, ShapeError> {
        let rows = schedule.rows;
        let queries = schedule.first_queries();
        let mut fold = 0;
        // The block has two variables more than the fold takes, and is one of the columns.
        loop {
            let masked = masked_columns(fresh, fold, rows);
            let mut vectors = vec![placed(&masked, rows, Mask::Block(fold + 2))];
            for other in others {
                let mut columns = other.columns.clone();
                let mask = if other.openings == 0 {
                    Mask::Half
                } else {
                    columns.push(mask_column(&columns, fold, rows, other.openings));
                    Mask::Column
                };
                let mut vector = placed(&columns, rows, mask);
                vector.sampled = other.sampled;
                vectors.push(vector);
            }
            let openings = others.iter().map(|other| other.openings);
            for (vector, openings) in vectors.iter_mut().zip(std::iter::once(1).chain(openings)) {
                vector.salts = LEAF.saturating_sub(1 << vector.fold.min(LEAF));
                vector.tails = match openings {
                    0 => 0,
                    openings => openings * queries + 1,
                };
            }
            let folds: Vec<usize> = vectors.iter().map(|vector| vector.fold).collect();
            let (slots, columns) = Place::stacked(&folds, fold);
            let found = Place::whole(columns, fold);
            if found + rows > MAX_VARIABLES + MAX_VECTORS {
                return Err(ShapeError::TooLarge(0));
            }
            if found > fold {
                fold = found;
                continue;
            }
            for (index, vector) in vectors.iter_mut().enumerate() {
                vector.slot = slots[index].slot;
                let least = vector.fold;
                let short = |place: &Place| place.variables < least;
                if let Some(column) = vector.columns.iter().position(short) {
                    return Err(ShapeError::Column {
                        vector: index,
                        column,
                        least,
                    });
                }
                if vector.variables > MAX_VARIABLES {
                    return Err(ShapeError::TooLarge(index));
                }
            }
            let tails = vectors.iter().map(|vector| vector.tails).max().unwrap_or(0);
            if let Some(fresh) = vectors.first_mut() {
                // R has them, and lies in the same leaves.
                fresh.tails = tails;
            }
            return Ok(Self {
                profile,
                vectors,
                rows,
                fold,
                tails,
                schedule,
                mask_claims: MASK_CLAIMS,
            });
        }
    }
}

/// The columns of the fresh vector for a fold of so many variables: the caller's, the block of masks,
/// and the pad, which takes five elements.
fn masked_columns(fresh: &[usize], fold: usize, rows: usize) -> Vec<usize> {
    let mut columns = fresh.to_vec();
    columns.extend([fold + 2; PLANES]);
    // As short as the fold of the vector lets a column be.
    let of_all = |pad| {
        let mut all = columns.clone();
        all.push(pad);
        let (_, cells) = Place::stacked(&all, rows + LEAST_FOLD);
        Place::whole(cells, rows + LEAST_FOLD) - rows
    };
    let longest = fold + PLANES;
    let pad = (3..longest).find(|&pad| of_all(pad) <= pad);
    columns.push(pad.unwrap_or(longest));
    columns
}

/// The column of masks of a vector that is opened so often, for a joint fold of so many variables. Each
/// opening shows three values of it and masks two elements a round with it; it has twice as many cells.
fn mask_column(columns: &[usize], fold: usize, rows: usize, openings: usize) -> usize {
    let cells = 2 * PLANES * (2 * fold + MASK_CLAIMS) * openings;
    let least = Place::whole(cells, 3);
    let of_all = |mask| {
        let all = [columns, &[mask]].concat();
        let (_, cells) = Place::stacked(&all, rows + LEAST_FOLD);
        Place::whole(cells, rows + LEAST_FOLD) - rows
    };
    let mut masks = least..least + MAX_VARIABLES;
    masks.find(|&mask| of_all(mask) <= mask).unwrap_or(least)
}

/// The shape of a stack of columns.
fn placed(columns: &[usize], rows: usize, mask: Mask) -> VectorShape {
    let least = rows + LEAST_FOLD;
    let (columns, cells) = Place::stacked(columns, least);
    let variables = Place::whole(cells, least);
    VectorShape {
        columns,
        variables,
        fold: variables - rows,
        slot: 0,
        tails: 0,
        salts: 0,
        mask,
        sampled: matches!(mask, Mask::Block(_)),
    }
}

/// Bounds of what a caller may ask for; the variables of the largest vector, masks left out.
fn check(fresh: &[usize], others: &[Vector]) -> Result<usize, ShapeError> {
    let count = 1 + others.len();
    if count > MAX_VECTORS {
        return Err(ShapeError::Vectors(count));
    }
    let columns = others.iter().map(|other| &other.columns[..]);
    let mut largest = 0;
    for (vector, columns) in std::iter::once(fresh).chain(columns).enumerate() {
        if columns.is_empty() || columns.len() > MAX_COLUMNS {
            let columns = columns.len();
            return Err(ShapeError::Columns { vector, columns });
        }
        if columns.iter().any(|&variables| variables > MAX_VARIABLES) {
            return Err(ShapeError::TooLarge(vector));
        }
        let (_, cells) = Place::stacked(columns, 0);
        if cells > 1 << MAX_VARIABLES {
            return Err(ShapeError::TooLarge(vector));
        }
        largest = largest.max(Place::whole(cells, 0));
    }
    let many = |other: &Vector| other.openings > MAX_OPENINGS;
    match others.iter().position(many) {
        Some(index) => Err(ShapeError::Openings(index + 1)),
        None => Ok(largest),
    }
}
