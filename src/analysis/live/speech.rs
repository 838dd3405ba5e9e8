//! Whether somebody speaks now, as far as can be known without what comes.

use super::STEP_S;
use crate::analysis::speech::activity::{Activity, Frame};
use crate::analysis::speech::surroundings::Surroundings;

/// Silence that parts two utterances, seconds: two steps, and no shorter than a
/// file's.
const PAUSE_S: f64 = 0.5;

/// A frame that is a voice as likely as this counts as one.
const VOICE: f32 = 0.5;

/// No more such frames of 20 ms in a step are a click and no voice.
const N_CLICK: usize = 2;

/// In the midst of loud sound that is no voice, an utterance begins with more of
/// them than this, each as likely as the second number.
const N_NOTE: usize = 7;
const VOICE_DROWNED: f32 = 0.7;

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
    surroundings: Surroundings,
    n_frames: usize,
}

impl SpeechGate {
    /// Before anything was heard.
    pub fn new() -> SpeechGate {
        SpeechGate {
            activity: Activity::causal(),
            frames: Vec::new(),
            open: false,
            since_voice_s: f64::INFINITY,
            surroundings: Surroundings::default(),
            n_frames: 0,
        }
    }

    /// Takes the next step's samples.
    pub fn push(&mut self, samples: &[f32]) -> Step {
        self.frames.clear();
        self.activity.push(samples, &mut self.frames);
        self.step()
    }

    /// What the step's frames are.
    fn step(&mut self) -> Step {
        if self.is_voice() {
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

    /// Whether the step's frames are enough of a voice.
    fn is_voice(&mut self) -> bool {
        let first = self.n_frames;
        for frame in &self.frames {
            self.surroundings.push(*frame, self.n_frames);
            self.n_frames += 1;
        }
        let voiced = |f: &Frame| f.voice >= VOICE;
        let voice = self.frames.iter().position(voiced).map(|start| {
            let end = self.frames.iter().rposition(voiced).unwrap_or(start) + 1;
            first + start..first + end
        });
        let drowned = !self.open && voice.is_some_and(|v| self.surroundings.drown(v));
        let (n_else, least) = match drowned {
            true => (N_NOTE, VOICE_DROWNED),
            false => (N_CLICK, VOICE),
        };
        self.frames.iter().filter(|f| f.voice >= least).count() > n_else
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

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: [(f32, f32); 12] = [(-60.0, 0.05); 12];
    const MUSIC: [(f32, f32); 12] = [(-22.0, 0.1); 12];
    const SURE: [(f32, f32); 12] = [(-20.0, 0.9); 12];

    fn step(gate: &mut SpeechGate, frames: &[(f32, f32)]) -> Step {
        let frame = |&(level_db, voice): &(f32, f32)| Frame { level_db, voice };
        gate.frames = frames.iter().map(frame).collect();
        gate.step()
    }

    /// After ten seconds of it.
    fn after(frames: &[(f32, f32)]) -> SpeechGate {
        let mut gate = SpeechGate::new();
        for _ in 0..40 {
            assert_eq!(step(&mut gate, frames), Step::Silent);
        }
        gate
    }

    #[test]
    fn in_loud_music_an_utterance_begins_with_more_of_a_voice() {
        let mut doubtful = MUSIC;
        doubtful[4..8].fill((-20.0, 0.8));
        let mut alone = QUIET;
        alone[4..8].fill((-20.0, 0.8));
        assert_eq!(step(&mut after(&QUIET), &alone), Step::Begins);
        assert_eq!(step(&mut after(&MUSIC), &doubtful), Step::Silent);
        let mut gate = after(&MUSIC);
        assert_eq!(step(&mut gate, &SURE), Step::Begins);
        // Once somebody speaks, less is enough to go on.
        assert_eq!(step(&mut gate, &doubtful), Step::GoesOn);
        assert_eq!(gate.since_voice_s(), 0.0);
    }
}
