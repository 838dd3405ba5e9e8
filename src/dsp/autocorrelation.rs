//! How alike a signal is to itself some samples later.

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// The autocorrelation `Σ x[i]·x[i + lag]` of frames of one length, what lies
/// beyond a frame being zero, through the power spectrum. Plan once; no
/// allocation after planning.
#[derive(Clone)]
pub struct Autocorrelation {
    n_frame: usize,
    n_lags: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    padded: Vec<f32>,
    bins: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

impl Autocorrelation {
    /// Plans frames of `n_frame` samples and lags below `n_lags`.
    pub fn new(n_frame: usize, n_lags: usize) -> Autocorrelation {
        // Zeros for the longest lag keep the circular correlation linear.
        let n_fft = fast_length(n_frame + n_lags);
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(n_fft);
        let inverse = planner.plan_fft_inverse(n_fft);
        let n_scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Autocorrelation {
            n_frame,
            n_lags,
            padded: vec![0.0; n_fft],
            bins: forward.make_output_vec(),
            scratch: vec![Complex32::default(); n_scratch],
            forward,
            inverse,
        }
    }

    /// The sums for every lag, `[n_lags]`, of one frame `[n_frame]`.
    ///
    /// # Panics
    /// If the frame is not `n_frame` long.
    pub fn apply(&mut self, frame: &[f32]) -> &[f32] {
        self.padded[..self.n_frame].copy_from_slice(frame);
        self.padded[self.n_frame..].fill(0.0);
        self.forward
            .process_with_scratch(&mut self.padded, &mut self.bins, &mut self.scratch)
            .expect("every buffer was made by this plan");
        let scale = 1.0 / self.padded.len() as f32;
        for bin in &mut self.bins {
            *bin = Complex32::new(bin.norm_sqr() * scale, 0.0);
        }
        self.inverse
            .process_with_scratch(&mut self.bins, &mut self.padded, &mut self.scratch)
            .expect("every buffer was made by this plan");
        &self.padded[..self.n_lags]
    }
}

/// The shortest length, at least `n`, that is an even product of twos and
/// threes: fast to transform, and less to transform than a power of two.
fn fast_length(n: usize) -> usize {
    (n..)
        .find(|length| {
            let mut rest = *length;
            while rest.is_multiple_of(3) {
                rest /= 3;
            }
            length.is_multiple_of(2) && rest.is_power_of_two()
        })
        .unwrap_or(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sums_written_out() {
        let frame: Vec<f32> = (0..50).map(|i| ((i * i) as f32 * 0.05).sin()).collect();
        let mut planned = Autocorrelation::new(50, 40);
        for (lag, r) in planned.apply(&frame).iter().enumerate() {
            let expected: f32 = (0..50 - lag).map(|i| frame[i] * frame[i + lag]).sum();
            assert!((r - expected).abs() < 1e-4, "lag {lag}");
        }
    }

    #[test]
    fn lengths_are_even_and_near() {
        assert_eq!([3, 1_292, 2_294].map(fast_length), [4, 1_296, 2_304]);
    }
}
