//! YIN's own choice of a period (de Cheveigné and Kawahara 2002).

use super::difference::{is_trough, parabolic_shift};
use std::ops::RangeInclusive;

/// Threshold of the first trough taken, as `librosa.yin`.
const TROUGH: f32 = 0.1;

/// The period that `librosa.yin` takes: the first trough below 0.1, or else
/// the deepest lag, refined by a parabola; samples. `d` is a normalised
/// difference that reaches to the end of `periods`.
pub fn period_samples(d: &[f32], periods: &RangeInclusive<usize>) -> f32 {
    let period = periods
        .clone()
        .find(|t| d[*t] < TROUGH && is_trough(d, *t, periods))
        .unwrap_or_else(|| deepest(d, periods));
    period as f32 + parabolic_shift(d, period, periods)
}

/// The first of the lowest lags.
fn deepest(d: &[f32], periods: &RangeInclusive<usize>) -> usize {
    let mut best = *periods.start();
    for t in periods.clone() {
        if d[t] < d[best] {
            best = t;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::Difference;
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn finds_the_pitch_of_tones_within_one_percent() {
        let mut difference = Difference::new(1_024, 16_000, 60.0, 600.0);
        for hz in [75.0, 110.0, 150.0, 233.0, 400.0, 550.0] {
            let frame: Vec<f32> = (0..1_024)
                .map(|i| {
                    let t = i as f64 / 16_000.0;
                    ((TAU * hz * t).sin() + 0.5 * (TAU * 2.0 * hz * t).sin()) as f32
                })
                .collect();
            let periods = difference.periods();
            let period = period_samples(difference.normalised(&frame), &periods);
            let f0_hz = 16_000.0 / f64::from(period);
            assert!((f0_hz / hz - 1.0).abs() < 0.01, "{hz} Hz gave {f0_hz}");
        }
    }
}
