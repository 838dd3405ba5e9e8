//! How steeply a voice's spectrum falls.

use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{hz_to_mel, mel_to_hz};

/// Where the line is fitted: from about the voice's fundamental to where
/// telephones and codecs still pass.
const LOWEST_HZ: f64 = 100.0;
const HIGHEST_HZ: f64 = 5_000.0;

/// Slope, decibels an octave, of the line of least squares through the mean
/// power of mel bands over the logarithm of their centres' frequency; `None`
/// without frames. `frames` are mel bands, decibels, `[n_mels]` each, of equal
/// area, so that they are densities and white noise has no slope.
pub fn db_per_octave<'a>(frames: impl Iterator<Item = &'a [f32]>) -> Option<f32> {
    let mut power: Vec<f64> = Vec::new();
    for frame in frames {
        power.resize(frame.len(), 0.0);
        for (sum, db) in power.iter_mut().zip(frame) {
            *sum += 10f64.powf(f64::from(*db) / 10.0);
        }
    }
    let top = hz_to_mel(f64::from(SAMPLE_RATE_HZ) / 2.0);
    let centre_hz = |band: usize| mel_to_hz(top * (band + 1) as f64 / (power.len() + 1) as f64);
    let points: Vec<(f64, f64)> = (0..power.len())
        .filter(|band| (LOWEST_HZ..=HIGHEST_HZ).contains(&centre_hz(*band)))
        .map(|band| (centre_hz(band).log2(), 10.0 * power[band].log10()))
        .collect();
    let n = points.len() as f64;
    let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|p| p.1).sum::<f64>() / n;
    let moments = points.iter().map(|(x, y)| {
        let off = x - mean_x;
        (off * (y - mean_y), off * off)
    });
    let (xy, xx) = moments.fold((0.0, 0.0), |m, p| (m.0 + p.0, m.1 + p.1));
    (xx > 0.0).then(|| (xy / xx) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_slope_that_was_put_in() {
        let top = hz_to_mel(8_000.0);
        let bands: Vec<f32> = (1..=64)
            .map(|i| -12.0 * mel_to_hz(top * f64::from(i) / 65.0).log2() as f32)
            .collect();
        let slope = db_per_octave([&bands[..], &bands[..]].into_iter()).expect("a slope");
        assert!((slope + 12.0).abs() < 1e-3, "{slope}");
        assert_eq!(db_per_octave(std::iter::empty()), None);
    }
}
