//! Matrix products over plain slices: weights packed once ([`PackedMatrix`]), or
//! two matrices that both change ([`multiply`]). One thread.

mod lanes;
mod packed;

pub use lanes::{Constant, Floats, Lanes, Work, map, map_with, on_best_unit};
pub use packed::{PackedMatrix, Scratch};

use std::borrow::Cow;

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

    fn at(&self, row: usize, column: usize) -> f32 {
        if self.transposed {
            self.data[column * self.rows + row]
        } else {
            self.data[row * self.columns + column]
        }
    }

    /// The values by rows.
    fn by_rows(&self) -> Cow<'a, [f32]> {
        if !self.transposed {
            return Cow::Borrowed(self.data);
        }
        let mut values = vec![0.0; self.data.len()];
        for (column, from) in self.data.chunks_exact(self.rows.max(1)).enumerate() {
            for (row, v) in from.iter().enumerate() {
                values[row * self.columns + column] = *v;
            }
        }
        Cow::Owned(values)
    }
}

/// `out = a·b`, or `out += a·b` if `accumulate`; `out` is row-major
/// `[a rows, b columns]`.
///
/// # Panics
/// If `a`'s columns are not `b`'s rows, or `out` is too short.
pub fn multiply(out: &mut [f32], a: Matrix, b: Matrix, accumulate: bool) {
    assert_eq!(a.columns, b.rows, "inner sizes of a matrix product");
    let out = &mut out[..a.rows * b.columns];
    if !accumulate {
        out.fill(0.0);
    }
    PackedMatrix::from_columns(b).add_product(out, &a.by_rows(), &mut Scratch::default());
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
        for (m, k, n) in [
            (1, 1, 1),
            (1, 130, 140),
            (2, 128, 9),
            (3, 5, 7),
            (32, 17, 64),
            (101, 300, 70),
        ] {
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
