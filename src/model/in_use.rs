//! The network in use: the weights of [`super::network::Network`] packed once, a
//! clip at a time, without a graph.

use super::activation::{exp, tanh};
use super::header::{Architecture, Pooling};
use super::linear::Linear;
use super::matmul::Scratch;
use super::network::NORM_EPSILON;
use super::pooling::{MIN_VARIANCE, N_HIDDEN, n_pooled};
use super::recurrent::PackedStack;
use crate::emotion::N_EMOTIONS;
use candle_core::{Result, Tensor, bail};
use std::collections::BTreeMap;

/// Convolutions, recurrent layers, attentive pooling, dense layers.
pub struct PackedNetwork {
    n_inputs: usize,
    convolutions: Vec<Convolution>,
    recurrent: Option<PackedStack>,
    /// None where the input is pooled already.
    pooling: Option<AttentivePooling>,
    heads: Vec<Head>,
}

/// Over six steps with stride two, then rectified.
struct Convolution {
    spans: Linear,
    n_inputs: usize,
}

struct AttentivePooling {
    hidden: Linear,
    score: Linear,
    n_inputs: usize,
}

/// From the pooled vector to logits.
struct Head {
    /// Which of the pooled values it reads; none if all.
    read: Option<Vec<usize>>,
    dense: Linear,
    /// What normalisation makes of a unit: scaled, then shifted.
    norm: Vec<(f32, f32)>,
    classes: Linear,
}

/// Weights by name, below a prefix.
struct Named<'a> {
    weights: &'a BTreeMap<String, Tensor>,
    prefix: String,
}

impl Named<'_> {
    fn below(&self, name: &str) -> Named<'_> {
        Named {
            weights: self.weights,
            prefix: format!("{}{name}.", self.prefix),
        }
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let name = format!("{}{name}", self.prefix);
        match self.weights.get(&name) {
            Some(weight) if weight.dims() == shape => weight.flatten_all()?.to_vec1(),
            Some(weight) => bail!("`{name}` is {:?}, expected {shape:?}", weight.dims()),
            None => bail!("`{name}` is missing"),
        }
    }

    fn linear(&self, name: &str, n_outputs: usize, n_inputs: usize) -> Result<Linear> {
        let own = self.below(name);
        let weights = own.get("weight", &[n_outputs, n_inputs])?;
        Ok(Linear::new(
            &weights,
            own.get("bias", &[n_outputs])?,
            n_inputs,
        ))
    }
}

impl PackedNetwork {
    /// Packs the weights of a network over so many columns.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(
        architecture: &Architecture,
        n_columns: usize,
        weights: &BTreeMap<String, Tensor>,
    ) -> Result<PackedNetwork> {
        let n_inputs = architecture.n_inputs(n_columns);
        let named = Named {
            weights,
            prefix: String::new(),
        };
        let mut width = n_inputs;
        let mut convolutions = Vec::new();
        for (i, &channels) in architecture.convolutions.iter().enumerate() {
            convolutions.push(Convolution {
                spans: named.linear(&format!("convolutions.{i}"), channels, 6 * width)?,
                n_inputs: width,
            });
            width = channels;
        }
        let mut recurrent = None;
        if let Some(config) = &architecture.recurrent {
            let own = named.below("recurrent");
            recurrent = Some(PackedStack::new(config, width, |name, shape| {
                own.get(name, shape)
            })?);
            width = config.hidden * config.n_directions();
        }
        let mut pooling = None;
        if architecture.pooling == Pooling::Attentive {
            let own = named.below("pooling");
            pooling = Some(AttentivePooling {
                hidden: own.linear("hidden", N_HIDDEN, width)?,
                score: own.linear("score", 1, N_HIDDEN)?,
                n_inputs: width,
            });
            width = n_pooled(width);
        }
        let heads = (0..architecture.heads)
            .map(|i| {
                let named = named.below(&format!("heads.{i}"));
                let read = architecture.read_by(i, n_columns);
                Head::new(&named, read, width, architecture.dense)
            })
            .collect::<Result<_>>()?;
        Ok(PackedNetwork {
            n_inputs,
            convolutions,
            recurrent,
            pooling,
            heads,
        })
    }

    /// The mean of the heads' logits for a clip, `[steps, inputs]` of at least
    /// one step.
    pub fn logits(&self, x: &[f32]) -> [f32; N_EMOTIONS] {
        let mut scratch = Scratch::default();
        let mut x = x.to_vec();
        let mut width = self.n_inputs;
        for convolution in &self.convolutions {
            x = convolution.apply(&x, &mut scratch);
            width = convolution.spans.n_outputs();
        }
        if let Some(recurrent) = &self.recurrent {
            let mut layers = recurrent.outputs(&x, &[x.len() / width]);
            x = layers.pop().unwrap_or(x);
        }
        if let Some(pooling) = &self.pooling {
            x = pooling.apply(&x, &mut scratch);
        }
        let mut mean = [0.0; N_EMOTIONS];
        for head in &self.heads {
            let logits = head.apply(&x, &mut scratch);
            for (mean, logit) in mean.iter_mut().zip(logits) {
                *mean += logit / self.heads.len() as f32;
            }
        }
        mean
    }
}

impl Convolution {
    /// `[steps, inputs]` → `[⌈steps / 2⌉, outputs]`. Beyond the ends lie zeros.
    fn apply(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let n_steps = x.len() / self.n_inputs;
        let n_pairs = n_steps.div_ceil(2);
        let mut padded = vec![0.0; (2 * n_pairs + 4) * self.n_inputs];
        padded[2 * self.n_inputs..][..x.len()].copy_from_slice(x);
        let mut spans = Vec::with_capacity(6 * n_pairs * self.n_inputs);
        for span in padded.windows(6 * self.n_inputs).step_by(2 * self.n_inputs) {
            spans.extend_from_slice(span);
        }
        let mut out = self.spans.apply(&spans, scratch);
        out.iter_mut().for_each(|v| *v = v.max(0.0));
        out
    }
}

impl AttentivePooling {
    /// `[steps, inputs]` → attention mean, attention deviation, mean.
    fn apply(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let n = self.n_inputs;
        let mut hidden = self.hidden.apply(x, scratch);
        hidden.iter_mut().for_each(|v| *v = tanh(*v));
        let mut attention = self.score.apply(&hidden, scratch);
        let largest = attention.iter().fold(f32::MIN, |m, v| m.max(*v));
        attention.iter_mut().for_each(|v| *v = exp(*v - largest));
        let sum: f32 = attention.iter().sum();
        let share = 1.0 / attention.len() as f32;
        let mut out = vec![0.0; n_pooled(n)];
        let (mean, rest) = out.split_at_mut(n);
        let (deviation, plain) = rest.split_at_mut(n);
        for (row, weight) in x.chunks_exact(n).zip(&attention) {
            let weight = weight / sum;
            let moments = mean.iter_mut().zip(deviation.iter_mut()).zip(&mut *plain);
            for (((mean, square), plain), v) in moments.zip(row) {
                *mean += weight * v;
                *square += weight * v * v;
                *plain += share * v;
            }
        }
        for (square, mean) in deviation.iter_mut().zip(&*mean) {
            *square = ((*square - mean * mean).max(0.0) + MIN_VARIANCE as f32).sqrt();
        }
        out
    }
}

impl Head {
    fn new(
        named: &Named,
        read: Option<Vec<usize>>,
        n_pooled: usize,
        n_units: usize,
    ) -> Result<Head> {
        let n_pooled = read.as_ref().map_or(n_pooled, Vec::len);
        let norm = named.below("norm");
        let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
            .map(|name| norm.get(name, &[n_units]));
        let (weight, bias, mean, variance) = (weight?, bias?, mean?, variance?);
        let norm = (0..n_units).map(|i| {
            let scale = weight[i] / (variance[i] + NORM_EPSILON as f32).sqrt();
            (scale, bias[i] - mean[i] * scale)
        });
        Ok(Head {
            read,
            dense: named.linear("dense", n_units, n_pooled)?,
            norm: norm.collect(),
            classes: named.linear("classes", N_EMOTIONS, n_units)?,
        })
    }

    fn apply(&self, pooled: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let read = self.read.as_ref();
        let own: Option<Vec<f32>> = read.map(|read| read.iter().map(|i| pooled[*i]).collect());
        let mut hidden = self.dense.apply(own.as_deref().unwrap_or(pooled), scratch);
        for (v, (scale, shift)) in hidden.iter_mut().zip(&self.norm) {
            *v = (*v * scale + shift).max(0.0);
        }
        self.classes.apply(&hidden, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::header::{Cell, RecurrentConfig};
    use crate::model::network::Network;
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};

    const N_COLUMNS: usize = 5;

    fn architectures() -> [Architecture; 4] {
        let from_features = |cell, bidirectional| Architecture {
            frames_per_step: 1,
            window_normalized: false,
            convolutions: vec![8, 6],
            recurrent: Some(RecurrentConfig {
                cell,
                hidden: 7,
                n_layers: 2,
                bidirectional,
            }),
            pooling: Pooling::Attentive,
            told_baseline: false,
            heads: 2,
            as_they_are: Vec::new(),
            fading: Vec::new(),
            dense: 9,
            dropout: 0.0,
        };
        let pooled = Architecture {
            convolutions: Vec::new(),
            recurrent: None,
            pooling: Pooling::Statistics,
            ..from_features(Cell::Lstm, true)
        };
        [
            from_features(Cell::Lstm, true),
            from_features(Cell::SimpleRnn, false),
            pooled.clone(),
            Architecture {
                as_they_are: vec![vec![0..1, 3..5], Vec::new()],
                ..pooled
            },
        ]
    }

    #[test]
    fn it_answers_as_the_network_that_was_trained() -> Result<()> {
        for architecture in architectures() {
            let map = VarMap::new();
            let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
            let network = Network::new(&architecture, N_COLUMNS, &vb)?;
            let mut weights = BTreeMap::new();
            for (name, var) in map.data().lock().expect("no thread has panicked").iter() {
                if name.contains("norm.") {
                    // As if something had been learnt.
                    var.set(&var.rand_like(0.5, 1.5)?)?;
                }
                weights.insert(name.clone(), var.as_tensor().clone());
            }
            let packed = PackedNetwork::new(&architecture, N_COLUMNS, &weights)?;
            let statistics = architecture.pooling == Pooling::Statistics;
            let lengths: &[usize] = if statistics { &[1] } else { &[1, 2, 11, 24] };
            for &n_steps in lengths {
                let n_inputs = architecture.n_inputs(N_COLUMNS);
                let x = Tensor::randn(0f32, 1.0, (1, n_steps, n_inputs), &Device::Cpu)?;
                let expected = network
                    .logits(&x, &[n_steps])?
                    .squeeze(0)?
                    .to_vec1::<f32>()?;
                let actual = packed.logits(&x.flatten_all()?.to_vec1::<f32>()?);
                for (a, b) in actual.iter().zip(expected) {
                    assert!((a - b).abs() < 1e-5, "{n_steps} steps: {a} {b}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_missing_weight_and_a_wrong_shape_are_named() -> Result<()> {
        let [.., architecture] = architectures();
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        Network::new(&architecture, N_COLUMNS, &vb)?;
        let data = map.data().lock().expect("no thread has panicked");
        let all = data.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone()));
        let mut weights: BTreeMap<String, Tensor> = all.collect();
        let fault = |weights: &BTreeMap<String, Tensor>| {
            let built = PackedNetwork::new(&architecture, N_COLUMNS, weights);
            built.err().map(|e| e.to_string()).unwrap_or_default()
        };
        let name = "heads.1.dense.weight";
        weights.insert(
            name.into(),
            Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?,
        );
        assert!(fault(&weights).contains(name));
        weights.remove(name);
        assert!(fault(&weights).contains("missing"));
        Ok(())
    }
}
