//! Where somebody speaks: a stream of samples becomes stretches of speech
//! between pauses.

pub(super) mod activity;
mod network;
mod segmenter;
pub(super) mod surroundings;

pub use segmenter::{MAX_SPAN_S, PAUSE_S};

use super::{MINIMUM_S, samples_of};
use activity::Activity;
use segmenter::Segmenter;
use std::ops::Range;

/// Step between the frames that are told apart, samples at 16 kHz: 20 ms.
const HOP_SAMPLES: usize = 320;

/// Silence that is heard beside speech, seconds. Clips that models learn from have
/// a second of it and seldom more; in more they hear sadness, whatever is said.
const AROUND_S: f64 = 1.0;

const fn frames_in(seconds: f64) -> usize {
    samples_of(seconds) / HOP_SAMPLES
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

/// The stretches of speech in a whole recording, mono at 16 kHz and finite.
pub fn stretches(samples: &[f32]) -> Vec<Range<usize>> {
    let mut detector = SpeechDetector::new();
    let mut spans = Vec::new();
    detector.push(samples, &mut spans);
    detector.finish(&mut spans);
    spans
}

/// What is judged of a short recording, samples from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The speech with at most a second of what is around it.
    pub all: Range<usize>,
    /// From the first voice to the last.
    pub spoken: Range<usize>,
}

impl Heard {
    /// By the stretches of speech in a recording of so many samples; nothing where none
    /// is long enough to be judged.
    pub fn of(spans: &[Range<usize>], n_samples: usize) -> Option<Heard> {
        let [least, around] = [MINIMUM_S, AROUND_S].map(samples_of);
        spans.iter().find(|span| span.len() >= least)?;
        let spoken = spans.first()?.start..spans.last()?.end;
        let end = (spoken.end + around).min(n_samples);
        Some(Heard {
            all: spoken.start.saturating_sub(around)..end,
            spoken,
        })
    }
}

impl Default for SpeechDetector {
    fn default() -> SpeechDetector {
        SpeechDetector::new()
    }
}

#[cfg(test)]
mod tests;
