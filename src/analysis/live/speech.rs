//! Whether somebody speaks now, as far as can be known without what comes.

use super::STEP_S;
use crate::analysis::speech::activity::{Activity, Frame};

/// Silence that parts two utterances, seconds: two steps, and no shorter than a
/// file's.
const PAUSE_S: f64 = 0.5;

/// A frame that is a voice as likely as this counts as one.
const VOICE: f32 = 0.5;

/// Fewer such frames of 20 ms in a step are a click and no voice.
const N_CLICK: usize = 3;

/// What a step is to the utterance under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nobody speaks.
    Silent,
    /// Somebody begins to.
    Begins,
    /// The utterance goes on, if only in a short pause.
    GoesOn,
}

/// Opens with a voice, closes when it has paused.
pub struct SpeechGate {
    activity: Activity,
    frames: Vec<Frame>,
    open: bool,
    since_voice_s: f64,
}

impl SpeechGate {
    /// Before anything was heard.
    pub fn new() -> SpeechGate {
        SpeechGate {
            activity: Activity::causal(),
            frames: Vec::new(),
            open: false,
            since_voice_s: f64::INFINITY,
        }
    }

    /// Takes the next step's samples.
    pub fn push(&mut self, samples: &[f32]) -> Step {
        self.frames.clear();
        self.activity.push(samples, &mut self.frames);
        if self.frames.iter().filter(|f| f.voice >= VOICE).count() >= N_CLICK {
            self.since_voice_s = 0.0;
            return if std::mem::replace(&mut self.open, true) {
                Step::GoesOn
            } else {
                Step::Begins
            };
        }
        self.since_voice_s += STEP_S;
        self.open &= self.since_voice_s < PAUSE_S;
        if self.open {
            Step::GoesOn
        } else {
            Step::Silent
        }
    }

    /// Whether an utterance is under way.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Time since the last step with a voice, seconds.
    pub fn since_voice_s(&self) -> f64 {
        self.since_voice_s
    }
}
