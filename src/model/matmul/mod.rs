//! Matrix products over plain slices: weights packed once ([`PackedMatrix`]), or
//! two matrices that both change ([`add_product`]). One thread, unless more are asked for.

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

/// `out += a·b`; `out` is row-major `[a rows, b columns]`.
///
/// # Panics
/// If `a`'s columns are not `b`'s rows, or `out` is not of that size.
pub fn add_product(out: &mut [f32], a: Matrix, b: Matrix) {
    assert_eq!(a.columns, b.rows, "inner sizes of a matrix product");
    PackedMatrix::from_columns(b).add_product(out, &a.by_rows(), &mut Scratch::default());
}

/// Multiplications from which on a core of its own pays.
const MIN_FOR_A_CORE: usize = 1 << 20;

/// [`add_product`] on up to `n_cores` cores, the rows of `a` shared out, which changes
/// nothing in the result.
///
/// # Panics
/// As [`add_product`].
pub fn add_product_on_cores(n_cores: usize, out: &mut [f32], a: Matrix, b: Matrix) {
    assert_eq!(a.columns, b.rows, "inner sizes of a matrix product");
    let (width, n_columns) = (a.columns, b.columns);
    let most = a.rows * width * n_columns / MIN_FOR_A_CORE;
    let share = a.rows.div_ceil(n_cores.min(most).max(1)).max(1);
    if share >= a.rows {
        return add_product(out, a, b);
    }
    let (rows, packed) = (a.by_rows(), PackedMatrix::from_columns(b));
    std::thread::scope(|scope| {
        let shares = out.chunks_mut(share * n_columns);
        for (out, rows) in shares.zip(rows.chunks(share * width)) {
            let packed = &packed;
            scope.spawn(move || packed.add_product(out, rows, &mut Scratch::default()));
        }
    });
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
            (101, 300, 130),
        ] {
            let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
            let at: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
            let bt: Vec<f32> = (0..n * k).map(|i| b[i % k * n + i / k]).collect();
            let start = numbers(m * n, 3);
            let mut naive = start.clone();
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
            for (n_cores, (left, right)) in [1, 2, 3].into_iter().zip(inputs.iter().cycle()) {
                let mut out = start.clone();
                add_product_on_cores(n_cores, &mut out, *left, *right);
                for (x, y) in out.iter().zip(&naive) {
                    assert!((x - y).abs() < 1e-4, "{m}×{k}×{n}: {x} {y}");
                }
                let mut alone = start.clone();
                add_product(&mut alone, *left, *right);
                assert_eq!(out, alone, "{n_cores} cores");
            }
        }
    }
}
