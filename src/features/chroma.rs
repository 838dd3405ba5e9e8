//! Energy of the twelve pitch classes, C first.

use crate::dsp::bin_frequencies_hz;

/// Smallest normal `f32`: librosa leaves a frame alone whose norm is below.
const TINY: f32 = f32::MIN_POSITIVE;

/// Pitch classes of an octave.
const N_CLASSES: usize = 12;

/// The bank of `librosa.filters.chroma` (centre octave 5, width two octaves,
/// columns of unit Euclidean norm) applied as `librosa.feature.chroma_stft`
/// does: to the power, each frame divided by its maximum.
#[derive(Clone, Debug)]
pub struct Chroma {
    /// Weights of the classes for each bin, `[n_bins]`: all classes take one
    /// bin at a time, side by side.
    bank: Vec<[f32; N_CLASSES]>,
}

impl Chroma {
    /// Plans the bank for spectra of `n_fft` samples, where A4 is `tuning`
    /// semitones (within ±0.5) from 440 Hz.
    pub fn new(n_fft: usize, rate_hz: u32, tuning: f64) -> Chroma {
        let n_bins = n_fft / 2 + 1;
        let a0_hz = 27.5 * (tuning / 12.0).exp2();
        // In semitones above A0.
        let mut position: Vec<f64> = bin_frequencies_hz(2 * n_fft, 2 * rate_hz)
            .iter()
            .take(n_fft)
            .map(|hz| 12.0 * (hz / a0_hz).log2())
            .collect();
        // The 0 Hz bin is put one and a half octaves below the first.
        position[0] = position[1] - 18.0;
        let mut bank = vec![[0.0; N_CLASSES]; n_bins];
        for (k, weights) in bank.iter_mut().enumerate() {
            let width = if k + 1 < n_fft {
                (position[k + 1] - position[k]).max(1.0)
            } else {
                1.0
            };
            let mut column = [0.0f64; N_CLASSES];
            for (class, value) in column.iter_mut().enumerate() {
                let distance = (position[k] - class as f64 + 6.0 + 120.0).rem_euclid(12.0) - 6.0;
                *value = (-0.5 * (2.0 * distance / width).powi(2)).exp();
            }
            let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            let octave = (-0.5 * ((position[k] / 12.0 - 5.0) / 2.0).powi(2)).exp();
            for (class, value) in column.iter().enumerate() {
                // librosa's bank starts at A; three up is C.
                weights[(class + 9) % N_CLASSES] = (value / norm * octave) as f32;
            }
        }
        Chroma { bank }
    }

    /// Writes the twelve classes, `0..=1`, of one power spectrum `[n_bins]`.
    pub fn apply(&self, power: &[f32], classes: &mut [f32]) {
        let mut sums = [0.0f32; N_CLASSES];
        for (p, weights) in power.iter().zip(&self.bank) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight * p;
            }
        }
        let max = sums.iter().copied().fold(0.0, f32::max);
        let scale = if max >= TINY { max } else { 1.0 };
        for (class, sum) in classes.iter_mut().zip(&sums) {
            *class = sum / scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::Spectrum;
    use std::f64::consts::TAU;

    #[test]
    fn a440_is_an_a_and_middle_c_a_c() {
        for (hz, class) in [(440.0, 9), (880.0, 9), (523.25, 0)] {
            let frame: Vec<f32> = (0..2_048)
                .map(|i| (TAU * hz * i as f64 / 16_000.0).sin() as f32)
                .collect();
            let mut spectrum = Spectrum::new(2_048);
            let mut power = vec![0.0; 1_025];
            spectrum.power(&frame, &mut power);
            let mut classes = [0.0; 12];
            Chroma::new(2_048, 16_000, 0.0).apply(&power, &mut classes);
            assert_eq!(classes[class], 1.0, "{hz} Hz: {classes:?}");
            // Tuned down by 0.4 semitones, the same tone lies between two keys.
            Chroma::new(2_048, 16_000, -0.4).apply(&power, &mut classes);
            assert_eq!(classes[class], 1.0, "{hz} Hz: {classes:?}");
            assert!(classes[(class + 1) % 12] > 0.3, "{hz} Hz: {classes:?}");
        }
    }
}
