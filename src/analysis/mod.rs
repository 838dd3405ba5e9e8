//! From scores to what a person reads: the overall answer, the utterances
//! with their moments, and the waveform they lie on.

mod analyzer;
mod error;
pub mod live;
pub mod speech;
pub mod voice;
mod voice_profile;
mod waveform;

pub use analyzer::{Analyzer, MINIMUM_S, SILENCE_DBFS, analyze, analyze_stream};
pub use error::AnalyzeError;
pub use voice_profile::VoiceProfile;
pub use waveform::Waveform;

use crate::audio::SAMPLE_RATE_HZ;
use crate::audio::decode::Truncation;
use crate::emotion::{Emotion, Scores};
use serde::{Deserialize, Serialize};

const fn samples_of(seconds: f64) -> usize {
    (seconds * SAMPLE_RATE_HZ as f64) as usize
}

/// How a recording is to be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Whether noise is reduced before anything else hears the recording.
    pub denoise: bool,
}

/// Scores of one moment, within one utterance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Start, seconds from the beginning of the clip.
    pub start_s: f64,
    /// End, seconds from the beginning of the clip.
    pub end_s: f64,
    /// Probabilities within the window.
    pub scores: Scores,
}

/// A stretch of speech between two pauses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// Start, seconds from the beginning of the clip.
    pub start_s: f64,
    /// End, seconds from the beginning of the clip.
    pub end_s: f64,
    /// What it carries; `None` where it is too short to judge.
    pub verdict: Option<Verdict>,
}

/// What was heard in a stretch of speech.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Probabilities over the stretch.
    pub scores: Scores,
    /// The likeliest emotion.
    pub label: Emotion,
    /// Its probability, `0..=1`.
    pub confidence: f32,
    /// Whether the confidence reaches the model's threshold; below it the
    /// honest answer is "not sure".
    pub sure: bool,
}

/// Something true of the recording that the reader should know, though the
/// analysis stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// The file ends before the length its header promises.
    Truncated {
        /// What could be read, seconds.
        read_s: f64,
        /// What the header promised, seconds, where it is known.
        expected_s: Option<f64>,
    },
    /// What is said lies far from all that the model was trained on, and so it is less sure.
    Unfamiliar,
}

impl From<Truncation> for Notice {
    fn from(Truncation { read_s, expected_s }: Truncation) -> Notice {
        Notice::Truncated { read_s, expected_s }
    }
}

/// Everything the program has to say about one clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Length of the clip, seconds.
    pub duration_s: f64,
    /// Probabilities over the whole clip.
    pub scores: Scores,
    /// The likeliest emotion.
    pub label: Emotion,
    /// Its probability, `0..=1`.
    pub confidence: f32,
    /// Whether the confidence reaches the model's threshold; below it the
    /// honest answer is "not sure".
    pub sure: bool,
    /// The stretches of speech in order of time, without overlaps; between
    /// them nobody speaks. At least one has a verdict.
    pub utterances: Vec<Utterance>,
    /// The moments: overlapping windows in order of time, each within one
    /// utterance that has a verdict.
    pub windows: Vec<Window>,
    /// The waveform's outline, for drawing.
    pub waveform: Waveform,
    /// Name of the model that answered.
    pub model: String,
    /// How the recording was heard.
    pub options: Options,
    /// What the reader should know besides.
    pub notices: Vec<Notice>,
}

impl Analysis {
    /// Says, before all else, that the file ends too early, if it does.
    pub fn cut_short(&mut self, truncation: Option<Truncation>) {
        self.notices
            .splice(0..0, truncation.into_iter().map(Notice::from));
    }
}
