//! A transformer block of Whisper's encoder as a graph that gradients
//! flow through; in use, [`crate::model::front_ends`] runs the same weights.

use super::attention::Attention;
use super::gelu::Gelu;
use super::norm::Norm;
use crate::model::affine::Affine;
use candle_core::{Result, Tensor};
use std::collections::BTreeMap;

/// A block whose weights can be moved.
pub struct TrainableBlock {
    /// By their names within the block.
    weights: BTreeMap<String, Tensor>,
}

impl TrainableBlock {
    /// A block of these weights, by their names within it.
    pub fn new(weights: BTreeMap<String, Tensor>) -> TrainableBlock {
        TrainableBlock { weights }
    }

    /// `[steps of all clips, width]`, one clip after another, → the same.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let normal = self.norm("self_attn_layer_norm", x)?;
        let heads = |part: &str| self.dense(&format!("self_attn.{part}"), &normal);
        let attention = Attention {
            lengths: lengths.to_vec(),
        };
        let mixed = heads("q_proj")?.apply_op3(&heads("k_proj")?, &heads("v_proj")?, attention)?;
        let x = (x + self.dense("self_attn.out_proj", &mixed)?)?;
        let hidden = self.dense("fc1", &self.norm("final_layer_norm", &x)?)?;
        x + self.dense("fc2", &hidden.apply_op1(Gelu)?)?
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
        let [scale, shift] = ["weight", "bias"].map(|part| self.weight(&format!("{name}.{part}")));
        x.apply_op3(scale?, shift?, Norm)
    }
}
