//! Where somebody speaks: a stream of samples becomes stretches of speech
//! between pauses.

pub(super) mod activity;
mod network;
mod segmenter;
pub(super) mod surroundings;

pub use segmenter::{MAX_SPAN_S, PAUSE_S};

use crate::audio::SAMPLE_RATE_HZ;
use activity::Activity;
use segmenter::Segmenter;
use std::ops::Range;

/// Step between the frames that are told apart, samples at 16 kHz: 20 ms.
const HOP_SAMPLES: usize = 320;

const fn frames_in(seconds: f64) -> usize {
    (seconds * SAMPLE_RATE_HZ as f64) as usize / HOP_SAMPLES
}

/// Hears a recording piece by piece and parts it at its pauses.
pub struct SpeechDetector {
    activity: Activity,
    segmenter: Segmenter,
    frames: Vec<activity::Frame>,
    n_samples: usize,
}

impl SpeechDetector {
    /// Starts a recording.
    pub fn new() -> SpeechDetector {
        SpeechDetector {
            activity: Activity::new(),
            segmenter: Segmenter::default(),
            frames: Vec::new(),
            n_samples: 0,
        }
    }

    /// Takes the next samples, mono at 16 kHz and finite, and appends the
    /// stretches of speech that have ended, in samples from the recording's
    /// start. A stretch ends once the pause after it is known to be one; a short
    /// or doubtful one is given ten seconds later, when it is known what it stood in.
    pub fn push(&mut self, samples: &[f32], spans: &mut Vec<Range<usize>>) {
        self.n_samples += samples.len();
        self.activity.push(samples, &mut self.frames);
        self.part(spans);
    }

    /// Ends the recording: appends the last stretches.
    pub fn finish(&mut self, spans: &mut Vec<Range<usize>>) {
        self.activity.finish(&mut self.frames);
        self.part(spans);
        self.segmenter.finish(spans);
        for span in spans {
            span.end = span.end.min(self.n_samples);
        }
    }

    fn part(&mut self, spans: &mut Vec<Range<usize>>) {
        for frame in self.frames.drain(..) {
            self.segmenter.push(frame, spans);
        }
    }

    /// The first sample that a stretch not yet given may begin at.
    pub fn undecided_from(&self) -> usize {
        self.segmenter.undecided_from()
    }
}

impl Default for SpeechDetector {
    fn default() -> SpeechDetector {
        SpeechDetector::new()
    }
}

#[cfg(test)]
mod tests;
