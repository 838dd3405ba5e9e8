//! A transformer block of Whisper's encoder as a graph that gradients
//! flow through; in use, [`crate::model::front_ends`] runs the same weights.

use super::gelu::Gelu;
use crate::model::affine::Affine;
use candle_core::{D, Result, Tensor};
use std::collections::BTreeMap;

/// Values of one attention head.
const HEAD: usize = 64;

/// As PyTorch's layer normalisation.
const EPSILON: f64 = 1e-5;

/// Added to the scores of padding: its attention becomes zero.
const MASKED: f32 = -1e9;

/// A block whose weights can be moved.
pub struct TrainableBlock {
    /// By their names within the block.
    weights: BTreeMap<String, Tensor>,
    width: usize,
}

impl TrainableBlock {
    /// A block of these weights, by their names within it.
    ///
    /// # Errors
    /// If the last one is missing.
    pub fn new(weights: BTreeMap<String, Tensor>) -> Result<TrainableBlock> {
        let width = match weights.get("fc2.weight") {
            Some(weight) => weight.dim(0)?,
            None => candle_core::bail!("this is no block of Whisper's encoder"),
        };
        Ok(TrainableBlock { weights, width })
    }

    /// `[batch, steps, width]` → the same; sequence `i` is `lengths[i]` steps
    /// long and what becomes of the padding means nothing.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (batch, n_steps, width) = x.dims3()?;
        let padding: Vec<f32> = lengths
            .iter()
            .flat_map(|&n| (0..n_steps).map(move |t| if t < n { 0.0 } else { MASKED }))
            .collect();
        let padding = Tensor::from_vec(padding, (batch, 1, 1, n_steps), x.device())?;
        let x = x.reshape((batch * n_steps, width))?;
        let normal = self.norm("self_attn_layer_norm", &x)?;
        let heads = |part: &str| {
            self.dense(&format!("self_attn.{part}"), &normal)?
                .reshape((batch, n_steps, width / HEAD, HEAD))?
                .transpose(1, 2)?
                .contiguous()
        };
        let queries = (heads("q_proj")? / (HEAD as f64).sqrt())?;
        let scores = queries.matmul(&heads("k_proj")?.t()?)?;
        let attention = candle_nn::ops::softmax(&scores.broadcast_add(&padding)?, D::Minus1)?;
        let mixed = attention
            .matmul(&heads("v_proj")?)?
            .transpose(1, 2)?
            .reshape((batch * n_steps, width))?;
        let x = (x + self.dense("self_attn.out_proj", &mixed)?)?;
        let hidden = self.dense("fc1", &self.norm("final_layer_norm", &x)?)?;
        let x = (&x + self.dense("fc2", &hidden.apply_op1(Gelu)?)?)?;
        x.reshape((batch, n_steps, width))
    }

    fn weight(&self, name: &str) -> Result<&Tensor> {
        match self.weights.get(name) {
            Some(weight) => Ok(weight),
            None => candle_core::bail!("the block lacks the weight {name}"),
        }
    }

    fn dense(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let weight = self.weight(&format!("{name}.weight"))?;
        // The other cores have clips of their own.
        let op = Affine {
            of_data: false,
            n_cores: 1,
        };
        // Whisper's keys have no bias.
        match self.weights.get(&format!("{name}.bias")) {
            Some(bias) => x.apply_op3(weight, bias, op),
            None => x.apply_op2(weight, op),
        }
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let n = self.width as f64;
        let centred = x.broadcast_sub(&(x.sum_keepdim(1)? / n)?)?;
        let variance = (centred.sqr()?.sum_keepdim(1)? / n)?;
        centred
            .broadcast_div(&(variance + EPSILON)?.sqrt()?)?
            .broadcast_mul(self.weight(&format!("{name}.weight"))?)?
            .broadcast_add(self.weight(&format!("{name}.bias"))?)
    }
}
