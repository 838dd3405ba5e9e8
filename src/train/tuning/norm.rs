//! Layer normalisation by the kernel that the front ends run in use, as an operation
//! that gradients flow through.

use super::gelu::flat;
use crate::model::affine::values;
use crate::model::linear::{LayerNorm, mean_and_factor};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

/// Rows `[rows, width]` at zero mean and unit variance, scaled by `[width]` and shifted
/// by `[width]`.
pub struct Norm;

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer normalisation"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let norm = LayerNorm::new(
            values(scale, scale_layout)?.to_vec(),
            values(shift, shift_layout)?.to_vec(),
        );
        let out = norm.apply(values(x, layout)?);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        _shift: &Tensor,
        _result: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (mut rows, scales, upstream) = (flat(x)?, flat(scale)?, flat(upstream)?);
        let width = scales.len();
        let (mut of_scale, mut of_shift) = (vec![0.0; width], vec![0.0; width]);
        // A row is replaced by its own gradient.
        for (row, upstream) in rows
            .chunks_exact_mut(width)
            .zip(upstream.chunks_exact(width))
        {
            let (mean, factor) = mean_and_factor(row);
            let (mut sum, mut along) = (0.0, 0.0);
            for (i, (x, u)) in row.iter_mut().zip(upstream).enumerate() {
                *x = (*x - mean) * factor;
                of_scale[i] += *x * u;
                of_shift[i] += u;
                sum += scales[i] * u;
                along += scales[i] * u * *x;
            }
            let (sum, along) = (sum / width as f32, along / width as f32);
            for ((x, u), scale) in row.iter_mut().zip(upstream).zip(&scales) {
                *x = factor * (scale * u - sum - *x * along);
            }
        }
        Ok((
            Some(Tensor::from_vec(rows, x.dims(), x.device())?),
            Some(Tensor::from_vec(of_scale, width, x.device())?),
            Some(Tensor::from_vec(of_shift, width, x.device())?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::affine::tests::{differences, numbers};

    #[test]
    fn it_is_that_of_its_definition() -> Result<()> {
        let x = numbers(&[7, 40], 1)?;
        let (scale, shift) = (numbers(&[40], 2)?, numbers(&[40], 3)?);
        let ours = x.apply_op3(&scale, &shift, Norm)?;
        let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
        let variance = centred.sqr()?.mean_keepdim(1)?;
        let theirs = centred
            .broadcast_div(&(variance + 1e-5)?.sqrt()?)?
            .broadcast_mul(&scale)?
            .broadcast_add(&shift)?;
        for difference in differences(&ours, &theirs, &[&x, &scale, &shift])? {
            assert!(difference < 1e-5, "{difference}");
        }
        Ok(())
    }
}
