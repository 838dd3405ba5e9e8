//! The cosine transform that turns log bands into cepstra.

use super::lanes;
use std::f64::consts::PI;

/// The first rows of the orthonormal DCT-II as a matrix;
/// `scipy.fft.dct(x, type=2, norm="ortho")[:n_out]`.
#[derive(Clone, Debug)]
pub struct Dct {
    /// `[n_in, n_out]`, row-major: all coefficients take one value at a time,
    /// side by side.
    matrix: Vec<f32>,
    n_out: usize,
}

impl Dct {
    /// `n_out` coefficients of `n_in` values.
    pub fn new(n_in: usize, n_out: usize) -> Dct {
        let matrix = (0..n_in)
            .flat_map(|i| {
                (0..n_out).map(move |k| {
                    let scale = (if k == 0 { 1.0 } else { 2.0 } / n_in as f64).sqrt();
                    (scale * (PI * k as f64 * (2 * i + 1) as f64 / (2 * n_in) as f64).cos()) as f32
                })
            })
            .collect();
        Dct { matrix, n_out }
    }

    /// Transforms `values` `[n_in]` into `coefficients` `[n_out]`.
    pub fn apply(&self, values: &[f32], coefficients: &mut [f32]) {
        let n = values.len() as f32;
        let mean = lanes::sum(values, |v| v) / n;
        coefficients.fill(0.0);
        for (v, row) in values.iter().zip(self.matrix.chunks_exact(self.n_out)) {
            // Without their mean, which the first coefficient alone sees, the
            // values are small and so is the rounding.
            let v = v - mean;
            for (c, w) in coefficients.iter_mut().zip(row) {
                *c += w * v;
            }
        }
        coefficients[0] += mean * n.sqrt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sum_written_out() {
        let values: Vec<f32> = (0..40).map(|i| (i * i % 17) as f32 - 60.0).collect();
        let mut coefficients = [0.0; 9];
        Dct::new(40, 9).apply(&values, &mut coefficients);
        for (k, c) in coefficients.iter().enumerate() {
            let scale = (if k == 0 { 1.0 } else { 2.0f64 } / 40.0).sqrt();
            let terms = values
                .iter()
                .enumerate()
                .map(|(i, v)| f64::from(*v) * (PI * k as f64 * (2 * i + 1) as f64 / 80.0).cos());
            assert!((scale * terms.sum::<f64>() - f64::from(*c)).abs() < 1e-4);
        }
    }

    #[test]
    fn is_orthonormal() {
        let dct = Dct::new(16, 16);
        for a in 0..16 {
            for b in 0..16 {
                let dot: f32 = (0..16)
                    .map(|i| dct.matrix[a * 16 + i] * dct.matrix[b * 16 + i])
                    .sum();
                assert!((dot - if a == b { 1.0 } else { 0.0 }).abs() < 1e-6);
            }
        }
    }
}
