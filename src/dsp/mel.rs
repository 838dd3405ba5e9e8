//! The mel filter bank of Slaney's Auditory Toolbox, librosa's default.

use super::{bin_frequencies_hz, lanes};

/// Hertz to mel: linear below 1 kHz (3 mel per 200 Hz), logarithmic above
/// (27 mel per factor of 6.4); `librosa.hz_to_mel(htk=False)`.
pub fn hz_to_mel(hz: f64) -> f64 {
    if hz < MIN_LOG_HZ {
        hz / LINEAR_STEP_HZ
    } else {
        MIN_LOG_MEL + (hz / MIN_LOG_HZ).ln() / log_step()
    }
}

/// The inverse of [`hz_to_mel`].
pub fn mel_to_hz(mel: f64) -> f64 {
    if mel < MIN_LOG_MEL {
        mel * LINEAR_STEP_HZ
    } else {
        MIN_LOG_HZ * ((mel - MIN_LOG_MEL) * log_step()).exp()
    }
}

const LINEAR_STEP_HZ: f64 = 200.0 / 3.0;
const MIN_LOG_HZ: f64 = 1_000.0;
const MIN_LOG_MEL: f64 = MIN_LOG_HZ / LINEAR_STEP_HZ;

fn log_step() -> f64 {
    6.4f64.ln() / 27.0
}

/// Triangular filters of equal area (Slaney's normalisation), each stored as
/// the run of bins where it is not zero; `librosa.filters.mel`.
#[derive(Clone, Debug)]
pub struct MelBank {
    rows: Vec<Row>,
    n_bins: usize,
}

#[derive(Clone, Debug)]
struct Row {
    first_bin: usize,
    weights: Vec<f32>,
}

impl MelBank {
    /// `n_mels` filters from 0 Hz to half of `rate_hz`, over the spectrum of
    /// `n_fft` samples.
    pub fn new(n_mels: usize, n_fft: usize, rate_hz: u32) -> MelBank {
        let bins_hz = bin_frequencies_hz(n_fft, rate_hz);
        let top = hz_to_mel(f64::from(rate_hz) / 2.0);
        let edges_hz: Vec<f64> = (0..n_mels + 2)
            .map(|i| mel_to_hz(top * i as f64 / (n_mels + 1) as f64))
            .collect();
        let rows = (0..n_mels)
            .map(|m| {
                let (low, centre, high) = (edges_hz[m], edges_hz[m + 1], edges_hz[m + 2]);
                let weight = |hz: f64| {
                    let rise = (hz - low) / (centre - low);
                    let fall = (high - hz) / (high - centre);
                    rise.min(fall).max(0.0) * 2.0 / (high - low)
                };
                let first_bin = bins_hz.iter().position(|hz| weight(*hz) > 0.0).unwrap_or(0);
                let weights = bins_hz[first_bin..]
                    .iter()
                    .map(|hz| weight(*hz) as f32)
                    .take_while(|w| *w > 0.0)
                    .collect();
                Row { first_bin, weights }
            })
            .collect();
        MelBank {
            rows,
            n_bins: bins_hz.len(),
        }
    }

    /// How many bands.
    pub fn n_mels(&self) -> usize {
        self.rows.len()
    }

    /// Sums a spectrum `[n_bins]` into bands `[n_mels]`.
    ///
    /// # Panics
    /// If either length differs.
    pub fn apply(&self, spectrum: &[f32], bands: &mut [f32]) {
        assert_eq!(spectrum.len(), self.n_bins, "bins");
        assert_eq!(bands.len(), self.rows.len(), "bands");
        for (band, row) in bands.iter_mut().zip(&self.rows) {
            let bins = &spectrum[row.first_bin..row.first_bin + row.weights.len()];
            *band = lanes::sum2(bins, &row.weights, |s, w| s * w);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_has_its_published_points() {
        assert!((hz_to_mel(1_000.0) - 15.0).abs() < 1e-12);
        assert!((hz_to_mel(6_400.0) - 42.0).abs() < 1e-9);
        for hz in [0.0, 333.0, 999.0, 1_001.0, 7_999.0] {
            assert!((mel_to_hz(hz_to_mel(hz)) - hz).abs() < 1e-8);
        }
    }

    #[test]
    fn filters_are_triangles_of_unit_area() {
        let bank = MelBank::new(20, 4_096, 16_000);
        let bin_hz = 16_000.0 / 4_096.0;
        for row in &bank.rows {
            let area: f32 = row.weights.iter().sum::<f32>() * bin_hz;
            assert!((area - 1.0).abs() < 0.01, "{area}");
        }
    }
}
