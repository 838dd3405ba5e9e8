//! Matrix products and GELU by the kernels that the front ends run in use, as
//! operations that gradients flow through: candle's own took most of the time
//! that tuning takes.

use crate::model::linear::gelu;
use crate::model::matmul::{Matrix, multiply};
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `a·bᵀ` of matrices `[m, k]` and `[n, k]`.
pub struct Product;

/// The Gaussian error linear unit.
pub struct Gelu;

/// The values of a contiguous tensor.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the tensor is not contiguous"),
    }
}

/// The values of any tensor.
fn flat(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.flatten_all()?.to_vec1()
}

fn product(a: Matrix, b: Matrix, m: usize, n: usize) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    multiply(&mut out, a, b, false);
    out
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let ((m, k), (n, width)) = (a_layout.shape().dims2()?, b_layout.shape().dims2()?);
        if k != width {
            bail!("a product of rows of {k} and {width}");
        }
        let a = Matrix::new(values(a, a_layout)?, m, k);
        let b = Matrix::new(values(b, b_layout)?, n, k).transpose();
        let out = product(a, b, m, n);
        Ok((CpuStorage::F32(out), (m, n).into()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _result: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let ((m, k), n) = (a.dims2()?, b.dim(0)?);
        let (a_values, b_values, upstream) = (flat(a)?, flat(b)?, flat(upstream)?);
        let upstream = Matrix::new(&upstream, m, n);
        let of_a = product(upstream, Matrix::new(&b_values, n, k), m, k);
        let of_b = product(upstream.transpose(), Matrix::new(&a_values, m, k), n, k);
        Ok((
            Some(Tensor::from_vec(of_a, (m, k), a.device())?),
            Some(Tensor::from_vec(of_b, (n, k), b.device())?),
        ))
    }
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
    use candle_core::{Device, Var};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn random(shape: (usize, usize), seed: u64) -> Result<Var> {
        let mut rng = StdRng::seed_from_u64(seed);
        let values = (0..shape.0 * shape.1).map(|_| rng.random_range(-3.0..3.0f32));
        let values: Vec<f32> = values.collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Largest difference of the result and of each variable's slope.
    fn differences(ours: &Tensor, theirs: &Tensor, vars: &[&Var]) -> Result<Vec<f32>> {
        let largest = |d: Tensor| d.abs()?.max_all()?.to_scalar::<f32>();
        let mut all = vec![largest((ours - theirs)?)?];
        // Not the same slope everywhere.
        let weights = random(theirs.dims2()?, 9)?;
        let [ours, theirs] = [ours, theirs].map(|y| y.mul(&weights)?.sum_all()?.backward());
        let (ours, theirs) = (ours?, theirs?);
        for var in vars {
            match (ours.get(var), theirs.get(var)) {
                (Some(a), Some(b)) => all.push(largest((a - b)?)?),
                _ => bail!("a variable without a slope"),
            }
        }
        Ok(all)
    }

    #[test]
    fn products_are_those_of_candle() -> Result<()> {
        let (a, b) = (random((33, 20), 1)?, random((17, 20), 2)?);
        let ours = a.apply_op2(&b, Product)?;
        let theirs = a.matmul(&b.t()?)?;
        for difference in differences(&ours, &theirs, &[&a, &b])? {
            assert!(difference < 1e-3, "{difference}");
        }
        Ok(())
    }

    #[test]
    fn the_unit_is_that_of_candle() -> Result<()> {
        let x = random((40, 25), 3)?;
        let ours = x.apply_op1(Gelu)?;
        let theirs = x.gelu_erf()?;
        for difference in differences(&ours, &theirs, &[&x])? {
            assert!(difference < 1e-5, "{difference}");
        }
        assert!((slope(0.0, 0.0) - 0.5).abs() < 1e-6);
        Ok(())
    }
}
