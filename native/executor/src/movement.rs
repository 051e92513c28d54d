//! Operations that only move elements.

use graph::elements;

/// Steps through all places of the dimensions, the last one fastest.
fn next_place(place: &mut [usize], shape: &[usize]) {
    for (at, &size) in place.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < size {
            return;
        }
        *at = 0;
    }
}

/// Dimensions over which a view steps evenly are one.
fn merged(shape: &[usize], strides: &[i64]) -> (Vec<usize>, Vec<i64>) {
    let mut merged: (Vec<usize>, Vec<i64>) = Default::default();
    for (&size, &stride) in shape.iter().zip(strides) {
        if size == 1 {
            continue;
        }
        if let (Some(last), Some(step)) = (merged.0.last_mut(), merged.1.last_mut())
            && Some(*step) == stride.checked_mul(size as i64)
        {
            *last *= size;
            *step = stride;
        } else {
            merged.0.push(size);
            merged.1.push(stride);
        }
    }
    merged
}

/// The elements of `x` at steady steps, one stride for each dimension.
pub(crate) fn view(x: &[i32], offset: i64, strides: &[i64], shape: &[usize], out: &mut Vec<i32>) {
    let (shape, strides) = merged(shape, strides);
    let (width, stride) = match (shape.split_last(), strides.split_last()) {
        (Some((&width, _)), Some((&stride, _))) => (width, stride),
        _ => (1, 1),
    };
    let lead = shape.split_last().map_or(&[] as &[usize], |(_, lead)| lead);
    let mut place = vec![0_usize; lead.len()];
    for _ in 0..elements(lead) {
        let steps = place.iter().zip(&strides);
        let start = steps.fold(offset, |sum, (&at, &stride)| sum + at as i64 * stride);
        // A well-formed view reads nothing outside of its operand.
        let first = usize::try_from(start).unwrap_or(usize::MAX);
        let from = x.get(first..).unwrap_or_default();
        match stride {
            1 => out.extend_from_slice(from.get(..width).unwrap_or_default()),
            0 => {
                let value = from.first().copied().unwrap_or(0);
                out.extend(std::iter::repeat_n(value, width));
            }
            2.. => out.extend(from.iter().step_by(stride as usize).take(width)),
            _ => {
                let address = |at: usize| usize::try_from(start + at as i64 * stride).ok();
                let read = |at| address(at).and_then(|at| x.get(at)).copied().unwrap_or(0);
                out.extend((0..width).map(read));
            }
        }
        next_place(&mut place, lead);
    }
}

/// The operand with `fill` around it.
pub(crate) fn pad(
    x: &[i32],
    shape: &[usize],
    begin: &[usize],
    end: &[usize],
    fill: i32,
    out: &mut Vec<i32>,
) {
    let (Some((&width, lead)), Some((&before, begin)), Some((&after, end))) =
        (shape.split_last(), begin.split_last(), end.split_last())
    else {
        out.extend_from_slice(x);
        return;
    };
    let sizes = lead.iter().zip(begin).zip(end);
    let padded: Vec<usize> = sizes
        .map(|((size, before), after)| before + size + after)
        .collect();
    let mut lines = x.chunks_exact(width);
    let mut place = vec![0_usize; padded.len()];
    for _ in 0..elements(&padded) {
        let bounds = place.iter().zip(begin).zip(lead);
        let inside = bounds.fold(true, |inside, ((&at, &before), &size)| {
            inside && at >= before && at - before < size
        });
        match if inside { lines.next() } else { None } {
            Some(line) => {
                out.extend(std::iter::repeat_n(fill, before));
                out.extend_from_slice(line);
                out.extend(std::iter::repeat_n(fill, after));
            }
            None => out.extend(std::iter::repeat_n(fill, before + width + after)),
        }
        next_place(&mut place, &padded);
    }
}
