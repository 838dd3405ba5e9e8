//! Dense layers, normalisation and GELU over rows.

use crate::model::activation::exp;
use crate::model::error::ModelError;
use crate::model::matmul::{Matrix, multiply};
use crate::model::weights::Weights;

/// `weights · x + bias` for every row.
#[derive(Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    weights: Vec<f32>,
    /// `[outputs]`.
    bias: Vec<f32>,
    n_inputs: usize,
}

impl Linear {
    /// Wraps `[outputs, inputs]` weights and as many biases.
    pub fn new(weights: Vec<f32>, bias: Vec<f32>) -> Linear {
        let n_inputs = weights.len() / bias.len().max(1);
        Linear {
            weights,
            bias,
            n_inputs,
        }
    }

    /// Reads `name.weight` `[outputs, inputs]` and `name.bias`, which may be
    /// absent and then is zero.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read(
        weights: &Weights,
        name: &str,
        n_outputs: usize,
        n_inputs: usize,
    ) -> Result<Linear, ModelError> {
        let bias = format!("{name}.bias");
        let bias = if weights.contains_key(&bias) {
            get(weights, &bias, &[n_outputs])?
        } else {
            vec![0.0; n_outputs]
        };
        let weights = get(weights, &format!("{name}.weight"), &[n_outputs, n_inputs])?;
        Ok(Linear::new(weights, bias))
    }

    /// Several layers over the same input as one, their outputs side by side.
    pub fn joined(layers: [Linear; 3]) -> Linear {
        Linear {
            n_inputs: layers[0].n_inputs,
            bias: layers.iter().flat_map(|l| l.bias.clone()).collect(),
            weights: layers.iter().flat_map(|l| l.weights.clone()).collect(),
        }
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let (n_rows, n_outputs) = (x.len() / self.n_inputs, self.bias.len());
        let mut out = Vec::with_capacity(n_rows * n_outputs);
        for _ in 0..n_rows {
            out.extend_from_slice(&self.bias);
        }
        let weights = Matrix::new(&self.weights, n_outputs, self.n_inputs).transpose();
        multiply(
            &mut out,
            Matrix::new(x, n_rows, self.n_inputs),
            weights,
            true,
        );
        out
    }
}

/// Rows at zero mean and unit variance, then scaled and shifted by learnt
/// values (Ba et al. 2016, "Layer Normalization"), with PyTorch's 1e-5.
#[derive(Debug)]
pub struct LayerNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl LayerNorm {
    /// Reads `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read(weights: &Weights, name: &str, width: usize) -> Result<LayerNorm, ModelError> {
        Ok(LayerNorm {
            scale: get(weights, &format!("{name}.weight"), &[width])?,
            shift: get(weights, &format!("{name}.bias"), &[width])?,
        })
    }

    /// Every row of `[rows, width]` anew.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = x.to_vec();
        for row in out.chunks_exact_mut(self.scale.len()) {
            let n = row.len() as f32;
            let mean = row.iter().sum::<f32>() / n;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
            let factor = 1.0 / (variance + 1e-5).sqrt();
            for ((v, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *v = (*v - mean) * factor * scale + shift;
            }
        }
        out
    }
}

/// The Gaussian error linear unit, exact and not by tanh: `x·Φ(x)` with the
/// error function of Abramowitz and Stegun 7.1.26, absolute error below 2e-7.
pub fn gelu(values: &mut [f32]) {
    for v in values {
        let x = *v * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
        let p = 1.061_405_4 * t - 1.453_152;
        let p = p * t + 1.421_413_7;
        let p = p * t - 0.284_496_74;
        let p = p * t + 0.254_829_6;
        let erf = (1.0 - p * t * exp(-x * x)).copysign(x);
        *v *= 0.5 * (1.0 + erf);
    }
}

/// A weight in full, if it is there in the given shape.
///
/// # Errors
/// If it is missing or has another shape.
pub fn get(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
    let weight = weights.get(name).ok_or_else(|| ModelError::FrontEnd {
        reason: format!("`{name}` is missing"),
    })?;
    if weight.shape() != shape {
        return Err(ModelError::FrontEnd {
            reason: format!("`{name}` is {:?}, expected {shape:?}", weight.shape()),
        });
    }
    Ok(weight.to_f32())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_has_its_published_values() {
        // torch.nn.functional.gelu of torch 2.15.
        let mut x = [-3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 10.0];
        gelu(&mut x);
        let expected = [
            -0.004_049_7,
            -0.158_655_3,
            -0.046_017_2,
            0.0,
            0.345_731_2,
            1.954_499_8,
            10.0,
        ];
        for (a, b) in x.iter().zip(expected) {
            assert!((a - b).abs() < 2e-6, "{a} {b}");
        }
    }
}
