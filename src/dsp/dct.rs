//! The cosine transform that turns log bands into cepstra.

use super::lanes;
use std::f64::consts::PI;

/// The first rows of the orthonormal DCT-II as a matrix;
/// `scipy.fft.dct(x, type=2, norm="ortho")[:n_out]`.
#[derive(Clone, Debug)]
pub struct Dct {
    /// `[n_out, n_in.div_ceil(2)]`, row-major: a row's second half mirrors the
    /// first, with the same sign where its number is even and the other where
    /// it is odd.
    matrix: Vec<f32>,
    /// Values added to their mirror images, and less them; `[n_in.div_ceil(2)]`.
    sums: Vec<f32>,
    differences: Vec<f32>,
}

impl Dct {
    /// `n_out` coefficients of `n_in` values.
    pub fn new(n_in: usize, n_out: usize) -> Dct {
        let n_half = n_in.div_ceil(2);
        let matrix = (0..n_out)
            .flat_map(|k| {
                (0..n_half).map(move |i| {
                    let scale = (if k == 0 { 1.0 } else { 2.0 } / n_in as f64).sqrt();
                    (scale * (PI * k as f64 * (2 * i + 1) as f64 / (2 * n_in) as f64).cos()) as f32
                })
            })
            .collect();
        Dct {
            matrix,
            sums: vec![0.0; n_half],
            differences: vec![0.0; n_half],
        }
    }

    /// Transforms `values` `[n_in]` into `coefficients` `[n_out]`.
    pub fn apply(&mut self, values: &[f32], coefficients: &mut [f32]) {
        let n = values.len() as f32;
        // Without their mean, which the first coefficient alone sees, the
        // values are small and so is the rounding.
        let mean = lanes::sum(values, |v| v) / n;
        let n_half = self.sums.len();
        let pairs = values[..n_half].iter().zip(values.iter().rev());
        let halves = self.sums.iter_mut().zip(&mut self.differences);
        for ((sum, difference), (a, b)) in halves.zip(pairs) {
            (*sum, *difference) = ((a - mean) + (b - mean), a - b);
        }
        if values.len() % 2 == 1 {
            self.sums[n_half - 1] = values[n_half - 1] - mean;
        }
        let rows = self.matrix.chunks_exact(n_half.max(1));
        for (k, (c, row)) in coefficients.iter_mut().zip(rows).enumerate() {
            let half = if k % 2 == 0 {
                &self.sums
            } else {
                &self.differences
            };
            *c = lanes::sum2(row, half, |w, v| w * v);
        }
        coefficients[0] += mean * n.sqrt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_sum_written_out() {
        for n in [39usize, 40] {
            let values: Vec<f32> = (0..n).map(|i| (i * i % 17) as f32 - 60.0).collect();
            let mut coefficients = [0.0; 9];
            Dct::new(n, 9).apply(&values, &mut coefficients);
            for (k, c) in coefficients.iter().enumerate() {
                let scale = (if k == 0 { 1.0 } else { 2.0f64 } / n as f64).sqrt();
                let turn = |i: usize| PI * (k * (2 * i + 1)) as f64 / (2 * n) as f64;
                let terms = values.iter().enumerate();
                let sum: f64 = terms.map(|(i, v)| f64::from(*v) * turn(i).cos()).sum();
                assert!((scale * sum - f64::from(*c)).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn is_orthonormal() {
        let mut dct = Dct::new(16, 16);
        let columns: Vec<[f32; 16]> = (0..16)
            .map(|a| {
                let mut unit = [0.0; 16];
                unit[a] = 1.0;
                let mut column = [0.0; 16];
                dct.apply(&unit, &mut column);
                column
            })
            .collect();
        for a in 0..16 {
            for b in 0..16 {
                let dot: f32 = columns[a].iter().zip(&columns[b]).map(|(x, y)| x * y).sum();
                assert!((dot - if a == b { 1.0 } else { 0.0 }).abs() < 1e-6);
            }
        }
    }
}
