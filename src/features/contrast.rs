//! How far the peaks of each octave stand above its valleys.

use crate::dsp::{bin_frequencies_hz, lanes, power_to_db};
use std::ops::Range;

/// `librosa.feature.spectral_contrast` (Jiang et al. 2002): magnitude, lowest
/// edge 200 Hz, six octaves and what lies below, quantile 0.02, decibels of
/// peak over valley with a floor of 1e-10. As librosa does, the *magnitudes*
/// go through `power_to_db`, so that these decibels are half of the usual
/// ones.
#[derive(Clone, Debug)]
pub struct Contrast {
    bands: Vec<Band>,
    weakest: Vec<Lanes>,
    strongest: Vec<Lanes>,
}

/// The best so far of every eighth value, side by side.
type Lanes = [f32; N_LANES];
const N_LANES: usize = 8;

#[derive(Clone, Debug)]
struct Band {
    bins: Range<usize>,
    n_quantile: usize,
}

/// Bands: what lies below the lowest edge, and six octaves.
pub const N_BANDS: usize = 7;
const LOWEST_EDGE_HZ: f64 = 200.0;
const QUANTILE: f64 = 0.02;
/// Magnitudes weaker than this share of the frame's strongest, −120 dB, count
/// as it: what lies there is the samples' own rounding, which differs from
/// machine to machine. No 16-bit recording reaches below; the empty top of one
/// that was resampled does.
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
        let bands: Vec<Band> = (0..N_BANDS)
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
                let last = k + 1 == N_BANDS;
                if k > 0 {
                    first = first.saturating_sub(1);
                }
                if last {
                    end = bins_hz.len();
                }
                let n_counted = end.saturating_sub(first).max(1);
                if !last && end > first + 1 {
                    end -= 1;
                }
                let wanted = ((QUANTILE * n_counted as f64).round_ties_even() as usize).max(1);
                Band {
                    n_quantile: wanted.min(end - first),
                    bins: first..end,
                }
            })
            .collect();
        let most = bands.iter().map(|b| b.n_quantile).max().unwrap_or(1);
        Contrast {
            bands,
            weakest: vec![[0.0; N_LANES]; most],
            strongest: vec![[0.0; N_LANES]; most],
        }
    }

    /// Writes each band's peak and valley, decibels, of one magnitude spectrum
    /// `[n_bins]`; `[7]` each.
    pub fn peaks_and_valleys_db(
        &mut self,
        magnitude: &[f32],
        peaks: &mut [f32],
        valleys: &mut [f32],
    ) {
        // Of a size that vectors take whole, to be logarithms at once.
        let mut powers = [[1.0; N_BANDS + 1]; 2];
        for (k, band) in self.bands.iter().enumerate() {
            let magnitude = &magnitude[band.bins.clone()];
            let strongest = &mut self.strongest[..band.n_quantile];
            powers[0][k] = mean_of_best(magnitude, strongest, f32::NEG_INFINITY, |a, b| a > b);
            let weakest = &mut self.weakest[..band.n_quantile];
            powers[1][k] = mean_of_best(magnitude, weakest, f32::INFINITY, |a, b| a < b);
        }
        powers
            .as_flattened_mut()
            .iter_mut()
            .for_each(|p| *p = power_to_db(*p));
        peaks.copy_from_slice(&powers[0][..N_BANDS]);
        valleys.copy_from_slice(&powers[1][..N_BANDS]);
    }

    /// Writes the seven contrasts, decibels, zero or more, of one magnitude
    /// spectrum `[n_bins]`, without librosa's limit relative to the clip but
    /// with one 120 dB below the frame's strongest bin.
    pub fn apply(&mut self, magnitude: &[f32], contrasts: &mut [f32]) {
        let mut valleys = [0.0; N_BANDS];
        self.peaks_and_valleys_db(magnitude, contrasts, &mut valleys);
        let floor_db = power_to_db(RESOLUTION * lanes::max(magnitude));
        for (contrast, valley) in contrasts.iter_mut().zip(&valleys) {
            *contrast = contrast.max(floor_db) - valley.max(floor_db);
        }
    }
}

/// Mean of the `best.len()` best of the values, of which there are at least as
/// many; `worst` loses to every one. Lanes sort what they see into `best` by
/// exchanges without a branch, which runs in vectors.
fn mean_of_best(
    values: &[f32],
    best: &mut [Lanes],
    worst: f32,
    better: impl Fn(f32, f32) -> bool,
) -> f32 {
    best.fill([worst; N_LANES]);
    let chunks = values.chunks_exact(N_LANES);
    let mut last = [worst; N_LANES];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    let chunks = chunks.map(|chunk| {
        let mut lanes = [0.0; N_LANES];
        lanes.copy_from_slice(chunk);
        lanes
    });
    let sort = |places: &mut [Lanes], mut lanes: Lanes| {
        for place in places {
            for (kept, new) in place.iter_mut().zip(&mut lanes) {
                let (old, value) = (*kept, *new);
                let wins = better(value, old);
                *kept = if wins { value } else { old };
                *new = if wins { old } else { value };
            }
        }
    };
    chunks.chain([last]).for_each(|lanes| sort(best, lanes));
    // The upper half of the lanes into the lower, until one lane has it all.
    let mut n_lanes = N_LANES;
    while n_lanes > 1 {
        n_lanes /= 2;
        for i in 0..best.len() {
            let mut lanes = [worst; N_LANES];
            lanes[..n_lanes].copy_from_slice(&best[i][n_lanes..2 * n_lanes]);
            sort(&mut best[i..], lanes);
        }
    }
    best.iter().map(|lanes| lanes[0]).sum::<f32>() / best.len() as f32
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
        let mut magnitude = vec![1.0; 201];
        magnitude[100] = 100.0;
        let mut contrasts = [0.0; 7];
        let mut planned = Contrast::new(400, 16_000);
        planned.apply(&magnitude, &mut contrasts);
        let n = planned.bands[5].n_quantile as f32;
        let expected = 10.0 * ((100.0 + (n - 1.0)) / n).log10();
        assert!((contrasts[5] - expected).abs() < 1e-4);
        assert_eq!(contrasts[3], 0.0);
    }

    #[test]
    fn the_extremes_are_those_of_a_sorted_band() {
        let values: Vec<f32> = (0..500u32).map(|i| (i * 7_919 % 500) as f32).collect();
        for n in 1..=12 {
            let mut sorted = values[..60].to_vec();
            sorted.sort_by(f32::total_cmp);
            let mean = |best: &[f32]| best.iter().sum::<f32>() / n as f32;
            let mut best = vec![[0.0; N_LANES]; n];
            let low = mean_of_best(&values[..60], &mut best, f32::INFINITY, |a, b| a < b);
            let high = mean_of_best(&values[..60], &mut best, f32::NEG_INFINITY, |a, b| a > b);
            assert!((low - mean(&sorted[..n])).abs() < 1e-3);
            assert!((high - mean(&sorted[60 - n..])).abs() < 1e-3);
        }
    }
}
