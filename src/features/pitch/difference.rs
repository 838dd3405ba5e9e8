//! How little a frame changes when it is moved by a lag: YIN's difference.

use crate::dsp::Autocorrelation;
use std::ops::RangeInclusive;

/// The cumulative mean normalised difference of one frame, equation 8 of
/// de Cheveigné and Kawahara 2002 (YIN), by autocorrelation, as librosa 0.11
/// has it. The difference at lag `τ` is
/// `d(τ) = Σ (x[i] − x[i + τ])²` over the samples that have a partner a lag
/// later, and `Σ x[i]²` over the last `τ`, which have none and are compared
/// with zero; the normalised one is `d′(τ) = d(τ) · τ / Σ d(1..=τ)`,
/// `d′(0) = 1`. Plan once; no allocation after planning.
#[derive(Clone)]
pub struct Difference {
    rate_hz: f64,
    min_period: usize,
    max_period: usize,
    autocorrelation: Autocorrelation,
    /// Sums of the differences up to each lag, `[max_period + 1]`.
    sums: Vec<f32>,
    difference: Vec<f32>,
}

impl Difference {
    /// Plans frames of `n_frame` samples and pitches within
    /// `min_hz..=max_hz`.
    pub fn new(n_frame: usize, rate_hz: u32, min_hz: f64, max_hz: f64) -> Difference {
        let rate_hz = f64::from(rate_hz);
        let min_period = (rate_hz / max_hz).floor() as usize;
        let max_period = ((rate_hz / min_hz).ceil() as usize).min(n_frame - 1);
        Difference {
            rate_hz,
            min_period,
            max_period,
            autocorrelation: Autocorrelation::new(n_frame, max_period + 1),
            sums: vec![0.0; max_period + 1],
            difference: vec![0.0; max_period + 1],
        }
    }

    /// The periods sought, samples.
    pub fn periods(&self) -> RangeInclusive<usize> {
        self.min_period..=self.max_period
    }

    /// The last frame's, `[max_period + 1]`.
    pub fn last(&self) -> &[f32] {
        &self.difference
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
        let energy = correlation[0];
        // Of the samples that have a partner `lag` earlier.
        let mut late = energy;
        let mut sum = 0.0f32;
        self.difference[0] = 1.0;
        self.sums[0] = 1.0;
        for lag in 1..=self.max_period {
            late -= frame[lag - 1] * frame[lag - 1];
            let difference = (energy + late - 2.0 * correlation[lag]).max(0.0);
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

/// Writes the lags of all troughs, in order, and gives their number; `lags` has
/// room for one more than there can be.
pub(super) fn find_troughs(
    d: &[f32],
    periods: &RangeInclusive<usize>,
    lags: &mut [usize],
) -> usize {
    let (first, last) = (*periods.start(), *periods.end());
    lags[0] = first;
    let mut n = usize::from(is_trough(d, first, periods));
    // Without a branch: in noise it would be guessed wrong at every trough.
    for (i, around) in d[first..=last].windows(3).enumerate() {
        lags[n] = first + 1 + i;
        n += usize::from((around[1] < around[0]) & (around[1] <= around[2]));
    }
    lags[n] = last;
    n + usize::from(is_trough(d, last, periods))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troughs_are_found_one_by_one() {
        let d: Vec<f32> = (0..90)
            .map(|i| ((i * i) as f32 * 0.21).sin().max(-0.8))
            .collect();
        for periods in [1..=40, 7..=88, 30..=31, 12..=89] {
            let expected: Vec<usize> = periods
                .clone()
                .filter(|t| is_trough(&d, *t, &periods))
                .collect();
            let mut lags = vec![0; (periods.end() - periods.start()) / 2 + 2];
            let n = find_troughs(&d, &periods, &mut lags);
            assert_eq!(lags[..n], expected);
        }
    }

    #[test]
    fn equals_the_sums_written_out() {
        let frame: Vec<f32> = (0..64).map(|i| ((i * i) as f32 * 0.05).sin()).collect();
        let mut planned = Difference::new(64, 1_000, 40.0, 500.0);
        let actual = planned.normalised(&frame).to_vec();
        let mut sum = 0.0;
        for lag in 1..=25 {
            let pairs = (0..64 - lag).map(|i| (frame[i] - frame[i + lag]).powi(2));
            let alone = frame[64 - lag..].iter().map(|s| s * s).sum::<f32>();
            let d = pairs.sum::<f32>() + alone;
            sum += d;
            let expected = d * lag as f32 / sum;
            assert!((actual[lag] - expected).abs() < 1e-4, "lag {lag}");
        }
    }
}
