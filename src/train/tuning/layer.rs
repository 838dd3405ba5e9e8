//! A front end's last layer, whichever it is, as a graph that gradients flow
//! through.

use super::block::TrainableBlock;
use crate::model::front_ends::{FrontEndKind, PackedFrontEnd};
use crate::model::header::{Cell, RecurrentConfig};
use crate::model::recurrent::RecurrentStack;
use crate::model::weights::{Precision, Weight, Weights};
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The kinds of a recurrent layer's weights.
const RECURRENT: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// A layer whose weights can be moved.
pub struct TrainableLayer {
    /// By their names in the front end.
    vars: BTreeMap<String, Var>,
    kind: Kind,
}

enum Kind {
    /// Of Whisper's encoder: what its names begin with.
    Block(String),
    /// Of the speaker encoder: the layer's number and its units.
    Recurrent(usize, usize),
}

impl TrainableLayer {
    /// Takes the last layer's weights.
    ///
    /// # Errors
    /// If there is none.
    pub fn last_of(front_end: &PackedFrontEnd) -> Result<TrainableLayer> {
        let weights = &front_end.weights;
        let last = |weight: &dyn Fn(usize) -> String| {
            let found = (0..).take_while(|i| weights.contains_key(&weight(*i)));
            found
                .last()
                .ok_or_else(|| candle_core::Error::msg("the front end has no layers to tune"))
        };
        let (kind, names): (Kind, Vec<String>) = match front_end.header.kind {
            FrontEndKind::Whisper => {
                let prefix = format!("layers.{}.", last(&|i| format!("layers.{i}.fc1.weight"))?);
                let own = weights.keys().filter(|name| name.starts_with(&prefix));
                let names = own.cloned().collect();
                (Kind::Block(prefix), names)
            }
            FrontEndKind::Speaker => {
                let layer = last(&|i| format!("weight_hh_l{i}"))?;
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
        Ok(TrainableLayer {
            vars: names.into_iter().map(var).collect::<Result<_>>()?,
            kind,
        })
    }

    /// The weights that move, by their names in the front end.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Frames of the layer to one of 20 ms.
    pub fn frames_per_row(&self) -> usize {
        match self.kind {
            Kind::Block(_) => 1,
            Kind::Recurrent(..) => 2,
        }
    }

    /// `[batch, steps, inputs]` → `[batch, steps, outputs]`; sequence `i` is
    /// `lengths[i]` steps long and what becomes of the padding means nothing.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        match &self.kind {
            Kind::Block(prefix) => {
                let own = |(name, var): (&String, &Var)| {
                    Some((
                        name.strip_prefix(prefix)?.to_owned(),
                        var.as_tensor().clone(),
                    ))
                };
                TrainableBlock::new(self.vars.iter().filter_map(own).collect())?.forward(x, lengths)
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

/// The weights with some replaced by `moved`, matrices rounded to 8 bits a row as
/// they came.
///
/// # Errors
/// If a weight cannot be read.
pub fn merged(weights: &Weights, moved: &BTreeMap<String, Tensor>) -> Result<Weights> {
    let mut weights = weights.clone();
    for (name, tensor) in moved {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let precision = match tensor.rank() {
            1 => Precision::Full,
            _ => Precision::Eight,
        };
        let weight = Weight::new(tensor.dims(), &values, precision);
        weights.insert(name.clone(), weight);
    }
    Ok(weights)
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
        for (name, var) in TrainableLayer::last_of(tuned)?.vars() {
            let share = (var.as_tensor() / tunings.len() as f64)?;
            let sum = match mean.get(name) {
                Some(sum) => (sum + share)?,
                None => share,
            };
            mean.insert(name.clone(), sum);
        }
    }
    Ok(PackedFrontEnd {
        header: first.header.clone(),
        weights: Arc::new(merged(&first.weights, &mean)?),
    })
}
