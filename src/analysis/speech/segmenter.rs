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

/// A stretch opens with a frame that is a voice as likely as this, and goes on
/// while frames are at least as likely as the other.
const OPENS: f32 = 0.65;
const GOES_ON: f32 = 0.4;
/// A stretch whose frames are less likely a voice on average is music that
/// came near one for a moment.
const IS_SPEECH: f32 = 0.5;

const fn frames_in(seconds: f64) -> usize {
    (seconds * SAMPLE_RATE_HZ as f64) as usize / HOP_SAMPLES
}

/// Added before the first and after the last frame of a voice: soft onsets and
/// trailing breath belong to it, and are lost in noise. Twice this is shorter than a pause, so that
/// neighbours do not overlap.
const N_PAD: usize = frames_in(0.18);
const N_PAUSE: usize = frames_in(PAUSE_S);
/// Less voice than this is a cough or a click.
const N_LEAST: usize = frames_in(0.16);
/// A stretch this long is cut: with its padding it is no longer than allowed.
const N_MAX: usize = frames_in(MAX_SPAN_S) - N_PAD;
/// A cut leaves at least this much on either side, enough to judge.
const N_LEAST_BEFORE: usize = frames_in(3.0);
const N_LEAST_AFTER: usize = frames_in(0.6);
/// The weakest point is the quietest mean level over this much.
const N_WEAK: usize = frames_in(0.2);

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
    /// After its last frame that is a voice.
    voice_end: usize,
    n_voice: usize,
    /// How likely a voice its frames are up to `voice_end`, summed, and how
    /// many they are; since its beginning, whatever has been cut off.
    likely: (f32, usize),
    /// The same of the frames after `voice_end`.
    doubtful: (f32, usize),
    /// Levels from `first` on, decibels.
    levels_db: Vec<f32>,
}

impl Open {
    fn is_speech(&self) -> bool {
        let (sum, n) = self.likely;
        sum >= IS_SPEECH * n as f32
    }
}

impl Segmenter {
    /// Takes the next frame; appends the stretch that it ends, in samples.
    pub fn push(&mut self, frame: Frame, spans: &mut Vec<Range<usize>>) {
        let t = self.t;
        self.t += 1;
        let open = match &mut self.open {
            Some(open) => open,
            None if frame.voice >= OPENS => {
                let first = t.saturating_sub(N_PAD).max(self.free_from);
                self.open.insert(Open {
                    first,
                    voice_end: t,
                    n_voice: 0,
                    likely: (0.0, 0),
                    doubtful: (0.0, 0),
                    // The padding is no place to cut at.
                    levels_db: vec![frame.level_db; t - first],
                })
            }
            None => return,
        };
        open.levels_db.push(frame.level_db);
        open.doubtful.0 += frame.voice;
        open.doubtful.1 += 1;
        if frame.voice >= GOES_ON {
            open.n_voice += 1;
            open.voice_end = t + 1;
            let (sum, n) = std::mem::take(&mut open.doubtful);
            open.likely.0 += sum;
            open.likely.1 += n;
        } else if t + 1 - open.voice_end >= N_PAUSE {
            self.close(spans);
            return;
        }
        if open.levels_db.len() >= N_MAX {
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
        first * HOP_SAMPLES
    }

    fn close(&mut self, spans: &mut Vec<Range<usize>>) {
        if let Some(open) = self.open.take() {
            let end = (open.voice_end + N_PAD).min(self.t);
            self.free_from = end;
            if open.n_voice >= N_LEAST && open.is_speech() {
                spans.push(open.first * HOP_SAMPLES..end * HOP_SAMPLES);
            }
        }
    }

    /// Gives the open stretch up to its weakest point; the rest stays open.
    fn cut(&mut self, spans: &mut Vec<Range<usize>>) {
        let Some(open) = &mut self.open else { return };
        let around = |at: usize| &open.levels_db[at - N_WEAK / 2..at + N_WEAK / 2];
        let sum = |at: &usize| around(*at).iter().sum::<f32>();
        let weakest = (N_LEAST_BEFORE..=open.levels_db.len() - N_LEAST_AFTER)
            .min_by(|a, b| sum(a).total_cmp(&sum(b)))
            .unwrap_or(N_LEAST_BEFORE);
        let cut = open.first + weakest;
        if open.is_speech() {
            spans.push(open.first * HOP_SAMPLES..cut * HOP_SAMPLES);
        }
        open.levels_db.drain(..weakest);
        open.n_voice = open.n_voice.min(open.levels_db.len());
        open.first = cut;
        self.free_from = cut;
    }
}
