//! The engine as the side-by-side page calls it.

mod stack;

use candle_core::{DType, Device, Tensor};
use candle_nn::{LSTM, RNN, VarBuilder};
use std::collections::HashMap;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup};
use undertone::model::front_ends::WhisperEncoder;
use undertone::model::matmul::{PackedMatrix, Scratch};
use undertone::model::recurrent::PackedStack;
use undertone::model::weights::{Weight, Weights};
use wasm_bindgen::prelude::wasm_bindgen;

/// A planned extractor.
#[wasm_bindgen]
pub struct Features(Extractor);

#[wasm_bindgen]
impl Features {
    /// Plans the named groups (`mfcc,chroma,…`; `all` for every one) for
    /// frames of `n_fft` samples every `hop_samples`; `None` if there is no
    /// such group or configuration.
    pub fn plan(
        groups: &str,
        n_fft: usize,
        hop_samples: usize,
        n_mels: usize,
        n_mfcc: usize,
    ) -> Option<Features> {
        let all = FeatureConfig::all();
        let groups = if groups == "all" {
            all.groups
        } else {
            let read = |name: &str| serde_json::from_value(name.into()).ok();
            groups
                .split(',')
                .map(read)
                .collect::<Option<Vec<FeatureGroup>>>()?
        };
        let config = FeatureConfig {
            n_fft,
            hop_samples,
            n_mels,
            n_mfcc,
            groups,
        };
        Extractor::new(&config).ok().map(Features)
    }

    /// Extracts a whole clip; returns the number of frames, or zero if the
    /// samples are not finite.
    pub fn extract(&mut self, samples: &[f32]) -> usize {
        self.0.extract(samples).map_or(0, |m| m.n_frames())
    }
}

/// Named weights, from which networks are made.
#[wasm_bindgen]
#[derive(Default)]
pub struct Parameters(stack::Named);

#[wasm_bindgen]
impl Parameters {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Parameters {
        Parameters::default()
    }

    /// One more, row-major.
    pub fn put(&mut self, name: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.0.insert(name.to_owned(), (shape, values));
    }
}

/// Stacked LSTM layers, ours.
#[wasm_bindgen]
pub struct Recurrent(PackedStack);

#[wasm_bindgen]
impl Recurrent {
    /// Layers under PyTorch's names, in full or 8-bit; `None` if one is missing.
    pub fn pack(parameters: &Parameters, eight: bool) -> Option<Recurrent> {
        stack::lstm(&parameters.0, eight).map(Recurrent)
    }

    /// The last layer's output for one sequence `[steps, inputs]`.
    pub fn run(&self, x: &[f32], n_steps: usize) -> Vec<f32> {
        let outputs = self.0.outputs(x, &[n_steps]);
        outputs.into_iter().next_back().unwrap_or_default()
    }
}

/// Stacked LSTM layers, candle's `seq`.
#[wasm_bindgen]
pub struct CandleRecurrent {
    /// By layer, then direction.
    layers: Vec<Vec<LSTM>>,
}

#[wasm_bindgen]
impl CandleRecurrent {
    /// Layers under PyTorch's names; `None` if one is missing.
    pub fn build(parameters: &Parameters, n_layers: usize, directions: usize) -> Option<Self> {
        let layer = |layer: usize| {
            let direction = |direction: usize| {
                let suffix = ["", "_reverse"][direction];
                let mut tensors = HashMap::new();
                for kind in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
                    let (shape, values) = parameters.0.get(&format!("{kind}_l{layer}{suffix}"))?;
                    let tensor = Tensor::from_slice(values, shape.as_slice(), &Device::Cpu).ok()?;
                    tensors.insert(format!("{kind}_l0"), tensor);
                }
                let n_inputs = tensors["weight_ih_l0"].dim(1).ok()?;
                let hidden = tensors["weight_hh_l0"].dim(1).ok()?;
                let vb = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
                candle_nn::lstm(n_inputs, hidden, Default::default(), vb).ok()
            };
            (0..directions).map(direction).collect::<Option<Vec<_>>>()
        };
        let layers = (0..n_layers).map(layer).collect::<Option<_>>()?;
        Some(CandleRecurrent { layers })
    }

    /// The last layer's output for one sequence `[steps, inputs]`; empty if a
    /// shape does not fit.
    pub fn run(&self, x: &[f32], n_steps: usize) -> Vec<f32> {
        self.forward(x, n_steps).unwrap_or_default()
    }

    fn forward(&self, x: &[f32], n_steps: usize) -> candle_core::Result<Vec<f32>> {
        let backwards: Vec<u32> = (0..n_steps as u32).rev().collect();
        let backwards = Tensor::new(backwards, &Device::Cpu)?;
        let mut x = Tensor::from_slice(x, (1, n_steps, x.len() / n_steps), &Device::Cpu)?;
        for directions in &self.layers {
            let mut outputs = Vec::new();
            for (i, lstm) in directions.iter().enumerate() {
                let turned = |x: Tensor| match i {
                    0 => Ok(x),
                    _ => x.index_select(&backwards, 1),
                };
                let states = lstm.seq(&turned(x.clone())?)?;
                outputs.push(turned(lstm.states_to_tensor(&states)?)?);
            }
            x = Tensor::cat(&outputs, 2)?;
        }
        x.flatten_all()?.to_vec1()
    }
}

/// Whisper's convolutions and first blocks, ours.
#[wasm_bindgen]
pub struct Whisper(WhisperEncoder);

#[wasm_bindgen]
impl Whisper {
    /// From weights under the published names, in full or 8-bit; `None` if they
    /// do not fit.
    pub fn pack(parameters: &Parameters, eight: bool) -> Option<Whisper> {
        let weights: Option<Weights> = (parameters.0.keys())
            .map(|name| {
                Some((
                    name.clone(),
                    stack::weight(&parameters.0, name, stack::precision(eight))?,
                ))
            })
            .collect();
        WhisperEncoder::new(&weights?).ok().map(Whisper)
    }

    /// All blocks' outputs side by side for log-mel frames `[frames, mels]`.
    pub fn run(&self, frames: &[f32]) -> Vec<f32> {
        let frames = self.0.encode_log_mel(frames);
        frames.map_or_else(|_| Vec::new(), |m| m.as_slice().to_vec())
    }
}

/// A product of fitting size, for the machine's peak.
#[wasm_bindgen]
pub struct Product {
    weights: PackedMatrix,
    x: Vec<f32>,
    out: Vec<f32>,
    scratch: Scratch,
}

#[wasm_bindgen]
impl Product {
    /// `[rows, inputs] · [inputs, outputs]`.
    pub fn plan(n_rows: usize, n_inputs: usize, n_outputs: usize, eight: bool) -> Product {
        let values: Vec<f32> = (0..n_inputs * n_outputs)
            .map(|i| (i as f32).sin())
            .collect();
        Product {
            weights: Weight::new(&[n_outputs, n_inputs], &values, stack::precision(eight))
                .pack(|i| i),
            x: (0..n_rows * n_inputs).map(|i| (i as f32).cos()).collect(),
            out: vec![0.0; n_rows * n_outputs],
            scratch: Scratch::default(),
        }
    }

    /// Computes it `n` times.
    pub fn run(&mut self, n: usize) -> f32 {
        for _ in 0..n {
            self.weights
                .add_product(&mut self.out, &self.x, &mut self.scratch);
        }
        self.out[0]
    }
}

fn main() {}
