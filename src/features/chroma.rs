//! Energy of the twelve pitch classes, C first.

use crate::dsp::bin_frequencies_hz;

/// Smallest normal `f32`: librosa leaves a frame alone whose norm is below.
const TINY: f32 = f32::MIN_POSITIVE;

/// The bank of `librosa.filters.chroma` (tuning 0, centre octave 5, width two
/// octaves, columns of unit Euclidean norm) applied as
/// `librosa.feature.chroma_stft` does: to the power, each frame divided by its
/// maximum.
#[derive(Clone, Debug)]
pub struct Chroma {
    /// `[12, n_bins]`, row-major.
    bank: Vec<f32>,
    n_bins: usize,
}

impl Chroma {
    /// Plans the bank for spectra of `n_fft` samples.
    pub fn new(n_fft: usize, rate_hz: u32) -> Chroma {
        let n_bins = n_fft / 2 + 1;
        // In semitones above A0 − … as librosa counts: 12·log2(f / 27.5 Hz).
        let mut position: Vec<f64> = bin_frequencies_hz(2 * n_fft, 2 * rate_hz)
            .iter()
            .take(n_fft)
            .map(|hz| 12.0 * (hz / 27.5).log2())
            .collect();
        // The 0 Hz bin is put one and a half octaves below the first.
        position[0] = position[1] - 18.0;
        let mut bank = vec![0.0; 12 * n_bins];
        for k in 0..n_bins {
            let width = if k + 1 < n_fft {
                (position[k + 1] - position[k]).max(1.0)
            } else {
                1.0
            };
            let mut column = [0.0f64; 12];
            for (class, value) in column.iter_mut().enumerate() {
                let distance = (position[k] - class as f64 + 6.0 + 120.0).rem_euclid(12.0) - 6.0;
                *value = (-0.5 * (2.0 * distance / width).powi(2)).exp();
            }
            let norm = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            let octave = (-0.5 * ((position[k] / 12.0 - 5.0) / 2.0).powi(2)).exp();
            for (class, value) in column.iter().enumerate() {
                // librosa's bank starts at A; three up is C.
                let row = (class + 9) % 12;
                bank[row * n_bins + k] = (value / norm * octave) as f32;
            }
        }
        Chroma { bank, n_bins }
    }

    /// Writes the twelve classes of one power spectrum `[n_bins]`.
    pub fn apply(&self, power: &[f32], classes: &mut [f32]) {
        for (class, row) in classes.iter_mut().zip(self.bank.chunks_exact(self.n_bins)) {
            *class = row.iter().zip(power).map(|(w, p)| w * p).sum();
        }
        let max = classes.iter().copied().fold(0.0, f32::max);
        if max >= TINY {
            classes.iter_mut().for_each(|c| *c /= max);
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
            Chroma::new(2_048, 16_000).apply(&power, &mut classes);
            assert_eq!(classes[class], 1.0, "{hz} Hz: {classes:?}");
        }
    }
}
