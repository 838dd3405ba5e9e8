//! One frame's spectrum: windowed, transformed, squared.

use super::hann_periodic;
use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// A planned transform of one frame: a periodic Hann window and a real FFT of
/// the same length. Plan once, transform many; no allocation after planning.
///
/// Computed in 64 bits, as librosa does (its window is of 64 bits whatever the
/// samples are), and given in 32: in the valleys of a voice, 100 dB below its
/// peaks, a 32-bit transform is a twentieth of a decibel off.
#[derive(Clone)]
pub struct Spectrum {
    window: Vec<f64>,
    fft: Arc<dyn RealToComplex<f64>>,
    windowed: Vec<f64>,
    bins: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Spectrum {
    /// Plans frames of `n_fft` samples.
    pub fn new(n_fft: usize) -> Spectrum {
        let fft = RealFftPlanner::new().plan_fft_forward(n_fft);
        Spectrum {
            window: hann_periodic(n_fft),
            windowed: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// Samples a frame.
    pub fn n_fft(&self) -> usize {
        self.window.len()
    }

    /// Bins a spectrum, `n_fft / 2 + 1`.
    pub fn n_bins(&self) -> usize {
        self.bins.len()
    }

    /// Writes the power `|X[k]|²` of one frame, `[n_bins]`, unnormalised as in
    /// `numpy.abs(librosa.stft(y)) ** 2`.
    ///
    /// # Panics
    /// If `frame` is not `n_fft` long or `power` not `n_bins`.
    pub fn power(&mut self, frame: &[f32], power: &mut [f32]) {
        assert_eq!(frame.len(), self.window.len(), "frame length");
        assert_eq!(power.len(), self.bins.len(), "bins");
        for ((out, s), w) in self.windowed.iter_mut().zip(frame).zip(&self.window) {
            *out = f64::from(*s) * w;
        }
        self.fft
            .process_with_scratch(&mut self.windowed, &mut self.bins, &mut self.scratch)
            .expect("every buffer was made by this plan");
        for (p, bin) in power.iter_mut().zip(&self.bins) {
            *p = bin.norm_sqr() as f32;
        }
    }
}

/// Centre frequency of every bin, hertz, as `librosa.fft_frequencies`.
pub fn bin_frequencies_hz(n_fft: usize, rate_hz: u32) -> Vec<f64> {
    (0..=n_fft / 2)
        .map(|k| k as f64 * f64::from(rate_hz) / n_fft as f64)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn equals_the_sum_written_out() {
        let n = 40;
        let frame: Vec<f32> = (0..n).map(|i| ((i * i) as f32 * 0.1).sin()).collect();
        let mut spectrum = Spectrum::new(n);
        let mut power = vec![0.0; spectrum.n_bins()];
        spectrum.power(&frame, &mut power);
        let window = hann_periodic(n);
        for (k, p) in power.iter().enumerate() {
            let (mut re, mut im) = (0.0f64, 0.0f64);
            for i in 0..n {
                let angle = TAU * (k * i) as f64 / n as f64;
                let s = f64::from(frame[i]) * window[i];
                re += s * angle.cos();
                im -= s * angle.sin();
            }
            assert!((re * re + im * im - f64::from(*p)).abs() < 1e-4, "bin {k}");
        }
    }

    #[test]
    fn a_sine_lies_in_its_bin() {
        let frame: Vec<f32> = (0..400)
            .map(|i| (TAU * 1_000.0 * i as f64 / 16_000.0).sin() as f32)
            .collect();
        let mut spectrum = Spectrum::new(400);
        let mut power = vec![0.0; 201];
        spectrum.power(&frame, &mut power);
        let loudest = (0..201)
            .max_by(|a, b| power[*a].total_cmp(&power[*b]))
            .expect("bins");
        assert_eq!(bin_frequencies_hz(400, 16_000)[loudest], 1_000.0);
    }
}
