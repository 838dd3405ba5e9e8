//! Plain requests and events. Audio travels beside them in transferred
//! buffers, never inside.

use crate::analysis::{Analysis, AnalyzeError};
use serde::{Deserialize, Serialize};

/// Raised whenever a message changes. Worker files carry no content hash, so
/// a stale one must be noticed by the first message.
pub const PROTOCOL_VERSION: u32 = 1;

/// Names one request; every answer carries it, and late answers are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Request {
    /// The first message: load the model, then answer [`Event::Ready`].
    Start {
        /// The page's [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Address of the model file, relative to the page.
        model_url: String,
    },
    /// Analyse a file whose bytes are transferred beside this message.
    AnalyzeFile {
        job: JobId,
        /// File name, a hint for the decoder.
        name: String,
    },
    /// Analyse mono `f32` samples transferred beside this message.
    AnalyzeSamples { job: JobId, sample_rate_hz: u32 },
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The model is on its way.
    Loading {
        loaded_bytes: u64,
        total_bytes: Option<u64>,
    },
    /// The engine can take work.
    Ready { protocol: u32, model: String },
    /// The engine will never be ready.
    LoadFailed { error: AnalyzeError },
    /// How far a job is, `0..=1`.
    Progress { job: JobId, fraction: f32 },
    /// A job's answer.
    Done { job: JobId, analysis: Box<Analysis> },
    /// A job that could not be answered.
    Failed { job: JobId, error: AnalyzeError },
}
