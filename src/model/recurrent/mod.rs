//! Recurrent layers: one batched input projection for many steps, then our own
//! loop over time. In use the weights are packed once ([`PackedStack`]); in
//! training a tape is kept and the loop also runs backward.
//!
//! Weights carry PyTorch's names (`weight_ih_l0`, `bias_hh_l1_reverse`, …),
//! shapes and gate order, so that either side can read the other's.

mod cell;
mod packed;
mod recurrence;
mod schedule;
mod stream;

pub use packed::{PackedDirection, PackedLayer, PackedStack};
pub use stream::RecurrentState;

use super::affine::affine;
use super::error::ModelError;
use super::header::{Cell, RecurrentConfig};
use super::matmul::PackedMatrix;
use super::weights::Weights;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, VarBuilder};
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
    /// `[directions · gates · hidden, inputs]`, and both biases' sum.
    input: Linear,
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

    fn to_packed(&self) -> Result<PackedStack> {
        let layers = self.layers.iter().map(|layer| layer.pack(&self.config));
        Ok(PackedStack {
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// Runs `x` `[batch, steps, inputs]`; sequence `i` is `lengths[i]` steps
    /// long and the rest is padding, which influences nothing and comes out as
    /// zeros. Between layers `between` is applied in training (dropout).
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
        if !training {
            return self.in_use(x, lengths);
        }
        let mut x = x.clone();
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                x = between(x)?;
            }
            x = layer.forward(&self.config, &x, lengths)?;
        }
        Ok(x)
    }

    fn in_use(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (batch, n_steps, _) = x.dims3()?;
        let outputs = self
            .to_packed()?
            .outputs(&x.flatten_all()?.to_vec1::<f32>()?, lengths);
        let Some(out) = outputs.into_iter().next_back() else {
            return Ok(x.clone());
        };
        Tensor::from_vec(out, (batch, n_steps, self.n_outputs()), x.device())
    }
}

impl PackedStack {
    /// Packs layers of which `get` gives a weight by its name, `n_inputs` values
    /// a step entering the first.
    ///
    /// # Errors
    /// Those of `get`.
    pub fn new<E>(
        config: &RecurrentConfig,
        n_inputs: usize,
        get: impl Fn(&str, &[usize]) -> std::result::Result<Vec<f32>, E>,
    ) -> std::result::Result<PackedStack, E> {
        let (hidden, n_rows) = (config.hidden, config.cell.n_gates() * config.hidden);
        let layer = |layer: usize| {
            let n_inputs = match layer {
                0 => n_inputs,
                _ => hidden * config.n_directions(),
            };
            let direction = |suffix: &&str| {
                let get =
                    |kind: &str, shape: &[usize]| get(&format!("{kind}_l{layer}{suffix}"), shape);
                let input = get("weight_ih", &[n_rows, n_inputs])?;
                let recurrent = get("weight_hh", &[n_rows, hidden])?;
                let mut biases = get("bias_ih", &[n_rows])?;
                for (sum, b) in biases.iter_mut().zip(get("bias_hh", &[n_rows])?) {
                    *sum += b;
                }
                Ok(PackedDirection::new(
                    PackedMatrix::new(&input, n_rows, n_inputs),
                    PackedMatrix::new(&recurrent, n_rows, hidden),
                    biases,
                ))
            };
            Ok(PackedLayer {
                cell: config.cell,
                directions: ["", "_reverse"][..config.n_directions()]
                    .iter()
                    .map(direction)
                    .collect::<std::result::Result<_, E>>()?,
            })
        };
        Ok(PackedStack {
            layers: (0..config.n_layers)
                .map(layer)
                .collect::<std::result::Result<_, E>>()?,
        })
    }
    /// Reads unidirectional LSTM layers of one size under PyTorch's names, as
    /// many as there are; 8-bit weights stay 8-bit.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read(weights: &Weights) -> std::result::Result<PackedStack, ModelError> {
        let get = |kind: &str, layer: usize| {
            let name = format!("{kind}_l{layer}");
            let weight = weights.get(&name).map(|weight| (weight, weight.shape()));
            weight.ok_or(name)
        };
        let mut layers: Vec<PackedLayer> = Vec::new();
        while let Ok((input, shape)) = get("weight_ih", layers.len()) {
            let layer = layers.len();
            let fault = |name: String| ModelError::FrontEnd {
                reason: format!("`{name}` is missing or of another shape than its layer"),
            };
            let (recurrent, recurrent_shape) = get("weight_hh", layer).map_err(fault)?;
            let &[n_gates, n_inputs] = shape else {
                return Err(fault(format!("weight_ih_l{layer}")));
            };
            let hidden = n_gates / Cell::Lstm.n_gates();
            let below = layers.last().map(|l| l.directions[0].hidden());
            if below.is_some_and(|below| below != n_inputs || below != hidden) || n_inputs == 0 {
                return Err(fault(format!("weight_ih_l{layer}")));
            }
            if *recurrent_shape != [Cell::Lstm.n_gates() * hidden, hidden] || hidden == 0 {
                return Err(fault(format!("weight_hh_l{layer}")));
            }
            let mut biases = vec![0.0; n_gates];
            for kind in ["bias_ih", "bias_hh"] {
                let (bias, shape) = get(kind, layer).map_err(fault)?;
                if *shape != [n_gates] {
                    return Err(fault(format!("{kind}_l{layer}")));
                }
                for (sum, b) in biases.iter_mut().zip(bias.to_f32()) {
                    *sum += b;
                }
            }
            layers.push(PackedLayer {
                cell: Cell::Lstm,
                directions: vec![PackedDirection::new(
                    input.pack(|i| i),
                    recurrent.pack(|i| i),
                    biases,
                )],
            });
        }
        Ok(PackedStack { layers })
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
            input: Linear::new(Tensor::cat(&inputs, 0)?, Some(Tensor::cat(&biases, 0)?)),
            recurrent_weights: Tensor::stack(&recurrent, 0)?,
        })
    }

    fn forward(&self, config: &RecurrentConfig, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let projected = affine(&self.input, x, false)?;
        let op = Recurrence::new(config.cell, lengths.to_vec());
        projected.apply_op2(&self.recurrent_weights, op)
    }

    fn pack(&self, config: &RecurrentConfig) -> Result<PackedLayer> {
        let (hidden, n_gates) = (config.hidden, config.cell.n_gates() * config.hidden);
        let n_inputs = self.input.weight().dim(1)?;
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let input = values(self.input.weight())?;
        let recurrent = values(&self.recurrent_weights)?;
        let biases = self.input.bias().map_or(Ok(Vec::new()), values)?;
        let directions = (0..config.n_directions()).map(|d| {
            let rows = |values: &[f32], width: usize| {
                values[d * n_gates * width..][..n_gates * width].to_vec()
            };
            PackedDirection::new(
                PackedMatrix::new(&rows(&input, n_inputs), n_gates, n_inputs),
                PackedMatrix::new(&rows(&recurrent, hidden), n_gates, hidden),
                rows(&biases, 1),
            )
        });
        Ok(PackedLayer {
            cell: config.cell,
            directions: directions.collect(),
        })
    }
}

#[cfg(test)]
mod tests;
