//! Three dense layers, small enough to run on every frame.

use crate::dsp::lanes;
use half::f16;

/// Values that go in.
pub const N_INPUTS: usize = 264;
/// Units of each layer.
const N_UNITS: [usize; 3] = [48, 24, 1];

/// Half-precision numbers, little-endian: for each layer the weights, a row a
/// unit, then the biases.
const WEIGHTS: &[u8] = include_bytes!("weights.f16");

const _: () = assert!(WEIGHTS.len() == 2 * n_weights());

const fn n_weights() -> usize {
    let (mut n, mut width, mut i) = (0, N_INPUTS, 0);
    while i < N_UNITS.len() {
        n += N_UNITS[i] * (width + 1);
        width = N_UNITS[i];
        i += 1;
    }
    n
}

/// The network that tells a voice from everything else; `src/train/speech/fit.py`
/// fitted it.
pub struct Network {
    layers: Vec<Layer>,
}

struct Layer {
    /// `[units, inputs]`, row-major.
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Network {
    /// With the weights that are shipped.
    pub fn shipped() -> Network {
        let (numbers, _) = WEIGHTS.as_chunks::<2>();
        let mut numbers = numbers.iter().map(|b| f16::from_le_bytes(*b).to_f32());
        let mut width = N_INPUTS;
        let layers = N_UNITS.map(|n_units| {
            let layer = Layer {
                weights: numbers.by_ref().take(n_units * width).collect(),
                biases: numbers.by_ref().take(n_units).collect(),
            };
            width = n_units;
            layer
        });
        Network {
            layers: layers.into(),
        }
    }

    /// How likely `inputs` `[N_INPUTS]` are a voice, `0..=1`.
    pub fn apply(&self, inputs: &[f32]) -> f32 {
        let mut values = inputs.to_vec();
        for (i, layer) in self.layers.iter().enumerate() {
            let is_last = i + 1 == self.layers.len();
            let rows = layer.weights.chunks_exact(values.len());
            values = rows
                .zip(&layer.biases)
                .map(|(row, bias)| {
                    let sum = lanes::sum2(row, &values, |w, v| w * v) + bias;
                    if is_last { sum } else { sum.max(0.0) }
                })
                .collect();
        }
        1.0 / (1.0 + (-values[0]).exp())
    }
}
