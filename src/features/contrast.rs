//! How far the peaks of each octave stand above its valleys.

use crate::dsp::bin_frequencies_hz;
use std::ops::Range;

/// `librosa.feature.spectral_contrast` (Jiang et al. 2002): magnitude, lowest
/// edge 200 Hz, six octaves and what lies below, quantile 0.02, decibels of
/// peak over valley with a floor of 1e-10, no limit relative to the clip.
#[derive(Clone, Debug)]
pub struct Contrast {
    bands: Vec<Band>,
    sorted: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Band {
    bins: Range<usize>,
    n_quantile: usize,
}

/// Octave bands above the lowest edge.
const N_OCTAVES: usize = 6;
const LOWEST_EDGE_HZ: f64 = 200.0;
const QUANTILE: f64 = 0.02;
/// Magnitudes weaker than this share of the frame's strongest, −120 dB, count
/// as it: what a 32-bit transform leaves there is rounding noise, which differs
/// from machine to machine. No 16-bit recording reaches below; the empty top of
/// one that was resampled or compressed does.
const RESOLUTION: f32 = 1e-6;

impl Contrast {
    /// Plans the bands for spectra of `n_fft` samples.
    pub fn new(n_fft: usize, rate_hz: u32) -> Contrast {
        let bins_hz = bin_frequencies_hz(n_fft, rate_hz);
        let edge = |i: usize| {
            if i == 0 {
                0.0
            } else {
                LOWEST_EDGE_HZ * f64::from(1 << (i - 1))
            }
        };
        let bands = (0..=N_OCTAVES)
            .map(|k| {
                let mut first = bins_hz
                    .iter()
                    .position(|hz| *hz >= edge(k))
                    .unwrap_or(bins_hz.len() - 1);
                let mut end = bins_hz
                    .iter()
                    .rposition(|hz| *hz <= edge(k + 1))
                    .map_or(1, |i| i + 1);
                // librosa's bands overlap by one bin below, and the topmost
                // takes all that is left; every other one gives its last bin up
                // after its share of the quantile has been counted.
                if k > 0 {
                    first = first.saturating_sub(1);
                }
                if k == N_OCTAVES {
                    end = bins_hz.len();
                }
                let n_counted = end.saturating_sub(first).max(1);
                if k < N_OCTAVES && end > first + 1 {
                    end -= 1;
                }
                let n_quantile = ((QUANTILE * n_counted as f64).round_ties_even() as usize).max(1);
                Band {
                    bins: first..end,
                    n_quantile,
                }
            })
            .collect();
        Contrast {
            bands,
            sorted: Vec::with_capacity(bins_hz.len()),
        }
    }

    /// Writes the seven contrasts, decibels, of one power spectrum `[n_bins]`.
    pub fn apply(&mut self, power: &[f32], contrasts: &mut [f32]) {
        let strongest = power.iter().copied().fold(0.0, f32::max).sqrt();
        let floor = (RESOLUTION * strongest).max(1e-10);
        for (contrast, band) in contrasts.iter_mut().zip(&self.bands) {
            self.sorted.clear();
            self.sorted.extend_from_slice(&power[band.bins.clone()]);
            let n = band.n_quantile.min(self.sorted.len());
            self.sorted.sort_unstable_by(f32::total_cmp);
            let mean =
                |values: &[f32]| values.iter().map(|p| p.sqrt()).sum::<f32>() / values.len() as f32;
            let valley = mean(&self.sorted[..n]);
            let peak = mean(&self.sorted[self.sorted.len() - n..]);
            *contrast = 10.0 * (peak.max(floor).log10() - valley.max(floor).log10());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_octaves() {
        let contrast = Contrast::new(400, 16_000);
        let bins: Vec<_> = contrast.bands.iter().map(|b| b.bins.clone()).collect();
        assert_eq!(
            bins,
            [0..5, 4..10, 9..20, 19..40, 39..80, 79..160, 159..201]
        );
    }

    #[test]
    fn a_peak_of_a_hundred_is_twenty_decibels() {
        let mut power = vec![1.0; 201];
        power[100] = 10_000.0;
        let mut contrasts = [0.0; 7];
        let mut planned = Contrast::new(400, 16_000);
        planned.apply(&power, &mut contrasts);
        let n = planned.bands[5].n_quantile as f32;
        let expected = 10.0 * ((100.0 + (n - 1.0)) / n).log10();
        assert!((contrasts[5] - expected).abs() < 1e-4);
        assert_eq!(contrasts[3], 0.0);
    }
}
