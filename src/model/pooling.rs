//! From a sequence to one vector: attention-weighted mean and deviation
//! (Okabe et al. 2018, "Attentive Statistics Pooling for Deep Speaker
//! Embedding", equations 3–5, with one head) beside the plain mean.

use super::affine::affine;
use candle_core::{D, Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

/// Keeps the square root's slope finite where a value never changes.
pub(super) const MIN_VARIANCE: f64 = 1e-4;

/// Units of the scoring layer.
pub(super) const N_HIDDEN: usize = 64;

/// Added to the attention of padding: its weight becomes zero.
const MASKED: f32 = -1e9;

/// Attentive statistics pooling.
#[derive(Clone, Debug)]
pub struct AttentivePooling {
    hidden: Linear,
    score: Linear,
}

impl AttentivePooling {
    /// Reads the weights.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(n_inputs: usize, vb: &VarBuilder) -> Result<AttentivePooling> {
        Ok(AttentivePooling {
            hidden: linear(n_inputs, N_HIDDEN, vb.pp("hidden"))?,
            score: linear(N_HIDDEN, 1, vb.pp("score"))?,
        })
    }

    /// `[batch, steps, inputs]` → `[batch, 3 · inputs]`: attention mean,
    /// attention deviation, mean; `lengths` are the sequences' true steps.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let mask = mask(lengths, x.dim(1)?, x.device())?;
        let bias = mask.affine(f64::from(-MASKED), f64::from(MASKED))?;
        let score = self
            .score
            .forward(&affine(&self.hidden, x, false)?.tanh()?)?;
        let attention = candle_nn::ops::softmax(&score.squeeze(2)?.add(&bias)?, D::Minus1)?;
        let (mean, variance) = moments(x, &attention)?;
        let deviation = (variance.relu()? + MIN_VARIANCE)?.sqrt()?;
        let uniform = mask.broadcast_div(&mask.sum_keepdim(1)?)?;
        let plain = uniform.unsqueeze(1)?.matmul(x)?.squeeze(1)?;
        Tensor::cat(&[mean, deviation, plain], 1)
    }
}

/// Values that pooling makes of `n_inputs`.
pub fn n_pooled(n_inputs: usize) -> usize {
    3 * n_inputs
}

/// Weighted mean and variance over time.
fn moments(x: &Tensor, weights: &Tensor) -> Result<(Tensor, Tensor)> {
    let weights = weights.unsqueeze(1)?;
    let mean = weights.matmul(x)?.squeeze(1)?;
    let mean_of_squares = weights.matmul(&x.sqr()?)?.squeeze(1)?;
    let variance = (mean_of_squares - mean.sqr()?)?;
    Ok((mean, variance))
}

/// `[batch, steps]`: one where a sequence is, zero where padding is.
pub fn mask(lengths: &[usize], n_steps: usize, device: &Device) -> Result<Tensor> {
    let values = lengths
        .iter()
        .flat_map(|&length| (0..n_steps).map(move |t| if t < length { 1f32 } else { 0.0 }))
        .collect();
    Tensor::from_vec(values, (lengths.len(), n_steps), device)
}
