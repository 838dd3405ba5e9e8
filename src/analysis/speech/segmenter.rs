//! From judged frames to stretches of speech between pauses.

use super::activity::Frame;
use super::surroundings::{N_SIGHT, Surroundings};
use super::{HOP_SAMPLES, frames_in};
use std::collections::VecDeque;
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
/// Where it drowns in other sound, what its frames are more likely than that adds
/// up to this in speech, frames: certainty for 0.7 s, or 0.75 for 1.4 s.
const LEAST_DROWNED: f32 = 0.35 * frames_in(1.0) as f32;

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
    /// Stretches that have ended and are not given yet, in order.
    ended: VecDeque<Ended>,
    surroundings: Surroundings,
    /// The first frame that the next stretch may reach back to.
    free_from: usize,
}

/// A stretch that has begun.
struct Open {
    /// Its first frame, padding included.
    first: usize,
    /// Its first frame that is a voice, or where it was cut last.
    voice_start: usize,
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

/// A stretch that has ended.
struct Ended {
    /// Its frames, padding included.
    span: Range<usize>,
    /// From its first frame that is a voice to its last.
    voice: Range<usize>,
    /// Whether it is speech wherever it stands: else what is around it decides.
    sure: bool,
}

impl Open {
    /// The stretch up to a frame, if it holds enough of a voice.
    fn ended(&self, end: usize) -> Option<Ended> {
        let (sum, n) = self.likely;
        let voice = self.voice_start..self.voice_end;
        let more_likely = sum - IS_SPEECH * n as f32;
        let enough = self.n_voice >= N_LEAST && voice.len() >= N_LEAST;
        (enough && more_likely >= 0.0).then_some(Ended {
            span: self.first..end,
            sure: more_likely >= LEAST_DROWNED,
            voice,
        })
    }
}

impl Segmenter {
    /// Takes the next frame; appends the stretches that are known to be speech by
    /// now, in samples.
    pub fn push(&mut self, frame: Frame, spans: &mut Vec<Range<usize>>) {
        let t = self.t;
        self.t += 1;
        let needed_from = match (self.ended.front(), &self.open) {
            (Some(ended), _) => ended.voice.start,
            (None, Some(open)) => open.voice_start,
            (None, None) => t,
        };
        self.surroundings.push(frame, needed_from);
        self.give(spans, false);
        let open = match &mut self.open {
            Some(open) => open,
            None if frame.voice >= OPENS => {
                let first = t.saturating_sub(N_PAD).max(self.free_from);
                self.open.insert(Open {
                    first,
                    voice_start: t,
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
        self.give(spans, true);
    }

    /// The first sample that a stretch not yet given may begin at.
    pub fn undecided_from(&self) -> usize {
        let first = match (self.ended.front(), &self.open) {
            (Some(ended), _) => ended.span.start,
            (None, Some(open)) => open.first,
            (None, None) => self.t.saturating_sub(N_PAD).max(self.free_from),
        };
        first * HOP_SAMPLES
    }

    fn close(&mut self, spans: &mut Vec<Range<usize>>) {
        if let Some(open) = self.open.take() {
            let end = (open.voice_end + N_PAD).min(self.t);
            self.free_from = end;
            self.ended.extend(open.ended(end));
            self.give(spans, false);
        }
    }

    /// Gives the stretches that are speech, in samples, as far as is known yet.
    fn give(&mut self, spans: &mut Vec<Range<usize>>, all_is_heard: bool) {
        while let Some(ended) = self.ended.front() {
            if !ended.sure {
                if !all_is_heard && self.t < ended.voice.end + N_SIGHT {
                    return;
                }
                if self.surroundings.drown(ended.voice.clone()) {
                    self.ended.pop_front();
                    continue;
                }
            }
            spans.push(ended.span.start * HOP_SAMPLES..ended.span.end * HOP_SAMPLES);
            self.ended.pop_front();
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
        self.ended.extend(open.ended(cut));
        open.levels_db.drain(..weakest);
        open.n_voice = open.n_voice.min(open.levels_db.len());
        open.first = cut;
        open.voice_start = cut;
        self.free_from = cut;
        self.give(spans, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: (usize, f32, f32) = (600, -60.0, 0.05);
    const MUSIC: (usize, f32, f32) = (600, -22.0, 0.1);
    const INTERJECTION: (usize, f32, f32) = (20, -20.0, 0.8);
    const SENTENCE: (usize, f32, f32) = (60, -20.0, 0.9);

    /// How many stretches are found in so many frames of a level and a likelihood each, and
    /// after which frame each was given.
    fn given_at(parts: &[(usize, f32, f32)]) -> Vec<usize> {
        let mut segmenter = Segmenter::default();
        let (mut spans, mut given) = (Vec::new(), Vec::new());
        for &(n, level_db, voice) in parts {
            for _ in 0..n {
                segmenter.push(Frame { level_db, voice }, &mut spans);
                given.resize(spans.len(), segmenter.t);
            }
        }
        segmenter.finish(&mut spans);
        given.resize(spans.len(), segmenter.t);
        given
    }

    #[test]
    fn in_the_midst_of_music_more_of_a_voice_is_asked_for() {
        assert_eq!(given_at(&[QUIET, INTERJECTION, QUIET]).len(), 1);
        assert!(given_at(&[MUSIC, INTERJECTION, MUSIC]).is_empty());
        assert!(given_at(&[INTERJECTION, MUSIC]).is_empty());
        assert_eq!(given_at(&[MUSIC, SENTENCE, MUSIC]).len(), 1);
        // Somebody answers.
        let talk = [SENTENCE, (30, -60.0, 0.1)].repeat(5);
        let answer = [&talk[..], &[INTERJECTION, (30, -60.0, 0.1)], &talk].concat();
        assert_eq!(given_at(&answer).len(), 11);
    }

    #[test]
    fn what_is_surely_speech_is_given_at_once() {
        let sentence = given_at(&[QUIET, SENTENCE, QUIET]);
        assert_eq!(sentence, [600 + 60 + N_PAUSE]);
        let interjection = given_at(&[QUIET, INTERJECTION, QUIET]);
        assert_eq!(interjection, [600 + 20 + N_SIGHT]);
        // In order, whichever is known first.
        let both = given_at(&[QUIET, INTERJECTION, (30, -60.0, 0.1), SENTENCE, QUIET]);
        assert_eq!(both, [600 + 20 + N_SIGHT; 2]);
    }
}
