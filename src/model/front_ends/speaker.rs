//! The recurrent layers of a speaker encoder (Wan et al. 2018, "Generalized
//! End-to-End Loss for Speaker Verification"): what a network that has heard
//! thousands of people knows of voices.

use super::MAX_SAMPLES;
use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{MelBank, Spectrum};
use crate::features::FeatureMatrix;
use crate::model::error::ModelError;
use crate::model::recurrent::{PackedStack, RecurrentState};
use crate::model::weights::Weights;
use std::collections::VecDeque;
use std::sync::Arc;

/// Window of the transform, samples.
const N_FFT: usize = 400;
/// Step between the encoder's frames, samples.
const HOP: usize = 160;
/// Level that sound is brought to, decibels relative to full scale, as
/// `resemblyzer.preprocess_wav` 0.1.4 raises what is softer.
const LEVEL_DBFS: f64 = -30.0;
/// Softer sound counts as this soft, so that silence is not raised to speech.
const MIN_RMS: f64 = 1e-4;

/// Mel power bands and stacked LSTM layers.
#[derive(Clone)]
pub struct SpeakerEncoder {
    spectrum: Spectrum,
    bank: MelBank,
    stack: Arc<PackedStack>,
    hidden: usize,
}

impl SpeakerEncoder {
    /// Reads PyTorch's `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`,
    /// `bias_hh_l0` and those of as many layers as there are.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(weights: &Weights) -> Result<SpeakerEncoder, ModelError> {
        let stack = PackedStack::read(weights)?;
        let Some(first) = stack.layers.first() else {
            return Err(ModelError::FrontEnd {
                reason: "`weight_ih_l0` is missing".to_owned(),
            });
        };
        let (hidden, n_mels) = (first.directions[0].hidden(), first.directions[0].n_inputs());
        Ok(SpeakerEncoder {
            spectrum: Spectrum::new(N_FFT),
            bank: MelBank::new(n_mels, N_FFT, SAMPLE_RATE_HZ),
            stack: Arc::new(stack),
            hidden,
        })
    }

    /// Columns of [`SpeakerEncoder::encode`].
    pub fn n_outputs(&self) -> usize {
        self.stack.layers.len() * self.hidden
    }

    /// The layers' hidden states side by side, `[frames, layers · hidden]`,
    /// each within ±1: means of two frames of 10 ms, so every 20 ms,
    /// `⌈(1 + ⌊samples / 160⌋) / 2⌉` of them.
    pub fn encode(&mut self, samples: &[f32]) -> FeatureMatrix {
        let bands = self.mel_power(samples);
        let n_mels = self.bank.n_mels();
        let n_frames = bands.len() / n_mels;
        means_of_two(&self.stack.outputs(&bands, &[n_frames]), self.hidden)
    }

    /// Units of a layer.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// What the last layer reads of `samples`, `[frames, values]`, every 10 ms,
    /// `1 + ⌊samples / 160⌋` of them.
    pub fn below_last_layer(&mut self, samples: &[f32]) -> FeatureMatrix {
        let bands = self.mel_power(samples);
        let n_mels = self.bank.n_mels();
        let mut layers = self.stack.outputs(&bands, &[bands.len() / n_mels]);
        layers.pop();
        match layers.pop() {
            Some(states) => FeatureMatrix::from_rows(states, self.hidden),
            None => FeatureMatrix::from_rows(bands, n_mels),
        }
    }

    /// The last layer's columns of [`SpeakerEncoder::encode`] for what it reads.
    /// At most 8 s are heard at once, as in [`crate::model::Encoder::learnt`].
    pub fn last_layer(&self, frames: &FeatureMatrix) -> FeatureMatrix {
        let mut out = Vec::new();
        if let Some(layer) = self.stack.layers.last() {
            let layer = PackedStack {
                layers: vec![layer.clone()],
            };
            let width = frames.n_features();
            for piece in frames.as_slice().chunks(MAX_SAMPLES / HOP * width) {
                let states = layer.outputs(piece, &[piece.len() / width]);
                out.extend_from_slice(means_of_two(&states, self.hidden).as_slice());
            }
        }
        FeatureMatrix::from_rows(out, self.hidden)
    }

    /// `[1 + samples / 160, n_mels]` as `librosa.feature.melspectrogram` 0.11:
    /// power, centred, zeros beyond the ends, not logarithmic.
    fn mel_power(&mut self, samples: &[f32]) -> Vec<f32> {
        let gain = gain(energy(samples), samples.len());
        let mut padded = vec![0.0; samples.len() + N_FFT];
        for (to, from) in padded[N_FFT / 2..].iter_mut().zip(samples) {
            *to = (f64::from(*from) * gain) as f32;
        }
        self.bands(&padded, 1 + samples.len() / HOP)
    }

    /// `[n_frames, n_mels]`, the first frame at the first sample.
    fn bands(&mut self, samples: &[f32], n_frames: usize) -> Vec<f32> {
        let n_mels = self.bank.n_mels();
        let mut power = vec![0.0; self.spectrum.n_bins()];
        let mut bands = vec![0.0; n_frames * n_mels];
        for (t, bands) in bands.chunks_exact_mut(n_mels).enumerate() {
            let window = &samples[t * HOP..t * HOP + N_FFT];
            self.spectrum.power(window, &mut power);
            self.bank.apply(&power, bands);
        }
        bands
    }
}

/// The layers' states `[frames of 10 ms, hidden]` side by side, a row every 20 ms.
fn means_of_two(layers: &[Vec<f32>], hidden: usize) -> FeatureMatrix {
    let n_outputs = layers.len() * hidden;
    let n_frames = layers.first().map_or(0, Vec::len) / hidden;
    let mut out = vec![0.0; n_frames.div_ceil(2) * n_outputs];
    for (layer, states) in layers.iter().enumerate() {
        let rows = out.chunks_exact_mut(n_outputs);
        for (row, pair) in rows.zip(states.chunks(2 * hidden)) {
            let share = hidden as f32 / pair.len() as f32;
            let row = &mut row[layer * hidden..][..hidden];
            for states in pair.chunks_exact(hidden) {
                for (mean, state) in row.iter_mut().zip(states) {
                    *mean += share * state;
                }
            }
        }
    }
    FeatureMatrix::from_rows(out, n_outputs)
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

/// What brings samples of this energy to [`LEVEL_DBFS`].
fn gain(energy: f64, n_samples: usize) -> f64 {
    let rms = (energy / n_samples.max(1) as f64).sqrt();
    10f64.powf(LEVEL_DBFS / 20.0) / rms.max(MIN_RMS)
}

/// The encoder over a stream, which knows no end: its layers' state is carried
/// on, and the level is that of the last [`MAX_SAMPLES`] instead of the whole
/// clip's. Every step is computed once.
#[derive(Clone)]
pub struct SpeakerStream {
    encoder: SpeakerEncoder,
    state: RecurrentState,
    /// Samples that the next frame still looks at, brought to level.
    samples: Vec<f32>,
    /// Energy and length of the last pieces.
    energies: VecDeque<(f64, usize)>,
    /// States of a frame of 10 ms whose partner is still to come, a layer each.
    waiting: Vec<Vec<f32>>,
}

impl SpeakerStream {
    /// A stream before its first sample.
    ///
    /// # Errors
    /// If a layer also reads backwards.
    pub fn new(encoder: SpeakerEncoder) -> Result<SpeakerStream, ModelError> {
        Ok(SpeakerStream {
            state: encoder.stack.start()?,
            samples: vec![0.0; N_FFT / 2],
            energies: VecDeque::new(),
            waiting: vec![Vec::new(); encoder.stack.layers.len()],
            encoder,
        })
    }

    /// Takes the next samples and gives the frames that are ready, as
    /// [`SpeakerEncoder::encode`] has them; a frame waits for the 22.5 ms
    /// after its centre.
    pub fn push(&mut self, samples: &[f32]) -> FeatureMatrix {
        let gain = self.level(samples);
        let louder = samples.iter().map(|s| (f64::from(*s) * gain) as f32);
        self.samples.extend(louder);
        let n_frames = (self.samples.len() + HOP).saturating_sub(N_FFT) / HOP;
        let bands = self.encoder.bands(&self.samples, n_frames);
        self.samples.drain(..n_frames * HOP);
        let outputs = self.encoder.stack.advance(&bands, &mut self.state);
        let pair = 2 * self.encoder.hidden;
        let mut ready = Vec::with_capacity(outputs.len());
        for (waiting, states) in self.waiting.iter_mut().zip(outputs) {
            waiting.extend(states);
            let rest = waiting.split_off(waiting.len() / pair * pair);
            ready.push(std::mem::replace(waiting, rest));
        }
        means_of_two(&ready, self.encoder.hidden)
    }

    /// The gain for these samples, by the level of what was heard lately, they
    /// included.
    fn level(&mut self, samples: &[f32]) -> f64 {
        self.energies.push_back((energy(samples), samples.len()));
        let n_heard = |energies: &VecDeque<(f64, usize)>| energies.iter().map(|e| e.1).sum();
        let mut n_samples: usize = n_heard(&self.energies);
        while n_samples > MAX_SAMPLES && self.energies.len() > 1 {
            self.energies.pop_front();
            n_samples = n_heard(&self.energies);
        }
        gain(self.energies.iter().map(|e| e.0).sum(), n_samples)
    }
}
