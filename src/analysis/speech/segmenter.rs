//! From judged frames to stretches of speech between pauses.

use super::HOP_SAMPLES;
use super::activity::Frame;
use crate::audio::SAMPLE_RATE_HZ;
use std::ops::Range;

/// Silence that parts two utterances, seconds. Stops close the mouth for up to
/// 0.2 s, and Goldman-Eisler (1968, "Psycholinguistics") counts silence from
/// 0.25 s as a pause; hesitations within a phrase are mostly below 0.4 s, the
/// pauses between sentences above.
pub const PAUSE_S: f64 = 0.4;

/// Longest stretch, seconds; a longer one is cut at its weakest point. What is
/// encoded at once is no longer either.
pub const MAX_SPAN_S: f64 = 8.0;

const FRAMES_PER_S: f64 = SAMPLE_RATE_HZ as f64 / HOP_SAMPLES as f64;
const N_PAUSE: usize = (PAUSE_S * FRAMES_PER_S) as usize;
/// Added before the first and after the last frame that stands out, frames:
/// soft onsets and trailing breath belong to the voice. Twice this is shorter
/// than a pause, so that neighbours do not overlap.
const N_PAD: usize = 15;
const N_MAX: usize = (MAX_SPAN_S * FRAMES_PER_S) as usize - N_PAD;
/// A cut leaves at least this much on either side, frames: enough to judge.
const N_LEAST_BEFORE: usize = 300;
const N_LEAST_AFTER: usize = 50;
/// The weakest point is the quietest mean level over this many frames.
const N_WEAK: usize = 20;
/// Fewer active frames are a click and no voice.
const N_CLICK: usize = 10;

/// A state machine over frames.
#[derive(Default)]
pub struct Segmenter {
    /// The next frame's number.
    t: usize,
    open: Option<Open>,
    /// The first frame that the next stretch may reach back to.
    free_from: usize,
}

/// A stretch that has begun.
struct Open {
    /// Its first frame, padding included.
    first: usize,
    /// After its last active frame.
    active_end: usize,
    n_active: usize,
    /// Levels from `first` on, decibels.
    levels_db: Vec<f32>,
}

impl Segmenter {
    /// Takes the next frame; appends the stretch that it ends, in samples.
    pub fn push(&mut self, frame: Frame, spans: &mut Vec<Range<usize>>) {
        let t = self.t;
        self.t += 1;
        let open = match &mut self.open {
            Some(open) => open,
            None if frame.active => {
                let first = t.saturating_sub(N_PAD).max(self.free_from);
                self.open.insert(Open {
                    first,
                    active_end: t,
                    n_active: 0,
                    levels_db: vec![frame.level_db; t - first],
                })
            }
            None => return,
        };
        open.levels_db.push(frame.level_db);
        if frame.active {
            open.n_active += 1;
            open.active_end = t + 1;
        } else if t + 1 - open.active_end >= N_PAUSE {
            self.close(spans);
            return;
        }
        if t + 1 - open.first >= N_MAX {
            self.cut(spans);
        }
    }

    /// Ends the recording.
    pub fn finish(&mut self, spans: &mut Vec<Range<usize>>) {
        self.close(spans);
    }

    /// The first sample that a stretch not yet given may begin at.
    pub fn undecided_from(&self) -> usize {
        let first = match &self.open {
            Some(open) => open.first,
            None => self.t.saturating_sub(N_PAD).max(self.free_from),
        };
        sample_of(first)
    }

    fn close(&mut self, spans: &mut Vec<Range<usize>>) {
        if let Some(open) = self.open.take() {
            let end = (open.active_end + N_PAD).min(self.t);
            self.free_from = end;
            if open.n_active >= N_CLICK {
                spans.push(sample_of(open.first)..sample_of(end));
            }
        }
    }

    /// Gives the open stretch up to its weakest point; the rest stays open.
    fn cut(&mut self, spans: &mut Vec<Range<usize>>) {
        let Some(open) = &mut self.open else { return };
        let candidates = N_LEAST_BEFORE..open.levels_db.len() - N_LEAST_AFTER;
        let mean = |at: &usize| {
            let around = &open.levels_db[at - N_WEAK / 2..at + N_WEAK / 2];
            around.iter().sum::<f32>()
        };
        let weakest = candidates
            .min_by(|a, b| mean(a).total_cmp(&mean(b)))
            .unwrap_or(N_LEAST_BEFORE);
        let cut = open.first + weakest;
        spans.push(sample_of(open.first)..sample_of(cut));
        open.levels_db.drain(..weakest);
        open.first = cut;
        self.free_from = cut;
    }
}

fn sample_of(frame: usize) -> usize {
    frame * HOP_SAMPLES
}
