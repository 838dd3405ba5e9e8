//! The cosine transform that turns log bands into cepstra.

use std::f64::consts::PI;

/// The first rows of the orthonormal DCT-II as a matrix;
/// `scipy.fft.dct(x, type=2, norm="ortho")[:n_out]`.
#[derive(Clone, Debug)]
pub struct Dct {
    /// `[n_out, n_in]`, row-major.
    matrix: Vec<f32>,
    n_in: usize,
}

impl Dct {
    /// `n_out` coefficients of `n_in` values.
    pub fn new(n_in: usize, n_out: usize) -> Dct {
        let matrix = (0..n_out)
            .flat_map(|k| {
                let scale = (if k == 0 { 1.0 } else { 2.0 } / n_in as f64).sqrt();
                (0..n_in).map(move |i| {
                    (scale * (PI * k as f64 * (2 * i + 1) as f64 / (2 * n_in) as f64).cos()) as f32
                })
            })
            .collect();
        Dct { matrix, n_in }
    }

    /// Transforms `values` `[n_in]` into `coefficients` `[n_out]`.
    pub fn apply(&self, values: &[f32], coefficients: &mut [f32]) {
        for (c, row) in coefficients
            .iter_mut()
            .zip(self.matrix.chunks_exact(self.n_in))
        {
            *c = row.iter().zip(values).map(|(w, v)| w * v).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
