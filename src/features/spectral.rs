//! The spectrum's shape in a few numbers, each as librosa 0.11 defines it.

use crate::dsp::{POWER_FLOOR, lanes, ln};

/// Where the magnitude's centre of gravity lies and how far it spreads, both
/// hertz, `0..=8000`: `librosa.feature.spectral_centroid`, and
/// `spectral_bandwidth` with `p = 2`. Zero for a silent frame. `magnitude` and
/// `bins_hz` are `[n_bins]`.
pub fn centroid_and_bandwidth_hz(magnitude: &[f32], bins_hz: &[f32]) -> (f32, f32) {
    let total = lanes::sum(magnitude, |m| m);
    if total < f32::MIN_POSITIVE {
        return (0.0, 0.0);
    }
    let centroid = lanes::sum2(magnitude, bins_hz, |m, hz| m * hz) / total;
    let spread = lanes::sum2(magnitude, bins_hz, |m, hz| {
        m * (hz - centroid) * (hz - centroid)
    });
    (centroid, (spread / total).sqrt())
}

/// The lowest bin up to which 85 % of the magnitude lies, hertz, `0..=8000`:
/// `librosa.feature.spectral_rolloff`. Zero for a silent frame. `magnitude`
/// and `bins_hz` are `[n_bins]`.
pub fn rolloff_hz(magnitude: &[f32], bins_hz: &[f32]) -> f32 {
    // In 64 bits: rounding alone would move some frames by a bin.
    let threshold = 0.85 * magnitude.iter().map(|m| f64::from(*m)).sum::<f64>();
    let mut sum = 0.0;
    for (m, hz) in magnitude.iter().zip(bins_hz) {
        sum += f64::from(*m);
        if sum >= threshold {
            return *hz;
        }
    }
    bins_hz.last().copied().unwrap_or(0.0)
}

/// Geometric over arithmetic mean of the power `[n_bins]`, each bin at least
/// 1e-10; `0..=1`, one for white noise and for silence:
/// `librosa.feature.spectral_flatness`.
pub fn flatness(power: &[f32]) -> f32 {
    let n = power.len() as f32;
    let log_mean = lanes::sum(power, |p| ln(p.max(POWER_FLOOR))) / n;
    let mean = lanes::sum(power, |p| p.max(POWER_FLOOR)) / n;
    log_mean.exp() / mean
}

/// Mean over the bands of how many decibels each rose since the last frame,
/// zero or more; `[n_mels]` each. It is `librosa.onset.onset_strength` before
/// that shifts its result to the frames' middle.
pub fn flux_db(previous_db: &[f32], current_db: &[f32]) -> f32 {
    let rise = lanes::sum2(previous_db, current_db, |a, b| (b - a).max(0.0));
    rise / current_db.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bin_is_its_own_centre_and_noise_is_flat() {
        let bins_hz: Vec<f32> = (0..201).map(|k| 40.0 * k as f32).collect();
        let mut magnitude = vec![0.0; 201];
        magnitude[50] = 2.0;
        let shape = centroid_and_bandwidth_hz(&magnitude, &bins_hz);
        assert_eq!(shape, (2_000.0, 0.0));
        assert_eq!(rolloff_hz(&magnitude, &bins_hz), 2_000.0);
        assert!(flatness(&magnitude) < 1e-3);
        assert!((flatness(&[3.0; 201]) - 1.0).abs() < 1e-4);
        assert_eq!(flux_db(&[0.0, 0.0], &[4.0, -4.0]), 2.0);
    }
}
