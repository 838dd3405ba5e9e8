//! Networks that others have trained on far more speech than there is labelled
//! with emotion, kept as they are but for what training tunes: what they make of
//! a clip is what our own network reads.
//!
//! Each is one file ([`PackedFrontEnd`]) with its origin, version, checksum and
//! licence, which a model takes over into its own header.

mod block;
mod log_mel;
mod speaker;
mod whisper;

pub use block::{HEAD, attention};
pub use speaker::{SpeakerEncoder, SpeakerStream};
pub use whisper::{WhisperEncoder, n_tuned};

use super::error::ModelError;
use super::weights::{self, Precision, Weights};
use crate::features::FeatureMatrix;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Step between the frames of every front end, samples at 16 kHz: 20 ms.
pub const HOP_SAMPLES: usize = 320;

/// Most samples that are encoded at once: 8 s, for which Whisper's encoder has
/// learnt positions.
pub const MAX_SAMPLES: usize = 128_000;

/// Metadata key of the header in a front end's own file.
const HEADER_KEY: &str = "undertone-encoder";

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrontEndKind {
    /// [`SpeakerEncoder`].
    Speaker,
    /// [`WhisperEncoder`].
    Whisper,
}

impl FrontEndKind {
    /// How closely files keep its weights: a model with both is to stay below 6 MB.
    pub fn precision(self) -> Precision {
        match self {
            FrontEndKind::Speaker => Precision::EIGHT_BITS,
            FrontEndKind::Whisper => Precision::Whole(48),
        }
    }
}

impl fmt::Display for FrontEndKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FrontEndKind::Speaker => "speaker",
            FrontEndKind::Whisper => "whisper",
        })
    }
}

/// Where a front end comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontEndHeader {
    /// Which network.
    pub kind: FrontEndKind,
    /// Who published it, and the file.
    pub origin: String,
    /// The publisher's version.
    pub version: String,
    /// SHA-256 of the published file, lower-case hexadecimal.
    pub sha256: String,
    /// Licence of the weights.
    pub license: String,
    /// Step between its frames, samples at 16 kHz.
    pub hop_samples: usize,
}

/// A front end as it is stored: header and weights.
#[derive(Clone, Debug)]
pub struct PackedFrontEnd {
    /// Where it comes from.
    pub header: FrontEndHeader,
    /// Its weights by name.
    pub weights: Arc<Weights>,
}

impl PackedFrontEnd {
    /// Reads a file that [`PackedFrontEnd::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`ModelError::NotAModel`].
    pub fn from_bytes(bytes: &[u8]) -> Result<PackedFrontEnd, ModelError> {
        let fault = |reason: String| ModelError::NotAModel { reason };
        let file = SafeTensors::deserialize(bytes).map_err(|e| fault(e.to_string()))?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| fault(e.to_string()))?;
        let json = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(HEADER_KEY))
            .ok_or_else(|| fault(format!("no `{HEADER_KEY}` header")))?;
        Ok(PackedFrontEnd {
            header: serde_json::from_str(json).map_err(|e| fault(e.to_string()))?,
            weights: Arc::new(weights::read(&file)?),
        })
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`ModelError::NotAModel`] if they cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let json = serde_json::to_string(&self.header).map_err(|e| ModelError::NotAModel {
            reason: e.to_string(),
        })?;
        weights::write(&self.weights, (HEADER_KEY, json))
    }
}

/// A front end ready to run. Clones share their weights.
#[derive(Clone)]
pub enum FrontEnd {
    /// Knows voices.
    Speaker(SpeakerEncoder),
    /// Knows how words are said.
    Whisper(WhisperEncoder),
}

impl FrontEnd {
    /// Unpacks the weights.
    ///
    /// # Errors
    /// If they do not fit the kind, or the header names another hop.
    pub fn new(packed: &PackedFrontEnd) -> Result<FrontEnd, ModelError> {
        if packed.header.hop_samples != HOP_SAMPLES {
            return Err(ModelError::Length {
                what: "front end's hop".to_owned(),
                expected: HOP_SAMPLES,
                actual: packed.header.hop_samples,
            });
        }
        Ok(match packed.header.kind {
            FrontEndKind::Speaker => FrontEnd::Speaker(SpeakerEncoder::new(&packed.weights)?),
            FrontEndKind::Whisper => FrontEnd::Whisper(WhisperEncoder::new(&packed.weights)?),
        })
    }

    /// Columns of [`FrontEnd::encode`].
    pub fn n_outputs(&self) -> usize {
        match self {
            FrontEnd::Speaker(encoder) => encoder.n_outputs(),
            FrontEnd::Whisper(encoder) => encoder.n_outputs(),
        }
    }

    /// Frames of at most [`MAX_SAMPLES`] finite samples at 16 kHz, `[frames,
    /// outputs]`: at least `⌈⌊samples / 160⌋ / 2⌉` and at least one.
    ///
    /// # Errors
    /// If there are too many samples.
    pub fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        match self {
            FrontEnd::Speaker(encoder) => Ok(encoder.encode(samples)),
            FrontEnd::Whisper(encoder) => encoder.encode(samples),
        }
    }

    /// Columns of [`FrontEnd::tuned_layers`].
    pub fn tuned_width(&self) -> usize {
        match self {
            FrontEnd::Speaker(encoder) => encoder.hidden(),
            FrontEnd::Whisper(encoder) => encoder.n_tuned() * encoder.width(),
        }
    }

    /// The outputs of the layers that training moves every 20 ms, the last columns of
    /// [`FrontEnd::encode`], for what the first of them reads of a recording.
    pub fn tuned_layers(&self, below: &FeatureMatrix) -> FeatureMatrix {
        match self {
            FrontEnd::Speaker(encoder) => encoder.last_layer(below),
            FrontEnd::Whisper(encoder) => encoder.tuned_blocks(below),
        }
    }
}

#[cfg(test)]
mod tests;
