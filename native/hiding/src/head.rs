//! The prover's rounds of the first fold.
//!
//! As long as a vector's own columns are folded, an equality weight eq(z, ·) on one of its columns needs
//! only the 2^k sums of the column with the weights of its rows,
//!
//! ```text
//! Σ_c eq(z_c, c) · S[c],    S[c] = Σ_r eq(z_r, r) · M[r][c]
//! ```
//!
//! one pass over the column each, or over half of it where z_r begins with a 0 or a 1; cells of a range are
//! products of their own. What a whole vector is at a point has the same sums, so that they are kept from its
//! value to the fold, and those of points that each opening asks for with the vector. Afterwards a vector is its
//! fold f and the fold W of its weights, N elements each, and the rounds that are left are those in which
//! vectors meet each other: with a at 0 and b at 1, h(0) = ⟨f_a, W_a⟩ and h(∞) = ⟨f_b − f_a, W_b − W_a⟩.

use crate::channel::Channel;
use crate::commit::{Committed, Partial};
use crate::form::{LinearForm, Unfit, Weights, equal};
use crate::opening::Round;
use crate::shape::{Shape, VectorShape};
use commitment::Place;
use commitment::columns::{SUMMED, combine_rows, combine_slices};
use p3_field::PrimeCharacteristicRing;
use sumcheck::{Engine, Simd, Sum, add_scaled, dot, equality, equality_at, scale};
use transcript::{Base, Extension, Site};

/// What is left after the first fold.
pub(crate) struct Folded {
    pub(crate) rounds: Vec<Round>,
    pub(crate) point: Vec<Extension>,
    pub(crate) values: Vec<Extension>,
    pub(crate) weights: Vec<Extension>,
}

/// A whole vector at a point, before its columns are weighed.
fn whole(shape: &VectorShape, vector: &Committed, point: &[Extension]) -> Vec<Extension> {
    let (mut rows, mut sums) = (Rest::default(), vec![Extension::ZERO; shape.width()]);
    for (place, column) in shape.columns.iter().zip(&vector.columns) {
        let (own, slot) = point.split_at(place.variables);
        let (_, own) = own.split_at(shape.fold);
        let scale = equality_at(slot, place.slot);
        add_scaled(&mut sums, scale, &rows.sums(own, column));
    }
    sums
}

/// What is known of vectors at points.
pub(crate) type Known = Vec<Vec<Partial>>;

/// A vector whose own columns are being folded.
struct Columns<'a> {
    shape: &'a VectorShape,
    vector: &'a Committed,
    form: &'a LinearForm,
    sums: Vec<Simd>,
}

/// Vectors whose own columns are folded, together at their slots.
struct Rows {
    slot: usize,
    values: Vec<Extension>,
    weights: Vec<Extension>,
}

/// Folds all vectors.
pub(crate) fn fold(
    shape: &Shape,
    vectors: &[&Committed],
    forms: &[LinearForm],
    mut known: Known,
    channel: &mut impl Channel,
) -> Folded {
    known.resize(vectors.len(), Vec::new());
    let all = shape.vectors.iter().zip(vectors).zip(forms).zip(known);
    let mut columns: Vec<Columns<'_>> = all
        .map(|(((shape, vector), form), mut known)| Columns {
            shape,
            vector,
            form,
            sums: sums(shape, vector, form, &mut known),
        })
        .collect();
    let mut rows: Vec<Rows> = Vec::new();
    let (mut rounds, mut point) = (Vec::new(), Vec::new());
    for left in (0..shape.fold).rev() {
        let mut round = [Extension::ZERO; 2];
        let sums = columns.iter_mut().flat_map(|columns| &mut columns.sums);
        for sum in sums {
            for (total, coefficient) in round.iter_mut().zip(sum.round()) {
                *total += coefficient;
            }
        }
        let meetings = meetings(rows, left);
        for (low, high) in &meetings {
            let [constant, square] = met(low.as_ref(), high.as_ref());
            round[0] += constant;
            round[1] += square;
        }
        channel.absorb(Site::OpeningRound, &round);
        let x = channel.challenge();
        rounds.push(round);
        point.push(x);

        let merged = meetings.into_iter();
        rows = merged
            .filter_map(|(low, high)| merge(low, high, x))
            .collect();
        let folded = point.len();
        let mut next = Vec::with_capacity(columns.len());
        for mut vector in columns {
            for sum in &mut vector.sums {
                sum.fold(x);
            }
            if vector.shape.fold == folded {
                rows.push(vector.rows(shape.rows, &point));
            } else {
                next.push(vector);
            }
        }
        columns = next;
    }
    let (values, weights) = rows.into_iter().next().map_or_else(
        || (Vec::new(), Vec::new()),
        |rows| (rows.values, rows.weights),
    );
    Folded {
        rounds,
        point,
        values,
        weights,
    }
}

/// Pairs of what meets in the round after which so many bits of slots are left: at 0 and at 1.
fn meetings(rows: Vec<Rows>, left: usize) -> Vec<(Option<Rows>, Option<Rows>)> {
    let mut meetings: Vec<(Option<Rows>, Option<Rows>)> = Vec::new();
    let mut keys: Vec<usize> = Vec::new();
    for rows in rows {
        let key = rows.slot & ((1 << left) - 1);
        let at = keys.iter().position(|&other| other == key);
        let at = at.unwrap_or_else(|| {
            keys.push(key);
            meetings.push((None, None));
            keys.len() - 1
        });
        if (rows.slot >> left) & 1 == 0 {
            meetings[at].0 = Some(rows);
        } else {
            meetings[at].1 = Some(rows);
        }
    }
    meetings
}

/// h(0) and h(∞) of a meeting.
fn met(low: Option<&Rows>, high: Option<&Rows>) -> Round {
    let own = |rows: &Rows| dot(&rows.values, &rows.weights);
    match (low, high) {
        (Some(low), Some(high)) => {
            let difference = |low: &[Extension], high: &[Extension]| -> Vec<Extension> {
                low.iter()
                    .zip(high)
                    .map(|(&low, &high)| high - low)
                    .collect()
            };
            let values = difference(&low.values, &high.values);
            let weights = difference(&low.weights, &high.weights);
            [own(low), dot(&values, &weights)]
        }
        (Some(low), None) => [own(low); 2],
        (None, Some(high)) => [Extension::ZERO, own(high)],
        (None, None) => [Extension::ZERO; 2],
    }
}

/// What a meeting is after its challenge.
fn merge(low: Option<Rows>, high: Option<Rows>, x: Extension) -> Option<Rows> {
    let line = |low: &mut [Extension], high: &[Extension]| {
        scale(low, Extension::ONE - x);
        add_scaled(low, x, high);
    };
    match (low, high) {
        (Some(mut low), Some(high)) => {
            line(&mut low.values, &high.values);
            line(&mut low.weights, &high.weights);
            Some(low)
        }
        (Some(mut rows), None) => {
            scale(&mut rows.values, Extension::ONE - x);
            scale(&mut rows.weights, Extension::ONE - x);
            Some(rows)
        }
        (None, Some(mut rows)) => {
            scale(&mut rows.values, x);
            scale(&mut rows.weights, x);
            Some(rows)
        }
        (None, None) => None,
    }
}

impl Columns<'_> {
    /// The vector after its own fold.
    fn rows(&self, rows: usize, point: &[Extension]) -> Rows {
        let shape = self.shape;
        let mut values = vec![Extension::ZERO; 1 << rows];
        let of_columns = equality(point, shape.width());
        let columns = &self.vector.columns;
        let cost = (1 << shape.variables) / columns.len().max(1) / SUMMED;
        let folded = parallel::map(columns.len(), cost, |column| {
            combine_rows(&of_columns, &columns[column])
        });
        for (place, folded) in shape.columns.iter().zip(folded) {
            place.scatter(shape.variables, Extension::ONE, &folded, &mut values);
        }
        let mut weights = vec![Extension::ZERO; 1 << rows];
        for term in &self.form.terms {
            match term {
                Weights::Column {
                    column,
                    point: at,
                    scale,
                } => scatter(
                    shape,
                    shape.columns[*column],
                    at,
                    *scale,
                    point,
                    &mut weights,
                ),
                Weights::Whole { point: at, scale } => {
                    scatter(shape, shape.whole(), at, *scale, point, &mut weights);
                }
                Weights::Cells {
                    column,
                    first,
                    weights: of_cells,
                } => {
                    let place = shape.columns[*column];
                    for (element, &weight) in (*first..).zip(of_cells) {
                        let cell = shape.cell(place, element);
                        let (column, row) = (cell >> rows, cell & ((1 << rows) - 1));
                        weights[row] += weight * of_columns[column];
                    }
                }
            }
        }
        Rows {
            slot: shape.slot,
            values,
            weights,
        }
    }
}

/// Adds the fold of `scale` times a column's equality weights.
fn scatter(
    shape: &VectorShape,
    place: Place,
    at: &[Extension],
    scale: Extension,
    point: &[Extension],
    weights: &mut [Extension],
) {
    let (columns, rows) = at.split_at(shape.fold);
    let table = equality(rows, 1 << rows.len());
    place.scatter(
        shape.variables,
        scale * equal(columns, point),
        &table,
        weights,
    );
}

/// Weights of rows, which columns of one size often share.
#[derive(Default)]
struct Rest {
    point: Vec<Extension>,
    /// Where they are not zero: all of the rows, or the half of this number.
    half: Option<usize>,
    weights: Vec<Extension>,
}

impl Rest {
    /// Σ_r eq(point, r) · M[r][c] for each column c of a matrix that lies column by column.
    fn sums(&mut self, point: &[Extension], cells: &[Base]) -> Vec<Extension> {
        if self.point != point || self.weights.is_empty() {
            let first = point.first();
            let halves = [Extension::ZERO, Extension::ONE];
            self.half = halves.iter().position(|half| Some(half) == first);
            let left = &point[usize::from(self.half.is_some())..];
            self.weights = equality(left, 1 << left.len());
            self.point = point.to_vec();
        }
        let own = self.weights.len();
        match self.half {
            None => combine_slices(&self.weights, cells.chunks_exact(own)),
            Some(half) => {
                let columns = cells.chunks_exact(2 * own);
                let halves = columns.map(|column| &column[half * own..][..own]);
                combine_slices(&self.weights, halves)
            }
        }
    }
}

/// Sums over rows that are kept for the points at which columns are claimed: claims that have the first
/// coordinates in common share theirs.
#[derive(Default)]
struct Sums {
    points: Vec<Vec<Extension>>,
    tables: Vec<Vec<Extension>>,
}

impl Sums {
    /// Adds `scale` times sums for these first coordinates.
    fn add(&mut self, columns: &[Extension], scale: Extension, sums: &[Extension]) {
        let known = self.points.iter().position(|other| other == columns);
        let index = known.unwrap_or_else(|| {
            self.points.push(columns.to_vec());
            self.tables.push(vec![Extension::ZERO; sums.len()]);
            self.tables.len() - 1
        });
        add_scaled(&mut self.tables[index], scale, sums);
    }

    /// Adds all that a form has of equality weights.
    fn add_form(
        &mut self,
        shape: &VectorShape,
        vector: &Committed,
        form: &LinearForm,
        known: &mut Vec<Partial>,
    ) {
        let terms = form.terms.iter().filter_map(|term| match term {
            Weights::Column {
                column,
                point,
                scale,
            } => Some((Some(*column), point, *scale)),
            Weights::Whole { point, scale } => Some((None, point, *scale)),
            Weights::Cells { .. } => None,
        });
        let terms: Vec<_> = terms.collect();
        let kept = |column: Option<usize>, point: &[Extension]| {
            let mut kept = vector.known.iter().chain(&*known);
            kept.find(|kept| kept.column == column && kept.point == *point)
        };
        let missing: Vec<_> = terms
            .iter()
            .filter(|(column, point, _)| kept(*column, point).is_none())
            .collect();
        let cells = missing.iter().map(|(_, point, _)| 1_usize << point.len());
        let cost = cells.sum::<usize>() / missing.len().max(1) / SUMMED;
        let found = parallel::joined(missing.len(), cost, |range| {
            let mut rows = Rest::default();
            let of =
                |&&(column, point, _): &&(Option<usize>, &Vec<Extension>, Extension)| Partial {
                    column,
                    point: point.clone(),
                    sums: match column {
                        Some(column) => rows.sums(&point[shape.fold..], &vector.columns[column]),
                        None => whole(shape, vector, point),
                    },
                };
            missing[range].iter().map(of).collect()
        });
        let mut found = found.into_iter();
        let mut new = Vec::with_capacity(missing.len());
        for &(column, point, scale) in &terms {
            let columns = &point[..shape.fold];
            if let Some(kept) = kept(column, point) {
                self.add(columns, scale, &kept.sums);
            } else if let Some(partial) = found.next() {
                self.add(columns, scale, &partial.sums);
                new.push(partial);
            }
        }
        known.append(&mut new);
    }
}

/// The products that are summed up while a vector's own columns are folded.
fn sums(
    shape: &VectorShape,
    vector: &Committed,
    form: &LinearForm,
    known: &mut Vec<Partial>,
) -> Vec<Simd> {
    let mut sums = Sums::default();
    sums.add_form(shape, vector, form, known);
    let points = sums.points.iter().zip(sums.tables);
    let mut products: Vec<Simd> = points
        .map(|(point, table)| Simd::new(vec![table, equality(point, shape.width())]))
        .collect();
    for term in &form.terms {
        if let Weights::Cells {
            column,
            first,
            weights,
        } = term
        {
            let place = shape.columns[*column];
            let cells = &vector.columns[*column];
            products.push(of_cells(shape, place, cells, *first, weights));
        }
    }
    products
}

/// The product of cells and their weights: of the rows that these cells are in, all columns.
fn of_cells(
    shape: &VectorShape,
    place: Place,
    cells: &[Base],
    first: usize,
    weights: &[Extension],
) -> Simd {
    let own = place.variables - shape.fold;
    let row = |element: usize| element & ((1 << own) - 1);
    let mut rows: Vec<usize> = (first..).take(weights.len()).map(row).collect();
    rows.sort_unstable();
    rows.dedup();
    let length = rows.len().next_power_of_two();
    let mut tables = [(); 2].map(|()| vec![Extension::ZERO; length << shape.fold]);
    for column in 0..shape.width() {
        for (at, &row) in rows.iter().enumerate() {
            let value = cells.get((column << own) | row).copied();
            tables[0][column * length + at] = value.unwrap_or_default().into();
        }
    }
    for (element, &weight) in (first..).zip(weights) {
        if let Ok(at) = rows.binary_search(&row(element)) {
            tables[1][(element >> own) * length + at] += weight;
        }
    }
    Simd::new(tables.into())
}

/// The value of a form on a vector. What it takes to know of the vector at points is added to `known`.
pub(crate) fn value(
    shape: &VectorShape,
    vector: &Committed,
    form: &LinearForm,
    known: &mut Vec<Partial>,
) -> Extension {
    let mut sums = Sums::default();
    sums.add_form(shape, vector, form, known);
    let points = sums.points.iter().zip(&sums.tables);
    let of_points: Extension = points
        .map(|(point, table)| dot(&equality(point, shape.width()), table))
        .sum();
    let of_cells = form.terms.iter().map(|term| match term {
        Weights::Cells {
            column,
            first,
            weights,
        } => {
            let cells = vector.columns[*column].iter().skip(*first);
            weights.iter().zip(cells).map(|(&w, &cell)| w * cell).sum()
        }
        _ => Extension::ZERO,
    });
    of_points + of_cells.sum::<Extension>()
}

impl Committed {
    /// The value of a form, where it fits the vector. What openings that claim it need of it is kept.
    pub fn keep(&mut self, form: &LinearForm) -> Result<Extension, Unfit> {
        form.check(&self.shape, self.shape.own())?;
        let mut known = Vec::new();
        let value = value(&self.shape, self, form, &mut known);
        self.known.append(&mut known);
        Ok(value)
    }

    /// The value alone, for tests.
    #[cfg(any(test, feature = "audit"))]
    pub fn value(&self, form: &LinearForm) -> Result<Extension, Unfit> {
        form.check(&self.shape, self.shape.own())?;
        Ok(value(&self.shape, self, form, &mut Vec::new()))
    }
}
