//! The recurrent product of a step: hidden states times recurrent weights.
//!
//! A few sequences (inference) use weights packed for a vectorised
//! matrix-vector product; many (training) use the general matrix product.

use crate::model::matmul::{Matrix, multiply};

/// Outputs computed together: eight SIMD registers of four.
const BLOCK: usize = 32;

/// From this many sequences on the general matrix product is faster.
const MIN_ROWS_FOR_GEMM: usize = 4;

/// Recurrent weights of one direction, ready for stepping.
pub struct Weights<'a> {
    /// `[outputs, hidden]`, as PyTorch keeps them.
    rows: &'a [f32],
    hidden: usize,
    n_outputs: usize,
    /// `[outputs / BLOCK, hidden, BLOCK]`, padded with zeros.
    packed: Vec<f32>,
}

impl<'a> Weights<'a> {
    /// Packs `[outputs, hidden]` weights; `batch` sequences at most will step
    /// together.
    pub fn new(rows: &'a [f32], hidden: usize) -> Weights<'a> {
        let n_outputs = rows.len() / hidden;
        let mut packed = vec![0.0; n_outputs.div_ceil(BLOCK) * hidden * BLOCK];
        for (output, row) in rows.chunks_exact(hidden).enumerate() {
            let block = &mut packed[output / BLOCK * hidden * BLOCK..];
            for (k, w) in row.iter().enumerate() {
                block[k * BLOCK + output % BLOCK] = *w;
            }
        }
        Weights {
            rows,
            hidden,
            n_outputs,
            packed,
        }
    }

    /// `gates[i] += weights · hidden_states[i]` for `n` sequences; `gates` is
    /// `[n, outputs]`, `hidden_states` `[n, hidden]`.
    pub fn add_product(&self, gates: &mut [f32], hidden_states: &[f32], n: usize) {
        if n >= MIN_ROWS_FOR_GEMM {
            let weights = Matrix::new(self.rows, self.n_outputs, self.hidden).transpose();
            multiply(
                gates,
                Matrix::new(hidden_states, n, self.hidden),
                weights,
                true,
            );
            return;
        }
        let rows = gates.chunks_exact_mut(self.n_outputs).take(n);
        for (gates, h) in rows.zip(hidden_states.chunks_exact(self.hidden)) {
            let blocks = self.packed.chunks_exact(self.hidden * BLOCK);
            for (gates, block) in gates.chunks_mut(BLOCK).zip(blocks) {
                let sums = block_product(block, h);
                for (gate, sum) in gates.iter_mut().zip(sums) {
                    *gate += sum;
                }
            }
        }
    }

    /// `d_hidden[i] = weightsᵀ · d_gates[i]` for `n` sequences.
    pub fn back_product(&self, d_hidden: &mut [f32], d_gates: &[f32], n: usize) {
        multiply(
            d_hidden,
            Matrix::new(d_gates, n, self.n_outputs),
            Matrix::new(self.rows, self.n_outputs, self.hidden),
            false,
        );
    }
}

#[inline]
fn block_product(block: &[f32], h: &[f32]) -> [f32; BLOCK] {
    let mut sums = [0.0; BLOCK];
    let (lines, _) = block.as_chunks::<BLOCK>();
    for (line, x) in lines.iter().zip(h) {
        for (sum, w) in sums.iter_mut().zip(line) {
            *sum += w * x;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_and_general_products_are_the_same() {
        let (hidden, n_outputs, n) = (20, 80, 6);
        let rows: Vec<f32> = (0..hidden * n_outputs).map(|i| (i as f32).sin()).collect();
        let states: Vec<f32> = (0..hidden * n).map(|i| (i as f32 * 0.7).cos()).collect();
        let weights = Weights::new(&rows, hidden);
        let mut together = vec![0.5; n * n_outputs];
        weights.add_product(&mut together, &states, n);
        for i in 0..n {
            let mut alone = vec![0.5; n_outputs];
            weights.add_product(&mut alone, &states[i * hidden..], 1);
            for (o, (a, t)) in alone.iter().zip(&together[i * n_outputs..]).enumerate() {
                let naive: f32 = (0..hidden)
                    .map(|k| rows[o * hidden + k] * states[i * hidden + k])
                    .sum::<f32>()
                    + 0.5;
                assert!((a - naive).abs() < 1e-4 && (t - naive).abs() < 1e-4);
            }
        }
    }
}
