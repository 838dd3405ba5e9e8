//! How little a frame changes when it is moved by a lag: YIN's difference.

use crate::dsp::Autocorrelation;
use std::ops::RangeInclusive;

/// What becomes of the samples at a frame's end, which have no partner a lag
/// later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// They do not count, and the difference is the mean over the pairs.
    Left,
    /// Their partner is zero, as in librosa 0.11.
    Padded,
}

/// The cumulative mean normalised difference of one frame, equation 8 of
/// de Cheveigné and Kawahara 2002 (YIN), by autocorrelation. Plan once; no
/// allocation after planning.
#[derive(Clone)]
pub struct Difference {
    n_frame: usize,
    rate_hz: f64,
    min_period: usize,
    max_period: usize,
    ends: Ends,
    autocorrelation: Autocorrelation,
    /// What a lag's sum is multiplied by, `[max_period + 1]`.
    scales: Vec<f32>,
    /// Sums of the differences up to each lag, `[max_period + 1]`.
    sums: Vec<f32>,
    difference: Vec<f32>,
}

impl Difference {
    /// Plans frames of `n_frame` samples and pitches within
    /// `min_hz..=max_hz`.
    pub fn new(n_frame: usize, rate_hz: u32, min_hz: f64, max_hz: f64, ends: Ends) -> Difference {
        let rate_hz = f64::from(rate_hz);
        let min_period = (rate_hz / max_hz).floor() as usize;
        let max_period = ((rate_hz / min_hz).ceil() as usize).min(n_frame - 1);
        let scale = |lag: usize| match ends {
            Ends::Left => 1.0 / (n_frame - lag) as f32,
            Ends::Padded => 1.0,
        };
        Difference {
            n_frame,
            rate_hz,
            min_period,
            max_period,
            ends,
            autocorrelation: Autocorrelation::new(n_frame, max_period + 1),
            scales: (0..=max_period).map(scale).collect(),
            sums: vec![0.0; max_period + 1],
            difference: vec![0.0; max_period + 1],
        }
    }

    /// The periods sought, samples.
    pub fn periods(&self) -> RangeInclusive<usize> {
        self.min_period..=self.max_period
    }

    /// Samples a second.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// The normalised difference of one frame `[n_frame]` at every lag from 0
    /// to the longest period: zero or more, near zero at a period, about one
    /// where there is none; one throughout for a silent frame.
    ///
    /// # Panics
    /// If the frame is not `n_frame` long.
    pub fn normalised(&mut self, frame: &[f32]) -> &[f32] {
        let correlation = self.autocorrelation.apply(frame);
        let n = self.n_frame;
        // Energy of the samples that have a partner `lag` later, and of those
        // that have one `lag` earlier.
        let (mut early, mut late) = (correlation[0], correlation[0]);
        let mut sum = 0.0f32;
        self.difference[0] = 1.0;
        self.sums[0] = 1.0;
        for lag in 1..=self.max_period {
            if self.ends == Ends::Left {
                early -= frame[n - lag] * frame[n - lag];
            }
            late -= frame[lag - 1] * frame[lag - 1];
            let difference = (early + late - 2.0 * correlation[lag]).max(0.0) * self.scales[lag];
            sum += difference;
            self.difference[lag] = difference;
            self.sums[lag] = sum;
        }
        for (lag, (d, sum)) in self.difference.iter_mut().zip(&self.sums).enumerate() {
            let ratio = *d * lag as f32 / sum;
            // A silent or overflowing frame leaves no ratio: it has no period.
            *d = if ratio.is_finite() { ratio } else { 1.0 };
        }
        self.difference[0] = 1.0;
        &self.difference
    }
}

/// Where the parabola through lag `t` and its neighbours is lowest, samples
/// from `t`, within ±1; zero at the ends of `periods` and where it has no
/// bottom near.
pub(super) fn parabolic_shift(d: &[f32], t: usize, periods: &RangeInclusive<usize>) -> f32 {
    if t == *periods.start() || t == *periods.end() {
        return 0.0;
    }
    let curve = d[t + 1] + d[t - 1] - 2.0 * d[t];
    let slope = (d[t + 1] - d[t - 1]) / 2.0;
    if slope.abs() >= curve.abs() {
        0.0
    } else {
        -slope / curve
    }
}

/// Whether `d` has a local minimum at lag `t`, as `librosa.yin` decides it.
pub(super) fn is_trough(d: &[f32], t: usize, periods: &RangeInclusive<usize>) -> bool {
    if t == *periods.start() {
        d[t] < d[t + 1]
    } else {
        d[t] < d[t - 1] && (t == *periods.end() || d[t] <= d[t + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sums_written_out() {
        let frame: Vec<f32> = (0..64).map(|i| ((i * i) as f32 * 0.05).sin()).collect();
        for ends in [Ends::Left, Ends::Padded] {
            let mut planned = Difference::new(64, 1_000, 40.0, 500.0, ends);
            let actual = planned.normalised(&frame).to_vec();
            let mut sum = 0.0;
            for lag in 1..=25 {
                let pairs = (0..64 - lag).map(|i| (frame[i] - frame[i + lag]).powi(2));
                let alone = frame[64 - lag..].iter().map(|s| s * s).sum::<f32>();
                let d = match ends {
                    Ends::Left => pairs.sum::<f32>() / (64 - lag) as f32,
                    Ends::Padded => pairs.sum::<f32>() + alone,
                };
                sum += d;
                let expected = d * lag as f32 / sum;
                assert!((actual[lag] - expected).abs() < 1e-4, "{ends:?}, lag {lag}");
            }
        }
    }
}
