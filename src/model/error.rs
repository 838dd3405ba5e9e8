//! What can go wrong with a model.

use thiserror::Error;

/// Why a model could not be loaded or could not answer.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The bytes are not a safetensors file, or are cut short.
    #[error("not a model file ({reason}); get the file again")]
    NotAModel {
        /// What the reader stumbled over.
        reason: String,
    },
    /// Written by another version of the program.
    #[error(
        "the model has format version {actual}, this program reads {expected}; get the model that belongs to it"
    )]
    FormatVersion {
        /// The version this program reads.
        expected: u32,
        /// The version the file carries.
        actual: u32,
    },
    /// The weights are not those that were written.
    #[error(
        "the model is damaged: its weights have checksum {actual}, its header says {expected}; get the file again"
    )]
    Checksum {
        /// SHA-256 in the header, lower-case hexadecimal.
        expected: String,
        /// SHA-256 of the weights in the file.
        actual: String,
    },
    /// The class list is not the program's.
    #[error("the model's classes are {actual:?}, this program has {expected:?}")]
    Classes {
        /// The program's classes, in order.
        expected: Vec<String>,
        /// The file's classes, in order.
        actual: Vec<String>,
    },
    /// A length in the header contradicts another one.
    #[error("the model's {what} has length {actual}, expected {expected}")]
    Length {
        /// What has the wrong length.
        what: String,
        /// Length that the rest of the header demands.
        expected: usize,
        /// Length found.
        actual: usize,
    },
    /// Frames of another width than the model was trained on.
    #[error("the model reads {expected} features a frame, these frames have {actual}")]
    Width {
        /// Features a frame in training.
        expected: usize,
        /// Features a frame given.
        actual: usize,
    },
    /// A range of frames that is empty or reaches past the end.
    #[error("frames {start}..{end} were asked for, there are {n_frames}")]
    Range {
        /// First frame asked for.
        start: usize,
        /// One past the last frame asked for.
        end: usize,
        /// Frames there are.
        n_frames: usize,
    },
    /// Something is known of the speaker, but the model was not trained to use
    /// it.
    #[error("`{model}` cannot compare a voice with itself; choose another model or no baseline")]
    NoBaseline {
        /// The model's name.
        model: String,
    },
    /// The features could not be computed.
    #[error("the features could not be computed: {0}")]
    Features(String),
    /// A front end's weights do not fit it, or it was given too much.
    #[error("the front end cannot run: {reason}")]
    FrontEnd {
        /// What does not fit.
        reason: String,
    },
    /// A weight is missing or has another shape, or a tensor operation failed.
    #[error("the network could not be built or run: {0}")]
    Network(#[from] candle_core::Error),
}
