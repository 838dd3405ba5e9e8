//! The emotion models: from frames to probabilities.
//!
//! [`EmotionModel::load`] reads a model file; [`EmotionModel::encode`] turns
//! samples into the frames the model reads, and [`EmotionModel::predict`] a
//! range of those frames into [`Scores`]. The [`network`] is the one that
//! training runs, so what was measured there holds here.

mod activation;
pub mod artifact;
pub mod calibration;
mod encoder;
mod error;
pub mod front_ends;
pub mod header;
pub mod matmul;
pub mod network;
pub mod normalize;
pub mod pooling;
pub mod recurrent;
pub mod shipped;
pub mod stream;
pub mod weights;

pub use artifact::Artifact;
pub use encoder::Encoder;
pub use error::ModelError;
pub use header::ModelHeader;

use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::features::FeatureMatrix;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use network::Network;
use std::ops::Range;
use stream::FrameStream;

/// A model ready to answer. Clones share the weights.
#[derive(Clone)]
pub struct EmotionModel {
    header: ModelHeader,
    network: Network,
    encoder: Encoder,
}

impl EmotionModel {
    /// Reads a model file.
    ///
    /// # Errors
    /// If the bytes are no model file, are damaged, or belong to another
    /// version of the program.
    pub fn load(bytes: &[u8]) -> Result<EmotionModel, ModelError> {
        EmotionModel::new(Artifact::from_bytes(bytes)?)
    }

    /// Builds the network from header and weights.
    ///
    /// # Errors
    /// If the weights do not fit the header.
    pub fn new(artifact: Artifact) -> Result<EmotionModel, ModelError> {
        let front_ends = artifact.packed_front_ends();
        let Artifact {
            header, weights, ..
        } = artifact;
        let expected: Vec<String> = Emotion::ALL.iter().map(|e| e.name().to_owned()).collect();
        if header.classes != expected {
            return Err(ModelError::Classes {
                expected,
                actual: header.classes,
            });
        }
        let encoder = Encoder::new(&header.features, &front_ends)?;
        let n_features = header.normalizer.n_features();
        for (what, actual) in [
            ("deviations", header.normalizer.deviation.len()),
            ("feature columns", encoder.n_features()),
        ] {
            if actual != n_features {
                return Err(ModelError::Length {
                    what: what.to_owned(),
                    expected: n_features,
                    actual,
                });
            }
        }
        let architecture = &header.architecture;
        if architecture.frames_per_step == 0 {
            return Err(ModelError::Length {
                what: "step".to_owned(),
                expected: 1,
                actual: 0,
            });
        }
        let vb = VarBuilder::from_tensors(weights.into_iter().collect(), DType::F32, &Device::Cpu);
        let n_inputs = n_features * if architecture.window_normalized { 2 } else { 1 };
        let mut network = Network::new(architecture, n_inputs, &vb)?;
        network.pack()?;
        Ok(EmotionModel {
            header,
            network,
            encoder,
        })
    }

    /// What the model says about itself.
    pub fn header(&self) -> &ModelHeader {
        &self.header
    }

    /// Step between the frames of [`EmotionModel::encode`], samples at 16 kHz.
    pub fn frame_hop_samples(&self) -> usize {
        self.encoder.hop_samples()
    }

    /// The frames the model reads, `[frames, features]`, of samples at 16 kHz.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        self.encoder.encode(samples)
    }

    /// Follows a stream from its first sample; the frames of the last
    /// `window_samples` at 16 kHz can be had at any time.
    ///
    /// # Errors
    /// As [`FrameStream::new`].
    pub fn follow(&self, window_samples: usize) -> Result<FrameStream, ModelError> {
        FrameStream::new(&self.encoder, window_samples)
    }

    /// Calibrated probabilities for a range of frames, which is judged as if
    /// it were all there is.
    ///
    /// # Errors
    /// If the range is empty or reaches past the frames, or the frames are not
    /// this model's.
    pub fn predict(
        &self,
        frames: &FeatureMatrix,
        range: Range<usize>,
    ) -> Result<Scores, ModelError> {
        Ok(self.header.calibration.scores(self.logits(frames, range)?))
    }

    /// What [`EmotionModel::predict`] turns into probabilities.
    ///
    /// # Errors
    /// As [`EmotionModel::predict`].
    pub fn logits(
        &self,
        frames: &FeatureMatrix,
        range: Range<usize>,
    ) -> Result<[f32; N_EMOTIONS], ModelError> {
        let expected = self.header.normalizer.n_features();
        if frames.n_features() != expected {
            return Err(ModelError::Width {
                expected,
                actual: frames.n_features(),
            });
        }
        if range.is_empty() || range.end > frames.n_frames() {
            return Err(ModelError::Range {
                start: range.start,
                end: range.end,
                n_frames: frames.n_frames(),
            });
        }
        let architecture = &self.header.architecture;
        let steps = normalize::steps(
            frames,
            range,
            &self.header.normalizer,
            architecture.frames_per_step,
            architecture.window_normalized,
        );
        let n_steps = steps.n_frames();
        let x = Tensor::from_slice(
            steps.as_slice(),
            (1, n_steps, steps.n_features()),
            &Device::Cpu,
        )?;
        let logits = self.network.forward(&x, &[n_steps], None)?;
        let logits = logits.squeeze(0)?.to_vec1::<f32>()?;
        logits
            .try_into()
            .map_err(|logits: Vec<f32>| ModelError::Length {
                what: "logits".to_owned(),
                expected: N_EMOTIONS,
                actual: logits.len(),
            })
    }
}

#[cfg(test)]
mod tests;
