//! Speech features: one row per 10 ms frame.
//!
//! [`Extractor`] computes them offline ([`Extractor::extract`]) and live
//! ([`Extractor::push`]); both give the same frames, since nothing in a frame
//! depends on the clip as a whole: decibels have an absolute reference and no
//! limit relative to the loudest moment, tuning is fixed at 440 Hz, and pitch is
//! decided 0.2 s after the frame, for which live frames are held back
//! ([`Extractor::delay_samples`]).
//!
//! [`librosa`] computes librosa's own defaults instead, of whole recordings,
//! for people who compare; [`pitch`] finds pitch two ways.
//!
//! Frame `t` is centred on sample `t · hop`; what lies outside the recording
//! counts as zero. A recording of `n` samples has `1 + n / hop` frames.

mod chroma;
mod config;
mod contrast;
mod delta;
mod extractor;
mod frame;
pub mod librosa;
mod matrix;
pub mod pitch;
mod spectral;
mod temporal;

pub use config::{FeatureConfig, FeatureGroup};
pub use extractor::{Extractor, MAX_AMPLITUDE};
pub use matrix::FeatureMatrix;

use thiserror::Error;

/// Why features cannot be computed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FeatureError {
    /// The configuration makes no sense.
    #[error("feature configuration: {reason}")]
    Config {
        /// What would make sense.
        reason: String,
    },
    /// A sample is NaN or infinite.
    #[error("sample {index} is not a finite number")]
    NotFinite {
        /// Which, from the start of the stream.
        index: usize,
    },
}
