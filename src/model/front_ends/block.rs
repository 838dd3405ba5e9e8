//! A transformer block with the normalisation before each half (Vaswani et al.
//! 2017; Radford et al. 2022 for Whisper's form: no bias on the keys).

use super::linear::{LayerNorm, Linear, gelu};
use crate::model::activation::exp;
use crate::model::error::ModelError;
use crate::model::matmul::{Matrix, multiply};
use crate::model::weights::Weights;

/// Values of one attention head, in every size of Whisper.
const HEAD: usize = 64;

/// One block.
#[derive(Debug)]
pub struct Block {
    width: usize,
    attention_norm: LayerNorm,
    /// Queries, keys and values side by side; the queries scaled already.
    projections: Linear,
    output: Linear,
    dense_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

impl Block {
    /// Reads the weights under their names in Whisper's published models.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read(weights: &Weights, name: &str, width: usize) -> Result<Block, ModelError> {
        if !width.is_multiple_of(HEAD) {
            return Err(ModelError::FrontEnd {
                reason: format!("a width of {width} is no multiple of {HEAD}"),
            });
        }
        let square =
            |part: &str| Linear::read(weights, &format!("{name}.self_attn.{part}"), width, width);
        let norm = |part: &str| LayerNorm::read(weights, &format!("{name}.{part}"), width);
        let read = |part: &str, n_outputs, n_inputs| {
            Linear::read(weights, &format!("{name}.{part}"), n_outputs, n_inputs)
        };
        Ok(Block {
            width,
            attention_norm: norm("self_attn_layer_norm")?,
            projections: Linear::joined([square("q_proj")?, square("k_proj")?, square("v_proj")?]),
            output: square("out_proj")?,
            dense_norm: norm("final_layer_norm")?,
            widen: read("fc1", 4 * width, width)?,
            narrow: read("fc2", width, 4 * width)?,
        })
    }

    /// `[steps, width]` in place.
    pub fn apply(&self, x: &mut [f32]) {
        let projected = self.projections.apply(&self.attention_norm.apply(x));
        add(x, &self.output.apply(&self.attend(&projected)));
        let mut hidden = self.widen.apply(&self.dense_norm.apply(x));
        gelu(&mut hidden);
        add(x, &self.narrow.apply(&hidden));
    }

    /// `[steps, 3 · width]` of queries, keys and values → `[steps, width]`.
    fn attend(&self, projected: &[f32]) -> Vec<f32> {
        let n_steps = projected.len() / (3 * self.width);
        let scale = 1.0 / (HEAD as f32).sqrt();
        let mut out = vec![0.0; n_steps * self.width];
        let mut parts = [const { Vec::new() }; 3];
        let mut scores = vec![0.0; n_steps * n_steps];
        let mut mixed = vec![0.0; n_steps * HEAD];
        for head in (0..self.width).step_by(HEAD) {
            for (i, part) in parts.iter_mut().enumerate() {
                part.clear();
                for row in projected.chunks_exact(3 * self.width) {
                    part.extend_from_slice(&row[i * self.width + head..][..HEAD]);
                }
            }
            let [queries, keys, values] = &mut parts;
            queries.iter_mut().for_each(|q| *q *= scale);
            let keys = Matrix::new(keys, n_steps, HEAD).transpose();
            multiply(
                &mut scores,
                Matrix::new(queries, n_steps, HEAD),
                keys,
                false,
            );
            scores.chunks_exact_mut(n_steps).for_each(softmax);
            let values = Matrix::new(values, n_steps, HEAD);
            multiply(
                &mut mixed,
                Matrix::new(&scores, n_steps, n_steps),
                values,
                false,
            );
            for (row, mixed) in out
                .chunks_exact_mut(self.width)
                .zip(mixed.chunks_exact(HEAD))
            {
                row[head..head + HEAD].copy_from_slice(mixed);
            }
        }
        out
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

fn softmax(row: &mut [f32]) {
    // Eight at a time: a single running maximum or sum would not be vectorised.
    let mut largest = [f32::NEG_INFINITY; 8];
    for values in row.chunks(8) {
        for (m, v) in largest.iter_mut().zip(values) {
            *m = m.max(*v);
        }
    }
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|v| *v = exp(*v - largest));
    let mut sums = [0.0; 8];
    for values in row.chunks(8) {
        for (s, v) in sums.iter_mut().zip(values) {
            *s += v;
        }
    }
    let factor = 1.0 / sums.iter().sum::<f32>();
    row.iter_mut().for_each(|v| *v *= factor);
}
