//! Frame by frame: is there more than the room?

use super::HOP_SAMPLES;
use crate::dsp::power_to_db;
use std::collections::VecDeque;

/// One frame of 10 ms, judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Level, decibels relative to full scale, from −100.
    pub level_db: f32,
    /// Whether it stands out of the room.
    pub active: bool,
}

/// How far around a frame the room's level is looked for, frames.
const N_BEFORE: usize = 300;
const N_AFTER: usize = 100;
/// Frames that the level is averaged over before it counts as the room's.
const N_SMOOTH: usize = 10;
/// How far above the room a voice stands, decibels.
const MARGIN_DB: f32 = 8.0;
/// Below this nothing counts as a voice, above the other everything does
/// that may be one: a voice may never pause.
const QUIET_DBFS: f32 = -60.0;
const LOUD_DBFS: f32 = -40.0;

/// Samples a frame's level is measured over.
const N_FRAME: usize = 400;

/// Compares each frame's level with the quietest around it.
pub struct Activity {
    /// How far ahead the room's level is looked for, frames, the judged one
    /// included.
    n_after: usize,
    /// Samples from half a frame before the next centre on.
    samples: Vec<f32>,
    begun: bool,
    /// Levels from `N_BEFORE` before the next frame to be judged.
    levels_db: VecDeque<f32>,
    /// How many of them lie before that frame.
    n_before: usize,
}

impl Default for Activity {
    fn default() -> Activity {
        Activity::looking_ahead(N_AFTER)
    }
}

impl Activity {
    /// Judges a frame at once, by what came before it.
    pub fn causal() -> Activity {
        Activity::looking_ahead(1)
    }

    fn looking_ahead(n_after: usize) -> Activity {
        Activity {
            n_after,
            samples: Vec::new(),
            begun: false,
            levels_db: VecDeque::new(),
            n_before: 0,
        }
    }

    /// Takes the next samples and appends the frames that are judged.
    pub fn push(&mut self, samples: &[f32], frames: &mut Vec<Frame>) {
        if !self.begun {
            self.samples.resize(N_FRAME / 2, 0.0);
            self.begun = true;
        }
        self.samples.extend_from_slice(samples);
        let mut at = 0;
        while at + N_FRAME <= self.samples.len() {
            let energy: f32 = self.samples[at..at + N_FRAME].iter().map(|s| s * s).sum();
            self.levels_db
                .push_back(power_to_db(energy / N_FRAME as f32));
            at += HOP_SAMPLES;
        }
        self.samples.drain(..at);
        while self.levels_db.len() > self.n_before + self.n_after {
            self.judge(frames);
        }
    }

    /// Ends the recording: appends the frames still waiting.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) {
        self.push(&[0.0; N_FRAME / 2], frames);
        while self.levels_db.len() > self.n_before {
            self.judge(frames);
        }
    }

    fn judge(&mut self, frames: &mut Vec<Frame>) {
        let levels = self.levels_db.make_contiguous();
        let level_db = levels[self.n_before];
        let room_db = levels[..levels.len().min(self.n_before + self.n_after)]
            .windows(N_SMOOTH.min(levels.len()))
            .map(|w| w.iter().sum::<f32>() / w.len() as f32)
            .fold(f32::INFINITY, f32::min);
        let threshold_db = (room_db + MARGIN_DB).clamp(QUIET_DBFS, LOUD_DBFS);
        frames.push(Frame {
            level_db,
            active: level_db > threshold_db,
        });
        self.n_before += 1;
        if self.n_before > N_BEFORE {
            self.levels_db.pop_front();
            self.n_before -= 1;
        }
    }
}
