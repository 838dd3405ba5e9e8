//! The spectrum's shape in a few numbers, each as librosa 0.11 defines it.

/// `amin` of `librosa.feature.spectral_flatness` and of `power_to_db`.
const FLOOR: f32 = 1e-10;

/// Where the magnitude's centre of gravity lies and how far it spreads, both
/// hertz: `spectral_centroid`, and `spectral_bandwidth` with `p = 2`. Zero for
/// a silent frame. `power` and `bins_hz` are `[n_bins]`.
pub fn centroid_and_bandwidth_hz(power: &[f32], bins_hz: &[f32]) -> (f32, f32) {
    let total: f32 = power.iter().map(|p| p.sqrt()).sum();
    if total < f32::MIN_POSITIVE {
        return (0.0, 0.0);
    }
    let centroid = power
        .iter()
        .zip(bins_hz)
        .map(|(p, hz)| p.sqrt() * hz)
        .sum::<f32>()
        / total;
    let spread = power
        .iter()
        .zip(bins_hz)
        .map(|(p, hz)| p.sqrt() * (hz - centroid).powi(2))
        .sum::<f32>();
    (centroid, (spread / total).sqrt())
}

/// The lowest bin up to which 85 % of the magnitude lies, hertz:
/// `spectral_rolloff`. Zero for a silent frame.
pub fn rolloff_hz(power: &[f32], bins_hz: &[f32]) -> f32 {
    let threshold = 0.85 * power.iter().map(|p| p.sqrt()).sum::<f32>();
    let mut sum = 0.0;
    for (p, hz) in power.iter().zip(bins_hz) {
        sum += p.sqrt();
        if sum >= threshold {
            return *hz;
        }
    }
    bins_hz.last().copied().unwrap_or(0.0)
}

/// Geometric over arithmetic mean of the power, `0..=1`, one for white noise:
/// `spectral_flatness`.
pub fn flatness(power: &[f32]) -> f32 {
    let n = power.len() as f32;
    let log_mean = power.iter().map(|p| p.max(FLOOR).ln()).sum::<f32>() / n;
    let mean = power.iter().map(|p| p.max(FLOOR)).sum::<f32>() / n;
    log_mean.exp() / mean
}

/// Decibels of a power, `10·log10`, with a floor of 1e-10:
/// `power_to_db(ref=1.0, top_db=None)`.
pub fn power_to_db(power: f32) -> f32 {
    10.0 * power.max(FLOOR).log10()
}

/// Mean over the bands of how many decibels each rose since the last frame;
/// `[n_mels]` each.
pub fn flux_db(previous_db: &[f32], current_db: &[f32]) -> f32 {
    let rise: f32 = previous_db
        .iter()
        .zip(current_db)
        .map(|(a, b)| (b - a).max(0.0))
        .sum();
    rise / current_db.len() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bin_is_its_own_centre_and_noise_is_flat() {
        let bins_hz: Vec<f32> = (0..201).map(|k| 40.0 * k as f32).collect();
        let mut power = vec![0.0; 201];
        power[50] = 4.0;
        assert_eq!(centroid_and_bandwidth_hz(&power, &bins_hz), (2_000.0, 0.0));
        assert_eq!(rolloff_hz(&power, &bins_hz), 2_000.0);
        assert!(flatness(&power) < 1e-3);
        assert!((flatness(&[3.0; 201]) - 1.0).abs() < 1e-4);
        assert_eq!(flux_db(&[0.0, 0.0], &[4.0, -4.0]), 2.0);
    }
}
