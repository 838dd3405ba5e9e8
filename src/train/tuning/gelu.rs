//! GELU by the kernel that the front ends run in use, as an operation that
//! gradients flow through: candle's own took a good part of the time of tuning.

use crate::model::affine::values;
use crate::model::linear::gelu;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

/// The Gaussian error linear unit.
pub struct Gelu;

/// The values of any tensor.
pub fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = values(x, layout)?.to_vec();
        gelu(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let (values, results) = (flat(x)?, flat(result)?);
        let slopes = values.iter().zip(&results).zip(flat(upstream)?);
        let out = slopes.map(|((x, y), upstream)| upstream * slope(*x, *y));
        Ok(Some(Tensor::from_vec(out.collect(), x.dims(), x.device())?))
    }
}

/// Of `y = x·Φ(x)`: `Φ(x) + x·φ(x)`.
fn slope(x: f32, y: f32) -> f32 {
    const PEAK: f32 = 0.398_942_3;
    let below = if x.abs() > 1e-3 {
        y / x
    } else {
        0.5 + PEAK * x
    };
    below + x * PEAK * (-0.5 * x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::affine::tests::{differences, numbers};

    #[test]
    fn the_unit_is_that_of_candle() -> Result<()> {
        let x = numbers(&[40, 25], 3)?;
        let ours = x.affine(3.0, 0.0)?.apply_op1(Gelu)?;
        let theirs = x.affine(3.0, 0.0)?.gelu_erf()?;
        for difference in differences(&ours, &theirs, &[&x])? {
            assert!(difference < 1e-5, "{difference}");
        }
        assert!((slope(0.0, 0.0) - 0.5).abs() < 1e-6);
        Ok(())
    }
}
