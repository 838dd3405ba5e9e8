//! `x·Wᵀ + b` by the kernel that runs in use, as an operation that gradients flow
//! through: candle's own adds the biases and sums their gradients in passes of
//! their own, which took longer than the product.

use super::matmul::{Matrix, add_product_on_cores};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};
use candle_nn::Linear;
use std::sync::OnceLock;

/// `x·Wᵀ`, of two operands, or `x·Wᵀ + b`, of three: `x` `[rows, inputs]`, `W`
/// `[outputs, inputs]`, `b` `[outputs]`.
pub struct Affine {
    /// Whether nothing behind `x` is trained, so that its gradient is not needed.
    pub of_data: bool,
    /// Cores to work on.
    pub n_cores: usize,
}

/// A layer's outputs, `[…, inputs]` to `[…, outputs]`, on as many cores as candle
/// works on.
///
/// # Errors
/// If the shapes do not fit.
pub fn affine(layer: &Linear, x: &Tensor, of_data: bool) -> Result<Tensor> {
    let (weights, Some(biases)) = (layer.weight(), layer.bias()) else {
        bail!("a layer without biases");
    };
    let op = Affine {
        of_data,
        n_cores: n_cores(),
    };
    let mut shape = x.dims().to_vec();
    let Some(width) = shape.pop() else {
        bail!("a layer takes rows of inputs, not one number");
    };
    let x = if of_data { &x.detach() } else { x };
    let rows = x.reshape(((), width))?.contiguous()?;
    shape.push(weights.dim(0)?);
    rows.apply_op3(&weights.contiguous()?, biases, op)?
        .reshape(shape)
}

/// The cores that candle works on, asked for once: the answer is read from files.
pub fn n_cores() -> usize {
    static N_CORES: OnceLock<usize> = OnceLock::new();
    *N_CORES.get_or_init(candle_core::utils::get_num_threads)
}

impl Affine {
    fn forward(
        &self,
        x: (&CpuStorage, &Layout),
        weights: (&CpuStorage, &Layout),
        biases: Option<(&CpuStorage, &Layout)>,
    ) -> Result<(CpuStorage, Shape)> {
        let ((rows, inputs), (outputs, width)) = (x.1.shape().dims2()?, weights.1.shape().dims2()?);
        if inputs != width {
            bail!("a product of rows of {inputs} and {width}");
        }
        let mut out = match biases {
            Some((biases, layout)) => {
                let biases = values(biases, layout)?;
                if biases.len() != outputs {
                    bail!("{} biases for {outputs} outputs", biases.len());
                }
                biases.repeat(rows)
            }
            None => vec![0.0; rows * outputs],
        };
        add_product_on_cores(
            self.n_cores,
            &mut out,
            Matrix::new(values(x.0, x.1)?, rows, inputs),
            Matrix::new(values(weights.0, weights.1)?, outputs, inputs).transpose(),
        );
        Ok((CpuStorage::F32(out), (rows, outputs).into()))
    }

    /// Gradients of `x`, of the weights and of the biases.
    fn back(
        &self,
        x: &Tensor,
        weights: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Tensor, Tensor)> {
        let ((rows, inputs), outputs) = (x.dims2()?, weights.dim(0)?);
        let upstream = upstream.contiguous()?;
        with_values([x, weights, &upstream], |[x, weights, upstream]| {
            let product = |a: Matrix, b: Matrix, rows: usize, columns: usize| {
                let mut out = vec![0.0; rows * columns];
                add_product_on_cores(self.n_cores, &mut out, a, b);
                Tensor::from_vec(out, (rows, columns), &candle_core::Device::Cpu)
            };
            let upstream_rows = Matrix::new(upstream, rows, outputs);
            let of_x = match self.of_data {
                true => None,
                false => {
                    let weights = Matrix::new(weights, outputs, inputs);
                    Some(product(upstream_rows, weights, rows, inputs)?)
                }
            };
            let x = Matrix::new(x, rows, inputs);
            let of_weights = product(upstream_rows.transpose(), x, outputs, inputs)?;
            let mut of_biases = vec![0.0; outputs];
            for row in upstream.chunks_exact(outputs) {
                for (sum, u) in of_biases.iter_mut().zip(row) {
                    *sum += u;
                }
            }
            let of_biases = Tensor::from_vec(of_biases, outputs, &candle_core::Device::Cpu)?;
            Ok((of_x, of_weights, of_biases))
        })
    }
}

/// The values of a contiguous tensor's storage.
///
/// # Errors
/// If there are gaps between them, or they are not of 32 bits.
pub fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the tensor is not contiguous"),
    }
}

/// Does something with the values of contiguous tensors, which are not copied.
fn with_values<T>(tensors: [&Tensor; 3], work: impl FnOnce([&[f32]; 3]) -> Result<T>) -> Result<T> {
    let guards = tensors.map(Tensor::storage_and_layout);
    let mut slices: [&[f32]; 3] = [&[]; 3];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        match &**storage {
            Storage::Cpu(storage) => *slice = values(storage, layout)?,
            _ => bail!("the tensor is not in the processor's memory"),
        }
    }
    work(slices)
}

impl CustomOp2 for Affine {
    fn name(&self) -> &'static str {
        "affine without biases"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), (weights, weights_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        _result: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weights, _) = self.back(x, weights, upstream)?;
        Ok((of_x, Some(of_weights)))
    }
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
        biases: &CpuStorage,
        biases_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(
            (x, x_layout),
            (weights, weights_layout),
            Some((biases, biases_layout)),
        )
    }

    fn bwd(
        &self,
        x: &Tensor,
        weights: &Tensor,
        _biases: &Tensor,
        _result: &Tensor,
        upstream: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weights, of_biases) = self.back(x, weights, upstream)?;
        Ok((of_x, Some(of_weights), Some(of_biases)))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use candle_core::{Device, Var};

    /// Numbers within ±1 without a pattern.
    pub fn numbers(shape: &[usize], seed: u32) -> Result<Var> {
        let n = shape.iter().product::<usize>() as u32;
        let values: Vec<f32> = (0..n)
            .map(|i| ((i * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
            .collect();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// Largest difference of the result and of each variable's gradient.
    pub fn differences(ours: &Tensor, theirs: &Tensor, vars: &[&Var]) -> Result<Vec<f32>> {
        let largest = |d: Tensor| d.abs()?.max_all()?.to_scalar::<f32>();
        let mut all = vec![largest((ours - theirs)?)?];
        // Not the same slope everywhere.
        let slopes = numbers(theirs.dims(), 9)?;
        let [ours, theirs] = [ours, theirs].map(|y| y.mul(&slopes)?.sum_all()?.backward());
        let (ours, theirs) = (ours?, theirs?);
        for var in vars {
            match (ours.get(var), theirs.get(var)) {
                (Some(a), Some(b)) => all.push(largest((a - b)?)?),
                _ => bail!("a variable without a gradient"),
            }
        }
        Ok(all)
    }

    #[test]
    fn agrees_with_candle_on_any_number_of_cores() -> Result<()> {
        let (x, w, b) = (
            numbers(&[133, 20], 1)?,
            numbers(&[17, 20], 2)?,
            numbers(&[17], 3)?,
        );
        let theirs = x.matmul(&w.t()?)?;
        for n_cores in [1, 2, 5] {
            let op = || Affine {
                of_data: false,
                n_cores,
            };
            let ours = x.apply_op2(&w, op())?;
            let mut all = differences(&ours, &theirs, &[&x, &w])?;
            let ours = x.apply_op3(&w, &b, op())?;
            all.extend(differences(
                &ours,
                &theirs.broadcast_add(&b)?,
                &[&x, &w, &b],
            )?);
            assert!(all.iter().all(|d| *d < 1e-3), "{n_cores}: {all:?}");
        }
        Ok(())
    }

    #[test]
    fn what_is_not_trained_gets_no_gradient() -> Result<()> {
        let (x, layer) = (
            numbers(&[2, 3, 20], 1)?,
            Linear::new(
                numbers(&[17, 20], 2)?.as_tensor().clone(),
                Some(numbers(&[17], 3)?.as_tensor().clone()),
            ),
        );
        let y = affine(&layer, &x, true)?;
        assert_eq!(y.dims(), [2, 3, 17]);
        let gradients = y.sum_all()?.backward()?;
        assert!(gradients.get(&x).is_none() && gradients.get(layer.weight()).is_some());
        let narrower = numbers(&[2, 19], 1)?;
        assert!(affine(&layer, &narrower, true).is_err());
        Ok(())
    }
}
