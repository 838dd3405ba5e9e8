//! The last moments of a voice while it is still speaking.
//!
//! [`Live`] takes samples as they come. Whenever a step of [`STEP_S`] is full
//! it may be asked what the model makes of the last [`WINDOW_S`] of the
//! utterance under way: what a file's timeline shows, four times a second. As in
//! a file each utterance begins anew; in the pauses nothing is computed. Whoever
//! is slow asks less often and falls behind no further than that.

mod smoothing;
mod speech;

pub use smoothing::{DEFAULT_SMOOTHING_S, MAX_SMOOTHING_S};

use super::{AnalyzeError, MINIMUM_S, Options, samples_of};
use crate::audio::Denoiser;
use crate::emotion::{Emotion, Scores};
use crate::model::EmotionModel;
use crate::model::stream::FrameStream;
use serde::{Deserialize, Serialize};
use smoothing::Smoothing;
use speech::{SpeechGate, Step};

/// What the model hears at once, seconds: the window of the timeline of a
/// file, so that the two can be laid side by side.
pub const WINDOW_S: f64 = 2.0;

/// Time between two answers, seconds.
pub const STEP_S: f64 = 0.25;

/// What was said of a voice stands for this long after it, seconds.
const HOLD_S: f64 = 1.0;

/// What is heard at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hearing {
    /// A voice has just begun; there is too little of it to judge.
    Listening,
    /// No voice, for longer than a pause between two sentences.
    NoSpeech,
    /// A voice.
    Speech,
}

impl Hearing {
    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Hearing::Listening => "listening",
            Hearing::NoSpeech => "no-speech",
            Hearing::Speech => "speech",
        }
    }
}

/// What is to be said of a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The moment, seconds from the beginning of the stream: the end of what
    /// was heard.
    pub at_s: f64,
    /// What is heard.
    pub hearing: Hearing,
    /// What the model makes of it; absent unless a voice is heard. In a pause
    /// between two sentences what was last said stands.
    pub answer: Option<Answer>,
}

/// What the model makes of a voice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Probabilities over the last [`WINDOW_S`].
    pub scores: Scores,
    /// The same, smoothed over time; what follows is about these.
    pub smoothed: Scores,
    /// The likeliest emotion.
    pub label: Emotion,
    /// Its probability, `0..=1`.
    pub confidence: f32,
    /// Whether the confidence reaches the model's threshold.
    pub sure: bool,
}

/// Follows a voice in bounded memory, however long it speaks.
pub struct Live {
    model: EmotionModel,
    /// Where noise is to be reduced. What it holds back, 0.16 s at most, is
    /// heard that much later, at its own place in time.
    denoiser: Option<Denoiser>,
    /// A stream before its first sample.
    fresh: FrameStream,
    /// That of the utterance under way.
    frames: FrameStream,
    /// Steps of it.
    n_spoken: usize,
    gate: SpeechGate,
    smoothing: Smoothing,
    /// What was said last of the voice.
    last: Option<Answer>,
    /// Samples of the step before: where a voice sets in softly.
    previous: Vec<f32>,
    /// Samples of the step under way.
    pending: Vec<f32>,
    n_steps: u64,
    n_steps_asked: u64,
}

impl Live {
    /// Starts to listen; `smoothing_s` is the time constant of what is shown,
    /// seconds.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the model cannot follow a stream, or the
    /// noise reduction cannot be planned.
    pub fn new(
        model: &EmotionModel,
        options: Options,
        smoothing_s: f64,
    ) -> Result<Live, AnalyzeError> {
        let fresh = model.follow(samples_of(WINDOW_S)).map_err(internal)?;
        let denoiser = options.denoise.then(Denoiser::new).transpose();
        Ok(Live {
            model: model.clone(),
            denoiser: denoiser.map_err(internal)?,
            frames: fresh.clone(),
            fresh,
            n_spoken: 0,
            gate: SpeechGate::new(),
            smoothing: Smoothing::new(smoothing_s),
            last: None,
            previous: Vec::new(),
            pending: Vec::with_capacity(samples_of(STEP_S)),
            n_steps: 0,
            n_steps_asked: 0,
        })
    }

    /// Changes the time constant of what is shown, seconds.
    pub fn smooth_over(&mut self, smoothing_s: f64) {
        self.smoothing.set_time_constant(smoothing_s);
    }

    /// Takes the next samples, mono at 16 kHz, in pieces of any length; says
    /// whether they completed a step, so that there is something new to ask.
    ///
    /// # Errors
    /// [`AnalyzeError::NotFinite`]; [`AnalyzeError::Internal`] if the model fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<bool, AnalyzeError> {
        if samples.iter().any(|s| !s.is_finite()) {
            return Err(AnalyzeError::NotFinite);
        }
        let Some(denoiser) = &mut self.denoiser else {
            return self.hear(samples);
        };
        let mut cleaned = Vec::with_capacity(samples.len());
        denoiser.push(samples, &mut cleaned).map_err(internal)?;
        self.hear(&cleaned)
    }

    /// Takes what is to be judged.
    fn hear(&mut self, mut samples: &[f32]) -> Result<bool, AnalyzeError> {
        let mut stepped = false;
        while !samples.is_empty() {
            let n = samples.len().min(samples_of(STEP_S) - self.pending.len());
            let (now, later) = samples.split_at(n);
            self.pending.extend_from_slice(now);
            samples = later;
            if self.pending.len() == samples_of(STEP_S) {
                self.step()?;
                stepped = true;
            }
        }
        Ok(stepped)
    }

    fn step(&mut self) -> Result<(), AnalyzeError> {
        self.n_steps += 1;
        let step = self.gate.push(&self.pending);
        if step == Step::Begins {
            self.frames = self.fresh.clone();
            self.frames.push(&self.previous).map_err(internal)?;
            self.n_spoken = 0;
        }
        if step != Step::Silent {
            self.frames.push(&self.pending).map_err(internal)?;
            self.n_spoken += 1;
        }
        std::mem::swap(&mut self.previous, &mut self.pending);
        self.pending.clear();
        Ok(())
    }

    /// What is to be said of the end of the last full step.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the model fails.
    pub fn ask(&mut self) -> Result<Moment, AnalyzeError> {
        let elapsed_s = (self.n_steps - self.n_steps_asked) as f64 * STEP_S;
        self.n_steps_asked = self.n_steps;
        if self.gate.since_voice_s() > HOLD_S {
            self.last = None;
            self.smoothing.reset();
        }
        if self.gate.is_open() && self.n_spoken as f64 * STEP_S >= MINIMUM_S {
            self.last = Some(self.answer(elapsed_s)?);
        }
        let hearing = match (&self.last, self.gate.is_open()) {
            (Some(_), _) => Hearing::Speech,
            (None, true) => Hearing::Listening,
            (None, false) => Hearing::NoSpeech,
        };
        Ok(Moment {
            at_s: self.n_steps as f64 * STEP_S,
            hearing,
            answer: self.last.clone(),
        })
    }

    fn answer(&mut self, elapsed_s: f64) -> Result<Answer, AnalyzeError> {
        let frames = self.frames.window().map_err(internal)?;
        let scores = self
            .model
            .predict(&frames, 0..frames.n_frames())
            .map(|prediction| prediction.scores)
            .map_err(internal)?;
        let smoothed = self.smoothing.next(scores, elapsed_s);
        let (label, confidence) = smoothed.top();
        Ok(Answer {
            scores,
            smoothed,
            label,
            confidence,
            sure: self.model.header().calibration.is_sure(&smoothed),
        })
    }
}

fn internal(error: impl ToString) -> AnalyzeError {
    AnalyzeError::Internal {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
