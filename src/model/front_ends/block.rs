//! A transformer block with the normalisation before each half (Vaswani et al.
//! 2017; Radford et al. 2022 for Whisper's form: no bias on the keys).

use crate::dsp::lanes;
use crate::model::activation::exp;
use crate::model::error::ModelError;
use crate::model::linear::{LayerNorm, Linear, gelu};
use crate::model::matmul::{Floats, Lanes, Matrix, Scratch, Work, add_product, map, on_best_unit};
use crate::model::weights::Weights;

/// Values of one attention head, in every size of Whisper.
pub const HEAD: usize = 64;

/// One block.
#[derive(Debug)]
pub struct Block {
    width: usize,
    attention_norm: LayerNorm,
    /// Queries, keys and values.
    projections: [Linear; 3],
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
            projections: [square("q_proj")?, square("k_proj")?, square("v_proj")?],
            output: square("out_proj")?,
            dense_norm: norm("final_layer_norm")?,
            widen: read("fc1", 4 * width, width)?,
            narrow: read("fc2", width, 4 * width)?,
        })
    }

    /// `[steps, width]` in place.
    pub fn apply(&self, x: &mut [f32], scratch: &mut Scratch) {
        let normal = self.attention_norm.apply(x);
        let projected = self
            .projections
            .each_ref()
            .map(|p| p.apply(&normal, scratch));
        self.output.add(x, &self.attend(projected), scratch);
        let mut hidden = self.widen.apply(&self.dense_norm.apply(x), scratch);
        gelu(&mut hidden);
        self.narrow.add(x, &hidden, scratch);
    }

    /// Queries, keys and values, `[steps, width]` each → `[steps, width]`.
    fn attend(&self, projected: [Vec<f32>; 3]) -> Vec<f32> {
        let n_steps = projected[0].len() / self.width;
        let mut out = vec![0.0; n_steps * self.width];
        let mut parts = [const { Vec::new() }; 3];
        let mut scores = vec![0.0; n_steps * n_steps];
        let mut mixed = vec![0.0; n_steps * HEAD];
        for head in (0..self.width).step_by(HEAD) {
            for (part, projected) in parts.iter_mut().zip(&projected) {
                part.clear();
                for row in projected.chunks_exact(self.width) {
                    part.extend_from_slice(&row[head..][..HEAD]);
                }
            }
            let [queries, keys, values] = &mut parts;
            attention(queries, keys, &mut scores);
            let values = Matrix::new(values, n_steps, HEAD);
            mixed.fill(0.0);
            add_product(&mut mixed, Matrix::new(&scores, n_steps, n_steps), values);
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

/// How much each of one head's queries heeds each of its keys, `[steps, 64]` each: shares
/// of one, `[steps, steps]`. The queries end up scaled.
pub fn attention(queries: &mut [f32], keys: &[f32], shares: &mut [f32]) {
    let n_steps = keys.len() / HEAD;
    let scale = 1.0 / (HEAD as f32).sqrt();
    queries.iter_mut().for_each(|q| *q *= scale);
    let keys = Matrix::new(keys, n_steps, HEAD).transpose();
    shares.fill(0.0);
    add_product(shares, Matrix::new(queries, n_steps, HEAD), keys);
    on_best_unit(Softmax {
        rows: shares,
        width: n_steps,
    });
}

/// Every row as shares of one.
struct Softmax<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl Work for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        self.rows
            .chunks_exact_mut(self.width)
            .for_each(softmax::<L>);
    }
}

#[inline(always)]
fn softmax<L: Lanes>(row: &mut [f32]) {
    // Eight at a time: a single running maximum or sum would not be vectorised.
    let mut largest = [f32::NEG_INFINITY; 8];
    for values in row.as_chunks::<8>().0 {
        for (m, v) in largest.iter_mut().zip(values) {
            *m = if *v > *m { *v } else { *m };
        }
    }
    let rest = row.as_chunks::<8>().1;
    let largest = largest
        .iter()
        .chain(rest)
        .fold(f32::NEG_INFINITY, |m, v| m.max(*v));
    map::<L>(row, |v| exp(v.add(L::Floats::all(-largest))));
    let factor = 1.0 / lanes::sum(row, |v| v);
    row.iter_mut().for_each(|v| *v *= factor);
}
