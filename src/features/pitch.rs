//! Fundamental frequency by YIN (de Cheveigné and Kawahara 2002), with a
//! probability of voicing.

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Threshold of the first trough taken, as `librosa.yin`.
const TROUGH: f32 = 0.1;

/// One frame's pitch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pitch {
    /// Fundamental frequency, hertz, within the planned range, a best guess
    /// also where nothing is voiced.
    pub f0_hz: f32,
    /// Probability that the frame is voiced, `0..=1`.
    pub voicing: f32,
}

/// A planned estimator. No allocation after planning.
#[derive(Clone)]
pub struct Yin {
    n_frame: usize,
    rate_hz: f32,
    min_period: usize,
    max_period: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    padded: Vec<f32>,
    bins: Vec<Complex32>,
    scratch: Vec<Complex32>,
    difference: Vec<f32>,
}

impl Yin {
    /// Plans frames of `n_frame` samples and pitches within
    /// `min_hz..=max_hz`.
    pub fn new(n_frame: usize, rate_hz: u32, min_hz: f64, max_hz: f64) -> Yin {
        let rate = f64::from(rate_hz);
        let min_period = (rate / max_hz).floor() as usize;
        let max_period = ((rate / min_hz).ceil() as usize).min(n_frame - 1);
        // Zeros for the longest lag keep the circular correlation linear.
        let n_fft = (n_frame + max_period + 1).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(n_fft);
        let inverse = planner.plan_fft_inverse(n_fft);
        let n_scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Yin {
            n_frame,
            rate_hz: rate as f32,
            min_period,
            max_period,
            padded: vec![0.0; n_fft],
            bins: forward.make_output_vec(),
            scratch: vec![Complex32::default(); n_scratch],
            difference: vec![0.0; max_period + 1],
            forward,
            inverse,
        }
    }

    /// Estimates the pitch of one frame `[n_frame]`: cumulative mean normalised
    /// difference over the samples that overlap, first trough below 0.1 or else
    /// the deepest point, parabolic interpolation.
    pub fn estimate(&mut self, frame: &[f32]) -> Pitch {
        self.normalised_difference(frame);
        let (from, to) = (self.min_period, self.max_period);
        let d = &self.difference;
        let is_trough = |t: usize| {
            if t == from {
                d[t] < d[t + 1]
            } else {
                d[t] < d[t - 1] && (t == to || d[t] <= d[t + 1])
            }
        };
        let deepest = (from..=to)
            .min_by(|a, b| d[*a].total_cmp(&d[*b]))
            .unwrap_or(from);
        let period = (from..=to)
            .find(|t| d[*t] < TROUGH && is_trough(*t))
            .unwrap_or(deepest);
        let shift = if period == from || period == to {
            0.0
        } else {
            let curve = d[period + 1] + d[period - 1] - 2.0 * d[period];
            let slope = (d[period + 1] - d[period - 1]) / 2.0;
            if slope.abs() >= curve.abs() {
                0.0
            } else {
                -slope / curve
            }
        };
        Pitch {
            f0_hz: self.rate_hz / (period as f32 + shift),
            voicing: voicing_probability(d[deepest]),
        }
    }

    /// Equation 8 of the paper into `self.difference`, by autocorrelation.
    fn normalised_difference(&mut self, frame: &[f32]) {
        self.padded[..self.n_frame].copy_from_slice(frame);
        self.padded[self.n_frame..].fill(0.0);
        self.forward
            .process_with_scratch(&mut self.padded, &mut self.bins, &mut self.scratch)
            .expect("every buffer was made by this plan");
        let scale = 1.0 / self.padded.len() as f32;
        for bin in &mut self.bins {
            *bin = Complex32::new(bin.norm_sqr() * scale, 0.0);
        }
        self.inverse
            .process_with_scratch(&mut self.bins, &mut self.padded, &mut self.scratch)
            .expect("every buffer was made by this plan");
        let correlation = &self.padded;
        let n = self.n_frame;
        // Energy of the samples that have a partner `lag` later, and of those
        // that have one `lag` earlier.
        let (mut early, mut late) = (correlation[0], correlation[0]);
        let mut sum = 0.0f32;
        self.difference[0] = 1.0;
        for lag in 1..=self.max_period {
            early -= frame[n - lag] * frame[n - lag];
            late -= frame[lag - 1] * frame[lag - 1];
            // The overlap shrinks with the lag; the mean does not.
            let difference = (early + late - 2.0 * correlation[lag]).max(0.0) / (n - lag) as f32;
            sum += difference;
            self.difference[lag] = if sum > 0.0 {
                difference * lag as f32 / sum
            } else {
                1.0
            };
        }
        // A silent or overflowing frame leaves no ratio: it has no period.
        for d in &mut self.difference {
            if !d.is_finite() {
                *d = 1.0;
            }
        }
    }
}

/// How likely a frame is voiced whose deepest trough is `depth`: the logistic
/// curve fitted to the decisions of `librosa.pyin` 0.11 over 36 clips of six
/// corpora, with which it agrees on 86 % of the frames. (pYIN itself looks
/// at the whole clip and cannot run live.)
fn voicing_probability(depth: f32) -> f32 {
    1.0 / (1.0 + (6.44 * depth - 3.09).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn yin() -> Yin {
        Yin::new(1_024, 16_000, 60.0, 600.0)
    }

    #[test]
    fn finds_the_pitch_of_tones_within_one_percent() {
        for hz in [75.0, 110.0, 150.0, 233.0, 400.0, 550.0] {
            let frame: Vec<f32> = (0..1_024)
                .map(|i| {
                    let t = i as f64 / 16_000.0;
                    ((TAU * hz * t).sin() + 0.5 * (TAU * 2.0 * hz * t).sin()) as f32
                })
                .collect();
            let pitch = yin().estimate(&frame);
            assert!(
                (f64::from(pitch.f0_hz) / hz - 1.0).abs() < 0.01,
                "{hz} Hz gave {pitch:?}"
            );
            assert!(pitch.voicing > 0.5, "{pitch:?}");
        }
    }

    #[test]
    fn silence_and_noise_are_unvoiced() {
        assert!(yin().estimate(&[0.0; 1_024]).voicing < 0.1);
        let mut state = 1u32;
        let noise: Vec<f32> = (0..1_024)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.5
            })
            .collect();
        assert!(yin().estimate(&noise).voicing < 0.5);
    }
}
