//! Windows.

use std::f64::consts::TAU;

/// The periodic Hann window, `0.5 − 0.5·cos(2πn/N)`, as
/// `scipy.signal.get_window("hann", n)` and so librosa give it: the period is
/// `n`, not `n − 1`, so that shifted copies sum to a constant.
pub fn hann_periodic(n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| 0.5 - 0.5 * (TAU * i as f64 / n as f64).cos())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_zero_peaks_in_the_middle_and_overlaps_to_one() {
        let w = hann_periodic(400);
        assert_eq!(w[0], 0.0);
        assert!((w[200] - 1.0).abs() < 1e-15);
        assert!((0..200).all(|i| (w[i] + w[i + 200] - 1.0).abs() < 1e-12));
    }
}
