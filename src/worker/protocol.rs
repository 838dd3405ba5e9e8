//! Plain requests and events. Audio travels beside them, never inside: samples
//! in transferred buffers, files as the browser's own handle, which the worker
//! reads piece by piece.

use crate::analysis::live::Moment;
use crate::analysis::{Analysis, AnalyzeError, Options, Utterance, Verdict, Waveform};
use serde::{Deserialize, Serialize};

/// Raised whenever a message changes. Worker files carry no content hash, so
/// a stale one must be noticed by the first message.
pub const PROTOCOL_VERSION: u32 = 6;

/// Names one request; every answer carries it, and late answers are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// The sound that comes beside a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Given {
    /// A file.
    File {
        /// Its name, a hint for the decoder.
        name: String,
    },
    /// Mono `f32` samples in a transferred buffer.
    Samples {
        /// Their rate, hertz.
        sample_rate_hz: u32,
    },
}

/// What is to be done with a sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Analyse it; the answer is [`Event::Done`].
    Analyze {
        /// How it is to be heard.
        options: Options,
    },
    /// Reduce its noise; the answer comes as [`Event::Cleaned`], part by part.
    Clean,
}

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// The answer to [`Event::Hello`]: load the model, then say
    /// [`Event::Ready`].
    Start {
        /// The page's [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Address of the model file, relative to the worker's program.
        model_url: String,
    },
    /// Work on the sound that comes beside this message. A worker has one job
    /// at a time; another one under way is broken off.
    Begin {
        /// The request's name.
        job: JobId,
        /// What comes beside.
        sound: Given,
        /// What is to be done.
        work: Work,
    },
    /// Follow the voice that comes over the port transferred beside this
    /// message, in blocks of mono `f32` samples; anything else ends it. One
    /// voice is followed at a time.
    Listen {
        /// The request's name.
        job: JobId,
        /// Rate of the samples, hertz.
        sample_rate_hz: u32,
        /// How it is to be heard.
        options: Options,
        /// Time constant of what is shown, seconds.
        smoothing_s: f64,
    },
    /// Show the voice that is followed over another time constant, seconds.
    Smooth {
        /// The time constant.
        smoothing_s: f64,
    },
    /// Break a job off; it is answered with [`AnalyzeError::Cancelled`].
    Cancel {
        /// The request broken off.
        job: JobId,
    },
    /// Do nothing more of a job until [`Request::Resume`].
    Pause {
        /// The request held.
        job: JobId,
    },
    /// Go on with a job that was held.
    Resume {
        /// The request taken up again.
        job: JobId,
    },
}

/// What is known of a long recording while it is still being read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// How much has been heard, seconds.
    pub heard_s: f64,
    /// The whole length, seconds, where the file says.
    pub duration_s: Option<f64>,
    /// What has been judged since the last part.
    pub utterances: Vec<Utterance>,
    /// What all that has been judged carries together; absent before the
    /// first verdict.
    pub verdict: Option<Verdict>,
    /// The outline of all that has been heard.
    pub waveform: Waveform,
}

/// What the worker answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// What a job has found since it last said so; only of long recordings.
    Partial {
        /// The request answered.
        job: JobId,
        /// What there is.
        partial: Box<Partial>,
    },
    /// The next part of a sound without its noise.
    Cleaned {
        /// The request answered.
        job: JobId,
        /// Mono at 16 kHz, 16 bits; they travel beside the message, in a
        /// transferred buffer.
        #[serde(skip)]
        samples: Vec<i16>,
        /// Whether that was all.
        last: bool,
    },
    /// An analysis' answer.
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
