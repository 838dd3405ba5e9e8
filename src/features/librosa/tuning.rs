//! How far a recording's tones lie from A4 = 440 Hz.

/// Gathers spectral peaks and finds where within a semitone most of them lie:
/// `librosa.estimate_tuning(S=power)`, with `piptrack`'s defaults (150 to
/// 4000 Hz, a tenth of the frame's maximum) and a resolution of one cent.
#[derive(Clone, Debug)]
pub struct Tuning {
    bin_hz: f64,
    /// Frequency, hertz, and height of every peak.
    peaks: Vec<(f64, f64)>,
}

const MIN_HZ: f64 = 150.0;
const MAX_HZ: f64 = 4_000.0;
const THRESHOLD: f32 = 0.1;
const N_CENTS: usize = 100;

impl Tuning {
    /// Starts with spectra of `n_fft` samples.
    pub fn new(n_fft: usize, rate_hz: u32) -> Tuning {
        Tuning {
            bin_hz: f64::from(rate_hz) / n_fft as f64,
            peaks: Vec::new(),
        }
    }

    /// Adds the peaks of one power spectrum `[n_bins]`.
    pub fn add(&mut self, power: &[f32]) {
        let floor = THRESHOLD * power.iter().copied().fold(0.0, f32::max);
        for k in 1..power.len() - 1 {
            let hz = k as f64 * self.bin_hz;
            // librosa sets what does not pass the floor to zero, and then asks.
            let rises = power[k] > floor && (power[k] > power[k - 1] || power[k - 1] <= floor);
            let falls = power[k] >= power[k + 1] || power[k + 1] <= floor;
            if !(MIN_HZ..MAX_HZ).contains(&hz) || !rises || !falls {
                continue;
            }
            let [before, here, after] = [power[k - 1], power[k], power[k + 1]].map(f64::from);
            let (curve, slope) = (after + before - 2.0 * here, (after - before) / 2.0);
            let shift = if slope.abs() >= curve.abs() {
                0.0
            } else {
                -slope / curve
            };
            let height = here + 0.5 * slope * shift;
            self.peaks.push((hz + shift * self.bin_hz, height));
        }
    }

    /// The deviation, semitones within −0.5..0.5, in steps of a cent; zero
    /// where there are no peaks.
    pub fn semitones(&self) -> f64 {
        let threshold = median(self.peaks.iter().map(|p| p.1).collect());
        let mut counts = [0u32; N_CENTS];
        for (hz, height) in &self.peaks {
            if *height >= threshold {
                // From the nearest key, plus a half: 0..1.
                let place = (12.0 * (hz / 27.5).log2() + 0.5).rem_euclid(1.0);
                counts[((place * N_CENTS as f64) as usize).min(N_CENTS - 1)] += 1;
            }
        }
        if self.peaks.is_empty() {
            return 0.0;
        }
        // The first of the highest, as numpy finds it.
        let highest = (0..N_CENTS).rev().max_by_key(|cent| counts[*cent]);
        highest.unwrap_or(0) as f64 / N_CENTS as f64 - 0.5
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => 0.0,
        n if n.is_multiple_of(2) => (values[n / 2 - 1] + values[n / 2]) / 2.0,
        n => values[n / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::Spectrum;
    use std::f64::consts::TAU;

    #[test]
    fn a_detuned_tone_shows_its_cents() {
        let mut spectrum = Spectrum::new(2_048);
        let mut power = vec![0.0; 1_025];
        for cents in [-30.0, 0.0, 21.0] {
            let mut tuning = Tuning::new(2_048, 16_000);
            let hz = 1_760.0 * f64::exp2(cents / 1_200.0);
            let frame: Vec<f32> = (0..2_048)
                .map(|i| (TAU * hz * i as f64 / 16_000.0).sin() as f32)
                .collect();
            spectrum.power(&frame, &mut power);
            tuning.add(&power);
            assert!((tuning.semitones() * 100.0 - cents).abs() <= 2.0, "{cents}");
        }
        assert_eq!(Tuning::new(2_048, 16_000).semitones(), 0.0);
    }
}
