//! A few networks of three dense layers, small enough to run on every frame.

use crate::dsp::lanes;
use half::f16;

/// Values that go in.
pub const N_INPUTS: usize = 264;
/// Networks that are asked.
const N_NETWORKS: usize = 3;
/// Units of each layer.
const N_UNITS: [usize; 3] = [48, 24, 1];

/// Half-precision numbers, little-endian: for each network and layer the weights,
/// a row a unit, then the biases.
const WEIGHTS: &[u8] = include_bytes!("weights.f16");

const _: () = assert!(WEIGHTS.len() == 2 * N_NETWORKS * n_weights());

const fn n_weights() -> usize {
    let (mut n, mut width, mut i) = (0, N_INPUTS, 0);
    while i < N_UNITS.len() {
        n += N_UNITS[i] * (width + 1);
        width = N_UNITS[i];
        i += 1;
    }
    n
}

/// Networks that tell a voice from everything else; `src/train/speech/fit.py`
/// fitted them. Each took other sounds for a voice by chance, so the mean of what
/// they say is surer than one.
pub struct Networks(Vec<[Layer; N_UNITS.len()]>);

struct Layer {
    /// `[units, inputs]`, row-major.
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Networks {
    /// With the weights that are shipped.
    pub fn shipped() -> Networks {
        let (numbers, _) = WEIGHTS.as_chunks::<2>();
        let mut numbers = numbers.iter().map(|b| f16::from_le_bytes(*b).to_f32());
        let network = |_| {
            let mut width = N_INPUTS;
            N_UNITS.map(|n_units| {
                let layer = Layer {
                    weights: numbers.by_ref().take(n_units * width).collect(),
                    biases: numbers.by_ref().take(n_units).collect(),
                };
                width = n_units;
                layer
            })
        };
        Networks((0..N_NETWORKS).map(network).collect())
    }

    /// How likely `inputs` `[N_INPUTS]` are a voice, `0..=1`.
    pub fn apply(&self, inputs: &[f32]) -> f32 {
        let logits = self.0.iter().map(|layers| logit(layers, inputs));
        let mean = logits.sum::<f32>() / N_NETWORKS as f32;
        1.0 / (1.0 + (-mean).exp())
    }
}

fn logit(layers: &[Layer], inputs: &[f32]) -> f32 {
    let mut values = inputs.to_vec();
    for (i, layer) in layers.iter().enumerate() {
        let is_last = i + 1 == layers.len();
        let rows = layer.weights.chunks_exact(values.len());
        values = rows
            .zip(&layer.biases)
            .map(|(row, bias)| {
                let sum = lanes::sum2(row, &values, |w, v| w * v) + bias;
                if is_last { sum } else { sum.max(0.0) }
            })
            .collect();
    }
    values[0]
}
