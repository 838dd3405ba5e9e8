//! Frame by frame: is this a voice?
//!
//! Small networks look at 24 mel bands from two seconds before a frame to
//! 0.4 s after it. What tells speech from music, tones and noise is how its
//! bands rise and fall, so they see them at ten scales of time and their
//! deviation.

use super::HOP_SAMPLES;
use super::network::{N_INPUTS, Networks};
use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{MelBank, Spectrum, power_to_db};
use std::collections::VecDeque;

/// One frame of 20 ms, judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Level over 25 ms, decibels relative to full scale, from −100.
    pub level_db: f32,
    /// How likely it is part of a voice, `0..=1`.
    pub voice: f32,
}

/// Bands, evenly on Slaney's mel scale up to 8 kHz.
const N_MELS: usize = 24;
/// Samples a spectrum is taken of.
const N_FFT: usize = 400;
/// Stretches of time around a frame, in frames from it: the bands' means over
/// each are seen.
const STRETCHES: [(isize, isize); 10] = [
    (-100, -50),
    (-50, -24),
    (-24, -12),
    (-12, -6),
    (-6, -3),
    (-3, -1),
    (-1, 2),
    (2, 4),
    (4, 8),
    (8, 20),
];
/// The bands' deviation is seen over this one.
const DEVIATION: (isize, isize) = (-50, 20);
/// Frames before and after one that are looked at.
const N_BEFORE: usize = 100;
const N_AFTER: usize = 20;
/// Decibels are divided by this on their way into the networks.
const SCALE_DB: f32 = 20.0;

const _: () = assert!(N_INPUTS == (STRETCHES.len() + 1) * N_MELS);

/// Turns a stream of samples into judged frames; holds back 0.4 s.
pub struct Activity {
    spectrum: Spectrum,
    mel: MelBank,
    networks: Networks,
    /// Samples from half a spectrum before the next frame's centre on.
    samples: Vec<f32>,
    power: Vec<f32>,
    /// Rows from [`N_BEFORE`] before the next frame to be judged on.
    rows: VecDeque<Row>,
    inputs: Vec<f32>,
    /// Whether frames are judged without what comes after them.
    causal: bool,
}

#[derive(Clone, Copy)]
struct Row {
    bands_db: [f32; N_MELS],
    level_db: f32,
}

impl Activity {
    pub fn new() -> Activity {
        let spectrum = Spectrum::new(N_FFT);
        Activity {
            mel: MelBank::new(N_MELS, N_FFT, SAMPLE_RATE_HZ),
            networks: Networks::shipped(),
            // Before the recording there is nothing.
            samples: vec![0.0; N_FFT / 2],
            power: vec![0.0; spectrum.n_bins()],
            spectrum,
            rows: VecDeque::with_capacity(N_BEFORE + 1 + N_AFTER),
            inputs: Vec::with_capacity(N_INPUTS),
            causal: false,
        }
    }

    /// Judges each frame at once, as if nothing came after it.
    pub fn causal() -> Activity {
        Activity {
            causal: true,
            ..Activity::new()
        }
    }

    /// Takes the next samples and appends the frames that are judged.
    pub fn push(&mut self, samples: &[f32], frames: &mut Vec<Frame>) {
        self.samples.extend_from_slice(samples);
        let mut at = 0;
        while at + N_FFT <= self.samples.len() {
            let row = self.row(at);
            self.take(row, frames);
            at += HOP_SAMPLES;
        }
        self.samples.drain(..at);
    }

    /// Ends the recording: appends the frames still waiting.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) {
        self.push(&[0.0; N_FFT / 2], frames);
        if self.causal {
            return;
        }
        // The last frame stands for what does not come any more.
        if let Some(last) = self.rows.back().copied() {
            for _ in 0..N_AFTER {
                self.take(last, frames);
            }
        }
    }

    fn row(&mut self, at: usize) -> Row {
        let frame = &self.samples[at..at + N_FFT];
        let energy: f32 = frame.iter().map(|s| s * s).sum();
        self.spectrum.power(frame, &mut self.power);
        let mut bands_db = [0.0; N_MELS];
        self.mel.apply(&self.power, &mut bands_db);
        bands_db.iter_mut().for_each(|p| *p = power_to_db(*p));
        Row {
            bands_db,
            level_db: power_to_db(energy / N_FFT as f32),
        }
    }

    /// Takes the next row; judges the one that has [`N_AFTER`] after it now.
    fn take(&mut self, row: Row, frames: &mut Vec<Frame>) {
        if self.rows.is_empty() {
            // The first frame stands for what was before it.
            self.rows.extend([row; N_BEFORE]);
        }
        self.rows.push_back(row);
        if self.causal {
            // It stands for what has not come yet.
            self.rows.extend([row; N_AFTER]);
        }
        if self.rows.len() <= N_BEFORE + N_AFTER {
            return;
        }
        self.look();
        frames.push(Frame {
            level_db: self.rows[N_BEFORE].level_db,
            voice: self.networks.apply(&self.inputs),
        });
        self.rows.pop_front();
        if self.causal {
            self.rows.truncate(N_BEFORE);
        }
    }

    /// Fills the networks' inputs for the row at [`N_BEFORE`].
    fn look(&mut self) {
        let rows = self.rows.make_contiguous();
        let stretch = |(from, to): (isize, isize)| {
            let at = |offset: isize| N_BEFORE.saturating_add_signed(offset);
            &rows[at(from)..at(to).min(rows.len())]
        };
        self.inputs.clear();
        for bounds in STRETCHES {
            let mean = mean(stretch(bounds));
            self.inputs.extend(mean.map(|m| m / SCALE_DB));
        }
        let around = stretch(DEVIATION);
        let mean = mean(around);
        let mut variance = [0.0; N_MELS];
        for row in around {
            for (v, (b, m)) in variance.iter_mut().zip(row.bands_db.iter().zip(&mean)) {
                *v += (b - m) * (b - m);
            }
        }
        let n = around.len() as f32;
        self.inputs
            .extend(variance.map(|v| (v / n).sqrt() / SCALE_DB));
    }
}

/// The bands' means.
fn mean(rows: &[Row]) -> [f32; N_MELS] {
    let mut sum = [0.0; N_MELS];
    for row in rows {
        sum.iter_mut().zip(&row.bands_db).for_each(|(s, b)| *s += b);
    }
    sum.map(|s| s / rows.len() as f32)
}
