//! Dense layers, normalisation and GELU over rows.

use crate::dsp::lanes;
use crate::model::activation::exp;
use crate::model::error::ModelError;
use crate::model::matmul::{
    Constant, Floats, Lanes, PackedMatrix, Scratch, Work, map, on_best_unit,
};
use crate::model::weights::{Weight, Weights};
use std::f32::consts::FRAC_1_SQRT_2;

/// `weights · x + bias` for every row.
#[derive(Debug)]
pub struct Linear {
    /// `[outputs, inputs]`.
    weights: PackedMatrix,
    /// `[outputs]`.
    bias: Vec<f32>,
}

impl Linear {
    /// A layer of `[outputs, inputs]` weights, row-major, and a bias an output.
    ///
    /// # Panics
    /// If there are not `outputs · inputs` weights.
    pub fn new(weights: &[f32], bias: Vec<f32>, n_inputs: usize) -> Linear {
        Linear {
            weights: PackedMatrix::new(weights, bias.len(), n_inputs),
            bias,
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
            get(weights, &bias, &[n_outputs])?.to_f32()
        } else {
            vec![0.0; n_outputs]
        };
        let weights = get(weights, &format!("{name}.weight"), &[n_outputs, n_inputs])?;
        Ok(Linear {
            weights: weights.pack(|i| i),
            bias,
        })
    }

    /// Reads a convolution over three frames, `name.weight` `[outputs, inputs,
    /// 3]` and `name.bias`, as a dense layer over the frames one after another.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read_convolution(
        weights: &Weights,
        name: &str,
        n_outputs: usize,
        n_inputs: usize,
    ) -> Result<Linear, ModelError> {
        let shape = [n_outputs, n_inputs, 3];
        let values = get(weights, &format!("{name}.weight"), &shape)?;
        let bias = get(weights, &format!("{name}.bias"), &[n_outputs])?;
        Ok(Linear {
            // Files have the frames innermost, spans have them outermost.
            weights: values.pack(|i| i % n_inputs * 3 + i / n_inputs),
            bias: bias.to_f32(),
        })
    }

    /// Values a row comes out with.
    pub fn n_outputs(&self) -> usize {
        self.bias.len()
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn apply(&self, x: &[f32], scratch: &mut Scratch) -> Vec<f32> {
        let n_rows = x.len() / self.weights.n_inputs();
        let mut out = self.bias.repeat(n_rows);
        self.weights.add_product(&mut out, x, scratch);
        out
    }

    /// Adds what [`Linear::apply`] gives.
    pub fn add(&self, out: &mut [f32], x: &[f32], scratch: &mut Scratch) {
        for row in out.chunks_exact_mut(self.bias.len()) {
            for (y, b) in row.iter_mut().zip(&self.bias) {
                *y += b;
            }
        }
        self.weights.add_product(out, x, scratch);
    }
}

/// Rows at zero mean and unit variance, then scaled and shifted by learnt
/// values (Ba et al. 2016, "Layer Normalization"), with PyTorch's 1e-5.
#[derive(Debug)]
pub struct LayerNorm {
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// A row's mean, and the factor that brings its variance to one.
pub fn mean_and_factor(row: &[f32]) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = lanes::sum(row, |v| v) / n;
    let variance = lanes::sum(row, |v| (v - mean) * (v - mean)) / n;
    (mean, 1.0 / (variance + 1e-5).sqrt())
}

impl LayerNorm {
    /// One of these values, each a column's.
    pub fn new(scale: Vec<f32>, shift: Vec<f32>) -> LayerNorm {
        LayerNorm { scale, shift }
    }

    /// Reads `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn read(weights: &Weights, name: &str, width: usize) -> Result<LayerNorm, ModelError> {
        let part = |part: &str| get(weights, &format!("{name}.{part}"), &[width]);
        let [scale, shift] = [part("weight")?, part("bias")?].map(|w| w.to_f32());
        Ok(LayerNorm::new(scale, shift))
    }

    /// Every row of `[rows, width]` anew.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = x.to_vec();
        for row in out.chunks_exact_mut(self.scale.len()) {
            let (mean, factor) = mean_and_factor(row);
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
    on_best_unit(Gelu(values));
}

struct Gelu<'a>(&'a mut [f32]);

impl Work for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        static HALF: Constant = Constant::new(0.5);
        static ONE: Constant = Constant::new(1.0);
        static MINUS_ONE: Constant = Constant::new(-1.0);
        static ROOT: Constant = Constant::new(FRAC_1_SQRT_2);
        static SLOPE: Constant = Constant::new(0.327_591_1);
        static FIFTH: Constant = Constant::new(1.061_405_4);
        static OTHERS: [Constant; 4] = [
            Constant::new(-1.453_152),
            Constant::new(1.421_413_7),
            Constant::new(-0.284_496_74),
            Constant::new(0.254_829_6),
        ];
        map::<L>(self.0, |v| {
            let c = L::Floats::constant;
            let x = v.multiply(c(&ROOT));
            let one = c(&ONE);
            let t = one.divide(x.magnitude().multiply_add(c(&SLOPE), one));
            let mut p = c(&FIFTH);
            for coefficient in &OTHERS {
                p = p.multiply_add(t, c(coefficient));
            }
            // What the error function of the magnitude lacks to one: of the
            // unit's share, half is on the side away from the sign.
            let exponent = x.multiply(x).multiply(c(&MINUS_ONE));
            let lacks = p.multiply(t).multiply(exp(exponent));
            let half = v.multiply(c(&HALF));
            let size = half.magnitude();
            let away = size.multiply(lacks);
            half.add(size).add(away.multiply(c(&MINUS_ONE)))
        });
    }
}

/// A weight, if it is there in the given shape.
///
/// # Errors
/// If it is missing or has another shape.
pub fn get<'a>(
    weights: &'a Weights,
    name: &str,
    shape: &[usize],
) -> Result<&'a Weight, ModelError> {
    let weight = weights.get(name).ok_or_else(|| ModelError::FrontEnd {
        reason: format!("`{name}` is missing"),
    })?;
    if weight.shape() != shape {
        return Err(ModelError::FrontEnd {
            reason: format!("`{name}` is {:?}, expected {shape:?}", weight.shape()),
        });
    }
    Ok(weight)
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
