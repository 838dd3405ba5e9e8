//! Matrix products over plain slices: the one place that calls `gemm`, whose
//! interface is raw pointers.
#![allow(unsafe_code)]

use gemm::Parallelism;

/// A row-major matrix, or the transpose of one.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// The first `rows · columns` values as a row-major matrix.
    ///
    /// # Panics
    /// If there are fewer values.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix {
            data: &data[..rows * columns],
            rows,
            columns,
            transposed: false,
        }
    }

    /// Rows and columns change places; nothing is copied.
    pub fn transpose(self) -> Matrix<'a> {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Steps between columns and between rows, values.
    fn strides(&self) -> (isize, isize) {
        if self.transposed {
            (self.rows as isize, 1)
        } else {
            (1, self.columns as isize)
        }
    }
}

/// `out = a·b`, or `out += a·b` if `accumulate`; `out` is row-major
/// `[a rows, b columns]`. One thread.
///
/// # Panics
/// If `a`'s columns are not `b`'s rows, or `out` is too short.
pub fn multiply(out: &mut [f32], a: Matrix, b: Matrix, accumulate: bool) {
    assert_eq!(a.columns, b.rows, "inner sizes of a matrix product");
    let out = &mut out[..a.rows * b.columns];
    let (a_columns, a_rows) = a.strides();
    let (b_columns, b_rows) = b.strides();
    let alpha = if accumulate { 1.0 } else { 0.0 };
    // SAFETY: the slices were cut to exactly rows · columns values above and in
    // `Matrix::new`, the strides stay within them, and `out` is borrowed
    // mutably, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            b.columns as isize,
            accumulate,
            a.data.as_ptr(),
            a_columns,
            a_rows,
            b.data.as_ptr(),
            b_columns,
            b_rows,
            alpha,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
            .collect()
    }

    #[test]
    fn agrees_with_three_nested_loops() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (32, 17, 64), (2, 128, 9)] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let at: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
            let bt: Vec<f32> = (0..n * k).map(|i| b[i % k * n + i / k]).collect();
            for accumulate in [false, true] {
                let start = numbers(m * n, 3);
                let mut naive = if accumulate {
                    start.clone()
                } else {
                    vec![0.0; m * n]
                };
                for (i, y) in naive.iter_mut().enumerate() {
                    *y += (0..k)
                        .map(|l| a[i / n * k + l] * b[l * n + i % n])
                        .sum::<f32>();
                }
                let inputs = [
                    (Matrix::new(&a, m, k), Matrix::new(&b, k, n)),
                    (
                        Matrix::new(&at, k, m).transpose(),
                        Matrix::new(&bt, n, k).transpose(),
                    ),
                ];
                for (left, right) in inputs {
                    let mut out = start.clone();
                    multiply(&mut out, left, right, accumulate);
                    for (x, y) in out.iter().zip(&naive) {
                        assert!((x - y).abs() < 1e-4, "{m}×{k}×{n}: {x} {y}");
                    }
                }
            }
        }
    }
}
