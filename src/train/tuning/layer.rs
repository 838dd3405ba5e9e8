//! A front end's last layers, whichever they are, as a graph that gradients flow
//! through.

use super::block::TrainableBlock;
use crate::model::front_ends::{FrontEndKind, PackedFrontEnd, n_tuned};
use crate::model::header::{Cell, RecurrentConfig};
use crate::model::recurrent::RecurrentStack;
use crate::model::weights::{Precision, Weight, Weights};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds of a recurrent layer's weights.
const RECURRENT: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// Layers whose weights can be moved.
pub struct TrainableLayers {
    /// By their names in the front end.
    vars: BTreeMap<String, Var>,
    kind: Kind,
}

enum Kind {
    /// Blocks of Whisper's encoder, one upon the other: what their names begin with.
    Blocks(Vec<String>),
    /// Of the speaker encoder: the layer's number and its units.
    Recurrent(usize, usize),
}

impl TrainableLayers {
    /// Takes the weights of Whisper's last blocks, or of the last recurrent layer.
    ///
    /// # Errors
    /// If there are none.
    pub fn last_of(front_end: &PackedFrontEnd) -> Result<TrainableLayers> {
        let weights = &front_end.weights;
        let count = |weight: &dyn Fn(usize) -> String| {
            let found = (0..).take_while(|i| weights.contains_key(&weight(*i)));
            found.count()
        };
        let none = || candle_core::Error::msg("the front end has no layers to tune");
        let (kind, names): (Kind, Vec<String>) = match front_end.header.kind {
            FrontEndKind::Whisper => {
                let n_blocks = count(&|i| format!("layers.{i}.fc1.weight"));
                let blocks = n_blocks - n_tuned(n_blocks)..n_blocks;
                let prefixes: Vec<String> = blocks.map(|i| format!("layers.{i}.")).collect();
                if prefixes.is_empty() {
                    return Err(none());
                }
                let moves = |name: &&String| prefixes.iter().any(|p| name.starts_with(p));
                let names = weights.keys().filter(moves).cloned().collect();
                (Kind::Blocks(prefixes), names)
            }
            FrontEndKind::Speaker => {
                let n_layers = count(&|i| format!("weight_hh_l{i}"));
                let layer = n_layers.checked_sub(1).ok_or_else(none)?;
                let hidden = weights[&format!("weight_hh_l{layer}")].shape()[1];
                let names = RECURRENT.map(|kind| format!("{kind}_l{layer}"));
                (Kind::Recurrent(layer, hidden), names.to_vec())
            }
        };
        let var = |name: String| {
            let Some(weight) = weights.get(&name) else {
                candle_core::bail!("the front end lacks the weight {name}");
            };
            let values = Tensor::from_vec(weight.to_f32(), weight.shape(), &Device::Cpu)?;
            Ok((name, Var::from_tensor(&values)?))
        };
        Ok(TrainableLayers {
            vars: names.into_iter().map(var).collect::<Result<_>>()?,
            kind,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.kind {
            Kind::Blocks(prefixes) => prefixes.len(),
            Kind::Recurrent(..) => 1,
        }
    }

    /// The weights that move, by their names in the front end.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Frames of the layer to one of 20 ms.
    pub fn frames_per_row(&self) -> usize {
        match self.kind {
            Kind::Blocks(_) => 1,
            Kind::Recurrent(..) => 2,
        }
    }

    /// `[batch, steps, inputs]` → `[batch, steps, layers · outputs]`, the layers side by
    /// side; sequence `i` is `lengths[i]` steps long and what becomes of the padding means
    /// nothing.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        match &self.kind {
            Kind::Blocks(prefixes) => {
                let (batch, n_steps, width) = x.dims3()?;
                let clips = lengths.iter().enumerate();
                // Where each clip's steps lie, and where each place finds its own; what
                // stands for the padding means nothing.
                let steps = |(i, n): (usize, &usize)| (0..*n).map(move |t| i * n_steps + t);
                let rows: Vec<usize> = clips.flat_map(steps).collect();
                let mut places = vec![0u32; batch * n_steps];
                for (row, place) in rows.iter().enumerate() {
                    places[*place] = row as u32;
                }
                let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
                let rows = Tensor::new(rows, x.device())?;
                let x = x
                    .reshape((batch * n_steps, width))?
                    .index_select(&rows, 0)?;
                let mut outputs = Vec::new();
                for prefix in prefixes {
                    let own = |(name, var): (&String, &Var)| {
                        let name = name.strip_prefix(prefix)?;
                        Some((name.to_owned(), var.as_tensor().clone()))
                    };
                    let block = TrainableBlock::new(self.vars.iter().filter_map(own).collect());
                    outputs.push(block.forward(outputs.last().unwrap_or(&x), lengths)?);
                }
                Tensor::cat(&outputs, 1)?
                    .index_select(&Tensor::new(places, x.device())?, 0)?
                    .reshape((batch, n_steps, outputs.len() * width))
            }
            Kind::Recurrent(layer, hidden) => {
                let config = RecurrentConfig {
                    cell: Cell::Lstm,
                    hidden: *hidden,
                    n_layers: 1,
                    bidirectional: false,
                };
                // By itself it is the first one.
                let own = RECURRENT.map(|kind| {
                    let var = self.vars[&format!("{kind}_l{layer}")].as_tensor();
                    (format!("{kind}_l0"), var.clone())
                });
                let vb = VarBuilder::from_tensors(own.into(), DType::F32, &Device::Cpu);
                RecurrentStack::new(&config, x.dim(2)?, &vb)?.forward(x, lengths, true, Ok)
            }
        }
    }
}

/// The front end with some weights replaced by `moved`, matrices rounded as files keep
/// them.
///
/// # Errors
/// If a weight cannot be read.
pub fn merged(
    front_end: &PackedFrontEnd,
    moved: &BTreeMap<String, Tensor>,
) -> Result<PackedFrontEnd> {
    let mut weights = Weights::clone(&front_end.weights);
    for (name, tensor) in moved {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let precision = match tensor.rank() {
            1 => Precision::Full,
            _ => front_end.header.kind.precision(),
        };
        let weight = Weight::new(tensor.dims(), &values, precision);
        weights.insert(name.clone(), weight);
    }
    Ok(PackedFrontEnd {
        header: front_end.header.clone(),
        weights: Arc::new(weights),
    })
}

/// The front end with the mean of the last layers that several tunings of it
/// came to.
///
/// # Errors
/// If there are none, one has no layers, or they are not of one shape.
pub fn mean(tunings: &[PackedFrontEnd]) -> Result<PackedFrontEnd> {
    let Some(first) = tunings.first() else {
        candle_core::bail!("no tuning to take the mean of");
    };
    let mut mean: BTreeMap<String, Tensor> = BTreeMap::new();
    for tuned in tunings {
        for (name, var) in TrainableLayers::last_of(tuned)?.vars() {
            let share = (var.as_tensor() / tunings.len() as f64)?;
            let sum = match mean.get(name) {
                Some(sum) => (sum + share)?,
                None => share,
            };
            mean.insert(name.clone(), sum);
        }
    }
    merged(first, &mean)
}
