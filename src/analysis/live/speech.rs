//! Whether somebody speaks now.

use super::{STEP_S, WINDOW_S};
use crate::audio::SAMPLE_RATE_HZ;
use std::collections::VecDeque;

/// A voice that pauses for longer than this has ended, seconds.
const PAUSE_S: f64 = 1.0;

/// Length of the pieces that are judged one by one, samples: 25 ms.
const PIECE_SAMPLES: usize = SAMPLE_RATE_HZ as usize / 40;

/// Softer pieces hold no voice, decibels relative to full scale.
const VOICE_DBFS: f32 = -50.0;

/// Opens with a voice, closes when it has paused.
#[derive(Clone, Debug, Default)]
pub struct SpeechGate {
    /// Seconds of voice in each of the last steps, the newest last.
    steps_s: VecDeque<f64>,
}

impl SpeechGate {
    /// Takes the next step's samples.
    pub fn push(&mut self, samples: &[f32]) {
        let n_voiced = samples
            .chunks(PIECE_SAMPLES)
            .filter(|p| is_voice(p))
            .count();
        let voiced_s = (n_voiced * PIECE_SAMPLES) as f64 / f64::from(SAMPLE_RATE_HZ);
        self.steps_s.push_back(voiced_s);
        if self.steps_s.len() > steps_in(WINDOW_S) {
            self.steps_s.pop_front();
        }
    }

    /// Whether there was a voice within the last [`PAUSE_S`].
    pub fn is_open(&self) -> bool {
        let recent = self.steps_s.iter().rev().take(steps_in(PAUSE_S));
        recent.sum::<f64>() > 0.0
    }

    /// How much of the last [`WINDOW_S`] was voice, seconds.
    pub fn speech_s(&self) -> f64 {
        self.steps_s.iter().sum()
    }
}

const fn steps_in(seconds: f64) -> usize {
    (seconds / STEP_S) as usize
}

/// Whether a piece is loud enough to be a voice.
fn is_voice(piece: &[f32]) -> bool {
    let power = piece.iter().map(|s| s * s).sum::<f32>() / piece.len().max(1) as f32;
    10.0 * power.max(1e-10).log10() > VOICE_DBFS
}
