//! Plain requests and events. Audio travels beside them in transferred
//! buffers, never inside.
//!
//! There is no request to cancel: the worker computes without a pause and
//! would hear it only when done. To break a job off, the page ends the worker
//! and starts another.

use crate::analysis::live::Moment;
use crate::analysis::{Analysis, AnalyzeError};
use serde::{Deserialize, Serialize};

/// Raised whenever a message changes. Worker files carry no content hash, so
/// a stale one must be noticed by the first message.
pub const PROTOCOL_VERSION: u32 = 2;

/// Names one request; every answer carries it, and late answers are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Request {
    /// The answer to [`Event::Hello`]: load the model, then say
    /// [`Event::Ready`].
    Start {
        /// The page's [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Address of the model file, relative to the worker's program.
        model_url: String,
    },
    /// Analyse a file whose bytes are transferred beside this message.
    AnalyzeFile {
        /// The request's name.
        job: JobId,
        /// File name, a hint for the decoder.
        name: String,
    },
    /// Analyse mono `f32` samples transferred beside this message.
    AnalyzeSamples {
        /// The request's name.
        job: JobId,
        /// Rate of the samples, hertz.
        sample_rate_hz: u32,
    },
    /// Follow the voice that comes over the port transferred beside this
    /// message, in blocks of mono `f32` samples; anything else ends it. One
    /// voice is followed at a time.
    Listen {
        /// The request's name.
        job: JobId,
        /// Rate of the samples, hertz.
        sample_rate_hz: u32,
        /// Time constant of what is shown, seconds.
        smoothing_s: f64,
    },
    /// Show the voice that is followed over another time constant, seconds.
    Smooth {
        /// The time constant.
        smoothing_s: f64,
    },
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The worker's first word: it listens. What was said before is lost.
    Hello {
        /// The worker's [`PROTOCOL_VERSION`].
        protocol: u32,
    },
    /// The model is on its way.
    Loading {
        /// Bytes that have arrived.
        loaded_bytes: u64,
        /// Bytes there are, where the server says.
        total_bytes: Option<u64>,
    },
    /// The engine can take work.
    Ready {
        /// Name of the model.
        model: String,
    },
    /// The engine will never be ready.
    LoadFailed {
        /// Why.
        error: AnalyzeError,
    },
    /// How far a job is.
    Progress {
        /// The request answered.
        job: JobId,
        /// `0..=1`.
        fraction: f32,
    },
    /// What is to be said of the voice that is followed.
    Moment {
        /// The request answered.
        job: JobId,
        /// The moment.
        moment: Moment,
    },
    /// A job's answer.
    Done {
        /// The request answered.
        job: JobId,
        /// The answer.
        analysis: Box<Analysis>,
    },
    /// A job that could not be answered.
    Failed {
        /// The request answered.
        job: JobId,
        /// Why.
        error: AnalyzeError,
    },
}
