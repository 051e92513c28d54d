//! The operand of a contraction, weighted over its positions.
//!
//! At a random point the result of y = W·x becomes Σ_{n,k} T[n,k] · W[n,k] for a table T of the operand:
//! T[n,k] = eq(row, n) · v_g(k), where v_g is the operand, weighted over the positions, of the group g of row n.

use crate::integers::combine_rows;
use crate::shape::Contraction;
use crate::windows::windows;
use p3_field::PrimeCharacteristicRing;
use transcript::Extension;

/// v_g(k), group after group, for weights of the batch and of the positions of each axis.
pub fn weighted_operand(
    contraction: &Contraction,
    batch: &[Extension],
    positions: &[Vec<Extension>],
    operand: &[i32],
) -> Vec<Extension> {
    let columns = contraction.groups * contraction.size.columns;
    if contraction.axes.is_empty() {
        return combine_rows(batch, operand, columns);
    }
    let image = contraction.axes.iter().map(|axis| axis.input);
    let channels = contraction.groups * contraction.channels;
    let image = image.fold(channels, usize::saturating_mul);
    let mut sums = vec![Extension::ZERO; columns];
    // The first axis carries the weight of the batch too.
    let mut axes = positions.to_vec();
    for (image, &weight) in operand.chunks_exact(image.max(1)).zip(batch) {
        if let (Some(scaled), Some(own)) = (axes.first_mut(), positions.first()) {
            for (scaled, &own) in scaled.iter_mut().zip(own) {
                *scaled = own * weight;
            }
        }
        for (sum, value) in sums.iter_mut().zip(windows(contraction, &axes, image)) {
            *sum += value;
        }
    }
    sums
}
