//! The spectrum that Whisper reads.

use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{MelBank, Spectrum};

/// Window of the transform, samples.
const N_FFT: usize = 400;
/// Step between frames, samples.
const HOP: usize = 160;
/// Smallest power, before the logarithm.
const MIN_POWER: f32 = 1e-10;
/// What lies so many powers of ten below the loudest band is raised to there.
const RANGE: f32 = 8.0;

/// Log-mel frames as `WhisperFeatureExtractor` of transformers makes them: the
/// waveform at zero mean and unit variance, periodic Hann, reflected ends, the
/// last frame dropped, Slaney's mel bands of the power, log₁₀.
#[derive(Clone)]
pub struct LogMel {
    spectrum: Spectrum,
    bank: MelBank,
    power: Vec<f32>,
}

impl LogMel {
    /// Plans `n_mels` bands.
    pub fn new(n_mels: usize) -> LogMel {
        let spectrum = Spectrum::new(N_FFT);
        LogMel {
            power: vec![0.0; spectrum.n_bins()],
            bank: MelBank::new(n_mels, N_FFT, SAMPLE_RATE_HZ),
            spectrum,
        }
    }

    /// Frames `[samples / 160, n_mels]`; zeros follow samples too few for a
    /// window.
    pub fn frames(&mut self, samples: &[f32]) -> Vec<f32> {
        let n_mels = self.bank.n_mels();
        let n = samples.len().max(N_FFT);
        let padded = reflected(&standardised(samples), n);
        let n_frames = n / HOP;
        let mut frames = vec![0.0; n_frames * n_mels];
        let mut largest = f32::NEG_INFINITY;
        for (t, bands) in frames.chunks_exact_mut(n_mels).enumerate() {
            let window = &padded[t * HOP..t * HOP + N_FFT];
            self.spectrum.power(window, &mut self.power);
            self.bank.apply(&self.power, bands);
            for band in bands {
                *band = band.max(MIN_POWER).log10();
                largest = largest.max(*band);
            }
        }
        for band in &mut frames {
            *band = (band.max(largest - RANGE) + 4.0) / 4.0;
        }
        frames
    }
}

fn standardised(samples: &[f32]) -> Vec<f32> {
    let n = samples.len().max(1) as f64;
    let mean = samples.iter().map(|s| f64::from(*s)).sum::<f64>() / n;
    let variance = samples
        .iter()
        .map(|s| (f64::from(*s) - mean).powi(2))
        .sum::<f64>()
        / n;
    let deviation = (variance + 1e-7).sqrt();
    samples
        .iter()
        .map(|s| ((f64::from(*s) - mean) / deviation) as f32)
        .collect()
}

/// Half a window mirrored before the first sample and after the `n`-th; the
/// outermost samples are not repeated.
fn reflected(samples: &[f32], n: usize) -> Vec<f32> {
    const HALF: usize = N_FFT / 2;
    let at = |i: usize| samples.get(i).copied().unwrap_or(0.0);
    let before = (1..=HALF).rev().map(at);
    let after = (n - 1 - HALF..n - 1).rev().map(at);
    before.chain((0..n).map(at)).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_mirrored() {
        let samples: Vec<f32> = (0..500).map(|i| i as f32).collect();
        let padded = reflected(&samples, 500);
        assert_eq!(padded.len(), 900);
        assert_eq!(padded[199..203], [1.0, 0.0, 1.0, 2.0]);
        assert_eq!(padded[698..702], [498.0, 499.0, 498.0, 497.0]);
        assert_eq!(padded[899], 299.0);
    }

    #[test]
    fn silence_is_finite() {
        let frames = LogMel::new(80).frames(&[0.0; 1_000]);
        assert_eq!(frames.len(), 6 * 80);
        assert!(frames.iter().all(|v| *v == -1.5));
    }
}
