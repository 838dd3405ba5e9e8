//! The one error that crosses the worker.

use crate::audio::DecodeError;
use crate::audio::resample::ResampleError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a recording could not be analysed. The display text is for logs and the
/// command; the page words each variant in `ui::text`.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum AnalyzeError {
    /// The file has no bytes.
    #[error("the file is empty; choose a file that holds a recording")]
    EmptyFile,
    /// The file's bytes could not be read.
    #[error("the file could not be read ({reason}); check that it is still where it was")]
    Unreadable {
        /// The system's word.
        reason: String,
    },
    /// The program that decodes files could not be had.
    #[error("the decoders could not be loaded ({reason}); check the connection and try again")]
    NoDecoder {
        /// The browser's word.
        reason: String,
    },
    /// No decoder recognises the bytes.
    #[error("this is not audio that can be read here; use WAV, FLAC, MP3, Ogg Vorbis or AAC/M4A")]
    NotAudio,
    /// The container was recognised, but its codec is not supported.
    #[error(
        "the audio codec is not supported ({codec}); convert it to WAV, FLAC, MP3 or Ogg Vorbis"
    )]
    UnsupportedCodec {
        /// What the container says it holds.
        codec: String,
    },
    /// The file is damaged so early that nothing could be decoded.
    #[error("the file is damaged and no sound could be read from it; export or copy it again")]
    Damaged,
    /// The container is valid and holds no samples.
    #[error("the recording holds no samples; record or export it again")]
    NoSamples,
    /// Samples that are not numbers.
    #[error("the recording contains invalid samples (NaN or infinite); export it again")]
    NotFinite,
    /// Every phrase is shorter than the model can judge.
    #[error("only {duration_s:.2} s of speech: too short, give at least {minimum_s:.1} s")]
    TooShort {
        /// Length of the longest phrase, seconds.
        duration_s: f64,
        /// Shortest length accepted, seconds.
        minimum_s: f64,
    },
    /// Nothing but silence.
    #[error("the recording is silent (peak {peak_db:.0} dBFS); check the microphone and try again")]
    Silent {
        /// Peak level, decibels relative to full scale; at least −200.
        peak_db: f32,
    },
    /// Sound, but nobody speaks: noise or music.
    #[error("no speech was found in {duration_s:.1} s of sound; give a recording of a voice")]
    NoSpeech {
        /// Length of the recording, seconds.
        duration_s: f64,
    },
    /// The model file is missing, damaged or of another version.
    #[error("the model could not be loaded: {reason}")]
    Model {
        /// What was wrong with it.
        reason: String,
    },
    /// The sample rate is none that speech is recorded at.
    #[error(
        "a sample rate of {rate_hz} Hz cannot be converted; export the recording at 8000 to 192000 Hz"
    )]
    UnsupportedRate {
        /// The rate the file states.
        rate_hz: u32,
    },
    /// Broken off on request.
    #[error("cancelled")]
    Cancelled,
    /// A fault of the program itself.
    #[error("an internal fault: {reason}; please report it")]
    Internal {
        /// What went wrong.
        reason: String,
    },
}

impl AnalyzeError {
    /// Its name, for programs: the page's `data-kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            AnalyzeError::EmptyFile => "empty-file",
            AnalyzeError::Unreadable { .. } => "unreadable",
            AnalyzeError::NoDecoder { .. } => "no-decoder",
            AnalyzeError::NotAudio => "not-audio",
            AnalyzeError::UnsupportedCodec { .. } => "unsupported-codec",
            AnalyzeError::Damaged => "damaged",
            AnalyzeError::NoSamples => "no-samples",
            AnalyzeError::NotFinite => "not-finite",
            AnalyzeError::TooShort { .. } => "too-short",
            AnalyzeError::Silent { .. } => "silent",
            AnalyzeError::NoSpeech { .. } => "no-speech",
            AnalyzeError::Model { .. } => "model",
            AnalyzeError::UnsupportedRate { .. } => "unsupported-rate",
            AnalyzeError::Cancelled => "cancelled",
            AnalyzeError::Internal { .. } => "internal",
        }
    }
}

impl From<DecodeError> for AnalyzeError {
    fn from(error: DecodeError) -> AnalyzeError {
        match error {
            DecodeError::Empty => AnalyzeError::EmptyFile,
            DecodeError::Unreadable { reason } => AnalyzeError::Unreadable { reason },
            DecodeError::NotAudio => AnalyzeError::NotAudio,
            DecodeError::UnsupportedCodec { codec } => AnalyzeError::UnsupportedCodec { codec },
            DecodeError::Damaged { .. } => AnalyzeError::Damaged,
            DecodeError::NoSamples => AnalyzeError::NoSamples,
            DecodeError::NotFinite { .. } => AnalyzeError::NotFinite,
            DecodeError::Resample(ResampleError::UnsupportedRate { rate_hz }) => {
                AnalyzeError::UnsupportedRate { rate_hz }
            }
            DecodeError::NoDecoder { reason } => AnalyzeError::NoDecoder { reason },
            DecodeError::Resample(error) => AnalyzeError::Internal {
                reason: error.to_string(),
            },
        }
    }
}
