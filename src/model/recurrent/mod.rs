//! Recurrent layers: one batched input projection for all steps, then our own
//! loop over time, forward and backward.
//!
//! Weights carry PyTorch's names (`weight_ih_l0`, `bias_hh_l1_reverse`, …),
//! shapes and gate order, so that either side can read the other's.

mod cell;
mod kernel;
mod recurrence;
mod stream;

pub use stream::RecurrentState;

use super::header::RecurrentConfig;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use recurrence::Recurrence;

/// Layers upon layers, each over the whole sequence.
#[derive(Clone, Debug)]
pub struct RecurrentStack {
    config: RecurrentConfig,
    layers: Vec<Layer>,
}

/// Weights of one layer, the directions one after the other.
#[derive(Clone, Debug)]
struct Layer {
    /// `[directions · gates · hidden, inputs]`.
    input_weights: Tensor,
    /// Both biases' sum, `[directions · gates · hidden]`.
    biases: Tensor,
    /// `[directions, gates · hidden, hidden]`.
    recurrent_weights: Tensor,
}

impl RecurrentStack {
    /// Reads the weights; `n_inputs` values a step enter the first layer.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(config: &RecurrentConfig, n_inputs: usize, vb: &VarBuilder) -> Result<Self> {
        let layers = (0..config.n_layers)
            .map(|layer| Layer::new(config, n_inputs, layer, vb))
            .collect::<Result<_>>()?;
        Ok(RecurrentStack {
            config: config.clone(),
            layers,
        })
    }

    /// Values a step leaves the last layer with.
    pub fn n_outputs(&self) -> usize {
        self.config.hidden * self.config.n_directions()
    }

    /// Runs `x` `[batch, steps, inputs]`; sequence `i` is `lengths[i]` steps
    /// long and the rest is padding, which influences nothing and comes out as
    /// zeros. Between layers `between` is applied (dropout in training).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(
        &self,
        x: &Tensor,
        lengths: &[usize],
        training: bool,
        between: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                x = between(x)?;
            }
            x = layer.forward(&self.config, &x, lengths, training)?;
        }
        Ok(x)
    }

    /// What every layer makes of `x`, the first layer's output first; as
    /// [`RecurrentStack::forward`] in use.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn outputs(&self, x: &Tensor, lengths: &[usize]) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        let mut outputs = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            x = layer.forward(&self.config, &x, lengths, false)?;
            outputs.push(x.clone());
        }
        Ok(outputs)
    }
}

impl Layer {
    fn new(
        config: &RecurrentConfig,
        n_inputs: usize,
        layer: usize,
        vb: &VarBuilder,
    ) -> Result<Layer> {
        let n_rows = config.cell.n_gates() * config.hidden;
        let n_inputs = if layer == 0 {
            n_inputs
        } else {
            config.hidden * config.n_directions()
        };
        let (mut inputs, mut biases, mut recurrent) = (vec![], vec![], vec![]);
        for suffix in ["", "_reverse"].into_iter().take(config.n_directions()) {
            let get =
                |kind: &str, shape: &[usize]| vb.get(shape, &format!("{kind}_l{layer}{suffix}"));
            inputs.push(get("weight_ih", &[n_rows, n_inputs])?);
            recurrent.push(get("weight_hh", &[n_rows, config.hidden])?);
            biases.push((get("bias_ih", &[n_rows])? + get("bias_hh", &[n_rows])?)?);
        }
        Ok(Layer {
            input_weights: Tensor::cat(&inputs, 0)?,
            biases: Tensor::cat(&biases, 0)?,
            recurrent_weights: Tensor::stack(&recurrent, 0)?,
        })
    }

    fn forward(
        &self,
        config: &RecurrentConfig,
        x: &Tensor,
        lengths: &[usize],
        training: bool,
    ) -> Result<Tensor> {
        let (batch, n_steps, n_inputs) = x.dims3()?;
        let projected = x
            .reshape((batch * n_steps, n_inputs))?
            .matmul(&self.input_weights.t()?)?
            .broadcast_add(&self.biases)?
            .reshape((batch, n_steps, ()))?;
        let op = Recurrence::new(config.cell, lengths.to_vec());
        if training {
            projected.apply_op2(&self.recurrent_weights, op)
        } else {
            projected.apply_op2_no_bwd(&self.recurrent_weights, &op)
        }
    }
}

#[cfg(test)]
mod tests;
