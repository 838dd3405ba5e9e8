//! The network as a graph that gradients flow through; in use, the same weights
//! run in [`super::EmotionModel`].

use super::affine::affine;
use super::header::{Architecture, Pooling};
use super::pooling::{AttentivePooling, mask, n_pooled};
use super::recurrent::RecurrentStack;
use crate::emotion::N_EMOTIONS;
use candle_core::{Device, Result, Tensor};
use candle_nn::{BatchNorm, Linear, Module, ModuleT, VarBuilder, batch_norm, linear};

/// Makes a dropout mask of the given shape: zeros for what is dropped,
/// `1 / (1 − dropout)` for the rest.
pub type DropMask<'a> = dyn Fn(&[usize]) -> Result<Tensor> + 'a;

/// Added to the variance that normalisation divides by.
pub(super) const NORM_EPSILON: f64 = 1e-5;

/// Convolutions, recurrent layers, attentive pooling, dense layers.
#[derive(Clone, Debug)]
pub struct Network {
    convolutions: Vec<Linear>,
    recurrent: Option<RecurrentStack>,
    /// None where the input is pooled already.
    pooling: Option<AttentivePooling>,
    heads: Vec<Head>,
}

/// From the pooled vector to logits.
#[derive(Clone, Debug)]
struct Head {
    /// Which of the pooled values it reads; none if all.
    read: Option<Tensor>,
    norm: BatchNorm,
    dense: Linear,
    classes: Linear,
}

impl Network {
    /// Reads the weights of a network over so many columns.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(architecture: &Architecture, n_columns: usize, vb: &VarBuilder) -> Result<Network> {
        let mut width = architecture.n_inputs(n_columns);
        let mut convolutions = Vec::new();
        for (i, &channels) in architecture.convolutions.iter().enumerate() {
            convolutions.push(linear(
                6 * width,
                channels,
                vb.pp(format!("convolutions.{i}")),
            )?);
            width = channels;
        }
        let recurrent = architecture
            .recurrent
            .as_ref()
            .map(|config| RecurrentStack::new(config, width, &vb.pp("recurrent")))
            .transpose()?;
        if let Some(recurrent) = &recurrent {
            width = recurrent.n_outputs();
        }
        let (pooling, n_pooled) = match architecture.pooling {
            Pooling::Attentive => (
                Some(AttentivePooling::new(width, &vb.pp("pooling"))?),
                n_pooled(width),
            ),
            Pooling::Statistics => (None, width),
        };
        let heads = (0..architecture.heads)
            .map(|i| {
                let read = match architecture.read_by(i, n_columns) {
                    Some(read) => Some(indices(&read)?),
                    None => None,
                };
                let vb = vb.pp(format!("heads.{i}"));
                Head::new(read, n_pooled, architecture.dense, &vb)
            })
            .collect::<Result<_>>()?;
        Ok(Network {
            convolutions,
            recurrent,
            pooling,
            heads,
        })
    }

    /// `x` `[batch, steps, inputs]` → each head's logits `[batch, classes]`;
    /// sequence `i` is `lengths[i]` steps long (at least one) and the rest is padding. With
    /// `dropout` the network trains: values are dropped, and the batch's own
    /// statistics normalise and are remembered.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(
        &self,
        x: &Tensor,
        lengths: &[usize],
        dropout: Option<&DropMask>,
    ) -> Result<Vec<Tensor>> {
        let drop = |x: Tensor| match dropout {
            Some(dropout) => x.mul(&dropout(x.dims())?),
            None => Ok(x),
        };
        let training = dropout.is_some();
        let mut x = x.clone();
        let mut lengths = lengths.to_vec();
        for (i, convolution) in self.convolutions.iter().enumerate() {
            x = affine(convolution, &spans_of_six(&x)?, i == 0)?.relu()?;
            lengths = lengths.iter().map(|l| l.div_ceil(2)).collect();
            let mask = mask(&lengths, x.dim(1)?, x.device())?;
            x = drop(x.broadcast_mul(&mask.unsqueeze(2)?)?)?;
        }
        if let Some(recurrent) = &self.recurrent {
            x = recurrent.forward(&x, &lengths, training, drop)?;
        }
        let pooled = match &self.pooling {
            Some(pooling) => pooling.forward(&x, &lengths)?,
            None => x.squeeze(1)?,
        };
        self.heads
            .iter()
            .map(|head| head.forward(&pooled, training, drop))
            .collect()
    }

    /// The mean of the heads' logits, `[batch, classes]`, in use.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn logits(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        Tensor::stack(&self.forward(x, lengths, None)?, 0)?.mean(0)
    }
}

impl Head {
    fn new(read: Option<Tensor>, n_pooled: usize, dense: usize, vb: &VarBuilder) -> Result<Head> {
        let n_pooled = read.as_ref().map_or(n_pooled, Tensor::elem_count);
        Ok(Head {
            read,
            norm: batch_norm(dense, NORM_EPSILON, vb.pp("norm"))?,
            dense: linear(n_pooled, dense, vb.pp("dense"))?,
            classes: linear(dense, N_EMOTIONS, vb.pp("classes"))?,
        })
    }

    fn forward(
        &self,
        pooled: &Tensor,
        training: bool,
        drop: impl Fn(Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let pooled = match &self.read {
            Some(read) => pooled.index_select(read, 1)?,
            None => pooled.clone(),
        };
        let hidden = affine(&self.dense, &drop(pooled)?, false)?;
        let hidden = drop(self.norm.forward_t(&hidden, training)?.relu()?)?;
        self.classes.forward(&hidden)
    }
}

fn indices(read: &[usize]) -> Result<Tensor> {
    let read: Vec<u32> = read.iter().map(|i| *i as u32).collect();
    Tensor::new(read, &Device::Cpu)
}

/// The input of a convolution over six steps with stride two, as rows:
/// `[batch, steps, width]` → `[batch, ⌈steps / 2⌉, 6 · width]`. Beyond the ends
/// lie zeros.
fn spans_of_six(x: &Tensor) -> Result<Tensor> {
    let (batch, n_steps, width) = x.dims3()?;
    let n_pairs = n_steps.div_ceil(2);
    let padded = x.pad_with_zeros(1, 2, 2 + 2 * n_pairs - n_steps)?;
    let pairs = padded.reshape((batch, n_pairs + 2, 2 * width))?;
    // Parts that lie apart would be joined value by value.
    let shifted = (0..3)
        .map(|shift| pairs.narrow(1, shift, n_pairs)?.contiguous())
        .collect::<Result<Vec<_>>>()?;
    Tensor::cat(&shifted, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::header::{Cell, RecurrentConfig};
    use candle_core::DType;
    use candle_nn::VarMap;

    fn architecture() -> Architecture {
        Architecture {
            frames_per_step: 1,
            window_normalized: false,
            convolutions: vec![8, 6],
            recurrent: Some(RecurrentConfig {
                cell: Cell::Lstm,
                hidden: 5,
                n_layers: 2,
                bidirectional: true,
            }),
            pooling: Pooling::Attentive,
            told_baseline: false,
            heads: 2,
            as_they_are: Vec::new(),
            fading: Vec::new(),
            dense: 7,
            dropout: 0.0,
        }
    }

    #[test]
    fn spans_overlap_and_end_in_zeros() -> Result<()> {
        let x = Tensor::arange(1f32, 6.0, &Device::Cpu)?.reshape((1, 5, 1))?;
        assert_eq!(
            spans_of_six(&x)?.to_vec3::<f32>()?[0],
            [
                [0.0, 0.0, 1.0, 2.0, 3.0, 4.0],
                [1.0, 2.0, 3.0, 4.0, 5.0, 0.0],
                [3.0, 4.0, 5.0, 0.0, 0.0, 0.0],
            ]
        );
        Ok(())
    }

    #[test]
    fn padding_and_company_change_nothing() -> Result<()> {
        let (map, device) = (VarMap::new(), Device::Cpu);
        let vb = VarBuilder::from_varmap(&map, DType::F32, &device);
        let network = Network::new(&architecture(), 3, &vb)?;
        let long = Tensor::randn(0f32, 1.0, (1, 23, 3), &device)?;
        let short = Tensor::randn(0f32, 1.0, (1, 10, 3), &device)?;
        let alone = network.logits(&short, &[10])?;
        let batch = Tensor::cat(&[long, short.pad_with_zeros(1, 0, 13)?], 0)?;
        let together = network.logits(&batch, &[23, 10])?.narrow(0, 1, 1)?;
        let difference = (alone - together)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(difference < 1e-5, "{difference}");
        Ok(())
    }
}
