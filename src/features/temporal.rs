//! What is read from the samples themselves.

use crate::dsp::lanes;

/// Magnitude below which librosa takes a sample for zero.
const ZERO: f32 = 1e-10;

/// Share of samples whose sign differs from the one before, `0..=1`:
/// `librosa.feature.zero_crossing_rate`. A sample within 1e-10 of zero counts
/// as positive; the first has nothing before it and never counts. `frame` is
/// what the recording holds of a frame of `n_frame` samples: librosa repeats
/// the edge beyond it, which never crosses zero.
pub fn zero_crossing_rate(frame: &[f32], n_frame: usize) -> f32 {
    let crossings = frame
        .windows(2)
        .filter(|pair| (pair[0] < -ZERO) != (pair[1] < -ZERO))
        .count();
    crossings as f32 / n_frame as f32
}

/// Mean square of a frame, full scale 1; its root is `librosa.feature.rms`.
pub fn mean_square(frame: &[f32]) -> f32 {
    lanes::sum(frame, |s| s * s) / frame.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    #[test]
    fn a_sine_crosses_twice_a_period_and_has_half_its_square() {
        let frame: Vec<f32> = (0..1_600)
            .map(|i| (TAU * 100.0 * i as f32 / 16_000.0 + 0.1).sin())
            .collect();
        assert!((zero_crossing_rate(&frame, 1_600) - 20.0 / 1_600.0).abs() < 1e-3);
        assert!((mean_square(&frame) - 0.5).abs() < 1e-3);
        assert_eq!(zero_crossing_rate(&[0.0, -1e-11, 0.0], 3), 0.0);
    }
}
