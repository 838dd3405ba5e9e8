//! What sounds where somebody may speak: a voice in a quiet room is heard at its
//! first breath, but in the midst of music a moment like one is mostly music.

use super::activity::Frame;
use super::frames_in;
use std::collections::VecDeque;
use std::ops::Range;

/// How far a stretch is looked around from, before and after, seconds.
const SIGHT_S: f64 = 10.0;
/// A frame counts that is no further than this below the stretch, decibels.
const AS_LOUD_DB: f32 = 12.0;
/// Less of such frames say nothing, seconds.
const LEAST_S: f64 = 3.0;
/// They are something else than a voice if they are one less likely than this,
/// on average.
const ELSE: f32 = 0.3;

/// The same in frames: only so much later is it known what a stretch stands in.
pub const N_SIGHT: usize = frames_in(SIGHT_S);
const N_LEAST: usize = frames_in(LEAST_S);

/// The last frames heard.
#[derive(Default)]
pub struct Surroundings {
    frames: VecDeque<Frame>,
    /// The number of the first of them.
    first: usize,
}

impl Surroundings {
    /// Takes the next frame, and forgets what lies further back from the frame
    /// `from` than one can see.
    pub fn push(&mut self, frame: Frame, from: usize) {
        self.frames.push_back(frame);
        while self.first + N_SIGHT < from && self.frames.len() > 1 {
            self.frames.pop_front();
            self.first += 1;
        }
    }

    /// Whether there is for some time sound as loud as these frames around them, which
    /// is no voice.
    pub fn drown(&self, frames: Range<usize>) -> bool {
        let number = |frame: usize| frame.saturating_sub(self.first).min(self.frames.len());
        let own = number(frames.start)..number(frames.end);
        let mut levels: Vec<f32> = self.frames.range(own.clone()).map(|f| f.level_db).collect();
        if levels.is_empty() {
            return false;
        }
        let middle = levels.len() / 2;
        let (_, level_db, _) = levels.select_nth_unstable_by(middle, f32::total_cmp);
        let loud_db = *level_db - AS_LOUD_DB;
        let before = own.start.saturating_sub(N_SIGHT)..own.start;
        let after = own.end..(own.end + N_SIGHT).min(self.frames.len());
        let around = self.frames.range(before).chain(self.frames.range(after));
        let (mut n, mut voice) = (0, 0.0);
        for frame in around.filter(|f| f.level_db >= loud_db) {
            n += 1;
            voice += frame.voice;
        }
        n >= N_LEAST && voice < ELSE * n as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches of so many frames of a level and a likelihood, then a voice at
    /// −20 dB, then more.
    fn drowned(before: &[(usize, f32, f32)], after: &[(usize, f32, f32)]) -> bool {
        let mut surroundings = Surroundings::default();
        let mut n = 0;
        let mut push = |parts: &[(usize, f32, f32)]| {
            for &(length, level_db, voice) in parts {
                for _ in 0..length {
                    surroundings.push(Frame { level_db, voice }, 0);
                    n += 1;
                }
            }
            n
        };
        let start = push(before);
        let end = push(&[(40, -20.0, 0.9)]);
        push(after);
        surroundings.drown(start..end)
    }

    #[test]
    fn a_voice_drowns_in_loud_music_alone() {
        let music = (200, -25.0, 0.1);
        assert!(drowned(&[music], &[]) && drowned(&[], &[music]));
        // A quiet room, a conversation, a recording that has just begun.
        assert!(!drowned(&[(400, -60.0, 0.1)], &[(400, -60.0, 0.1)]));
        assert!(!drowned(&[(300, -25.0, 0.8)], &[music]));
        assert!(!drowned(&[(60, -25.0, 0.1)], &[]));
        assert!(!drowned(&[], &[]));
        // Music that is long over, or far off.
        let quiet = (500, -60.0, 0.0);
        assert!(!drowned(&[music, quiet], &[quiet, music]));
        assert!(drowned(&[quiet, music], &[quiet]));
    }

    #[test]
    fn what_nobody_sees_is_forgotten() {
        let mut surroundings = Surroundings::default();
        let frame = Frame {
            level_db: -20.0,
            voice: 0.0,
        };
        for n in 0..100_000 {
            surroundings.push(frame, n);
        }
        assert!(surroundings.frames.len() <= N_SIGHT + 1);
    }
}
