//! Attention by the kernels that the front ends run in use, as an operation that
//! gradients flow through: clips lie one after another without padding, and each
//! attends to itself alone.

use super::gelu::flat;
use crate::model::affine::values;
use crate::model::front_ends::{HEAD, attention};
use crate::model::matmul::{Matrix, add_product};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::ops::Range;

/// Queries, keys and values, `[steps of all clips, width]` each → `[steps, width]`.
pub struct Attention {
    /// Steps of each clip.
    pub lengths: Vec<usize>,
}

/// One head's part of one clip.
#[derive(Clone)]
struct Part {
    rows: Range<usize>,
    column: usize,
    width: usize,
}

impl Part {
    /// `[steps, 64]`.
    fn of(&self, values: &[f32]) -> Vec<f32> {
        let rows = self.rows.clone();
        rows.flat_map(|row| &values[row * self.width + self.column..][..HEAD])
            .copied()
            .collect()
    }

    /// Puts `[steps, 64]` back in its place.
    fn put(&self, part: &[f32], values: &mut [f32]) {
        for (row, part) in self.rows.clone().zip(part.chunks_exact(HEAD)) {
            values[row * self.width + self.column..][..HEAD].copy_from_slice(part);
        }
    }

    fn n_steps(&self) -> usize {
        self.rows.len()
    }

    /// Shares of one, `[steps, steps]`; the queries end up scaled.
    fn shares(&self, queries: &mut [f32], keys: &[f32]) -> Vec<f32> {
        let mut shares = vec![0.0; self.n_steps() * self.n_steps()];
        attention(queries, keys, &mut shares);
        shares
    }
}

impl Attention {
    /// Every head of every clip.
    fn parts(&self, n_rows: usize, width: usize) -> Result<Vec<Part>> {
        if self.lengths.iter().sum::<usize>() != n_rows || !width.is_multiple_of(HEAD) {
            bail!(
                "{:?} steps of a width of {width}, in {n_rows} rows",
                self.lengths
            );
        }
        let mut end = 0;
        let clips = self.lengths.iter().map(|n| {
            end += n;
            end - n..end
        });
        let heads = |rows: Range<usize>| {
            (0..width).step_by(HEAD).map(move |column| Part {
                rows: rows.clone(),
                column,
                width,
            })
        };
        Ok(clips.flat_map(heads).collect())
    }
}

/// A product of its own.
fn product(a: Matrix, b: Matrix, size: usize) -> Vec<f32> {
    let mut out = vec![0.0; size];
    add_product(&mut out, a, b);
    out
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        keys: &CpuStorage,
        keys_layout: &Layout,
        heard: &CpuStorage,
        heard_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n_rows, width) = queries_layout.shape().dims2()?;
        let (queries, keys) = (values(queries, queries_layout)?, values(keys, keys_layout)?);
        let heard = values(heard, heard_layout)?;
        let mut out = vec![0.0; n_rows * width];
        for part in self.parts(n_rows, width)? {
            let n = part.n_steps();
            let shares = part.shares(&mut part.of(queries), &part.of(keys));
            let heard = part.of(heard);
            let (shares, heard) = (Matrix::new(&shares, n, n), Matrix::new(&heard, n, HEAD));
            part.put(&product(shares, heard, n * HEAD), &mut out);
        }
        Ok((CpuStorage::F32(out), (n_rows, width).into()))
    }

    fn bwd(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        heard: &Tensor,
        _result: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n_rows, width) = queries.dims2()?;
        let upstream = flat(upstream)?;
        let all = [flat(queries)?, flat(keys)?, flat(heard)?];
        let mut slopes = [(); 3].map(|()| vec![0.0; n_rows * width]);
        for part in self.parts(n_rows, width)? {
            let n = part.n_steps();
            let [mut queries, keys, heard] = all.each_ref().map(|values| part.of(values));
            let upstream = part.of(&upstream);
            let shares = part.shares(&mut queries, &keys);
            let square = |values| Matrix::new(values, n, n);
            let tall = |values| Matrix::new(values, n, HEAD);
            let of_heard = product(square(&shares).transpose(), tall(&upstream), n * HEAD);
            let mut of_scores = product(tall(&upstream), tall(&heard).transpose(), n * n);
            for (slopes, shares) in of_scores.chunks_exact_mut(n).zip(shares.chunks_exact(n)) {
                let along: f32 = slopes.iter().zip(shares).map(|(s, p)| s * p).sum();
                for (s, p) in slopes.iter_mut().zip(shares) {
                    *s = p * (*s - along);
                }
            }
            let mut of_queries = product(square(&of_scores), tall(&keys), n * HEAD);
            let scale = 1.0 / (HEAD as f32).sqrt();
            of_queries.iter_mut().for_each(|s| *s *= scale);
            // The queries are scaled already.
            let of_keys = product(square(&of_scores).transpose(), tall(&queries), n * HEAD);
            for (own, all) in [of_queries, of_keys, of_heard].iter().zip(&mut slopes) {
                part.put(own, all);
            }
        }
        let tensor = |slopes| Tensor::from_vec(slopes, (n_rows, width), queries.device());
        let [of_queries, of_keys, of_heard] = slopes.map(tensor);
        Ok((Some(of_queries?), Some(of_keys?), Some(of_heard?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::affine::tests::{differences, numbers};
    use candle_core::D;

    #[test]
    fn each_clip_attends_to_itself() -> Result<()> {
        let lengths = [5, 1, 9];
        let [q, k, v] = [1, 2, 3].map(|seed| numbers(&[15, 2 * HEAD], seed));
        let (q, k, v) = (q?, k?, v?);
        let attention = Attention {
            lengths: lengths.to_vec(),
        };
        let ours = q.apply_op3(&k, &v, attention)?;
        let mut clips = Vec::new();
        let mut start = 0;
        for n in lengths {
            let heads = |x: &Tensor| {
                x.narrow(0, start, n)?
                    .reshape((n, 2, HEAD))?
                    .transpose(0, 1)?
                    .contiguous()
            };
            let scores = (heads(&q)?.matmul(&heads(&k)?.t()?)? / (HEAD as f64).sqrt())?;
            let shares = candle_nn::ops::softmax(&scores, D::Minus1)?;
            let mixed = shares.matmul(&heads(&v)?)?.transpose(0, 1)?;
            clips.push(mixed.reshape((n, 2 * HEAD))?);
            start += n;
        }
        let theirs = Tensor::cat(&clips, 0)?;
        for difference in differences(&ours, &theirs, &[&q, &k, &v])? {
            assert!(difference < 1e-4, "{difference}");
        }
        let attention = Attention {
            lengths: vec![5, 9],
        };
        assert!(q.apply_op3(&k, &v, attention).is_err());
        Ok(())
    }
}
