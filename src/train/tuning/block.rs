//! The last transformer block of Whisper's encoder as a graph that gradients
//! flow through; in use, [`crate::model::front_ends`] runs the same weights.

use super::operations::{Gelu, Product};
use crate::model::weights::{Precision, Weight, Weights};
use candle_core::{D, Device, Result, Tensor, Var};
use std::collections::BTreeMap;

/// Values of one attention head.
const HEAD: usize = 64;

/// As PyTorch's layer normalisation.
const EPSILON: f64 = 1e-5;

/// Added to the scores of padding: its attention becomes zero.
const MASKED: f32 = -1e9;

/// A block whose weights can be moved.
pub struct TrainableBlock {
    vars: BTreeMap<String, Var>,
    width: usize,
}

impl TrainableBlock {
    /// Takes the weights called `name` and a dot and something.
    ///
    /// # Errors
    /// If a variable cannot be made.
    pub fn new(weights: &Weights, name: &str) -> Result<TrainableBlock> {
        let prefix = format!("{name}.");
        let vars: BTreeMap<String, Var> = weights
            .iter()
            .filter_map(|(name, weight)| {
                let own = name.strip_prefix(&prefix)?;
                let values = Tensor::from_vec(weight.to_f32(), weight.shape(), &Device::Cpu);
                let var = values.and_then(|values| Var::from_tensor(&values));
                Some(var.map(|var| (own.to_owned(), var)))
            })
            .collect::<Result<_>>()?;
        let width = match vars.get("fc2.weight") {
            Some(weight) => weight.dim(0)?,
            None => candle_core::bail!("`{name}` is no block of Whisper's encoder"),
        };
        Ok(TrainableBlock { vars, width })
    }

    /// The weights that move, by name.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// `[batch, steps, width]` → the same; sequence `i` is `lengths[i]` steps
    /// long and what becomes of the padding means nothing.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, x: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        let (batch, n_steps, width) = x.dims3()?;
        let padding: Vec<f32> = lengths
            .iter()
            .flat_map(|&n| (0..n_steps).map(move |t| if t < n { 0.0 } else { MASKED }))
            .collect();
        let padding = Tensor::from_vec(padding, (batch, 1, 1, n_steps), x.device())?;
        let x = x.reshape((batch * n_steps, width))?;
        let normal = self.norm("self_attn_layer_norm", &x)?;
        let heads = |part: &str| {
            self.dense(&format!("self_attn.{part}"), &normal)?
                .reshape((batch, n_steps, width / HEAD, HEAD))?
                .transpose(1, 2)?
                .contiguous()
        };
        let queries = (heads("q_proj")? / (HEAD as f64).sqrt())?;
        let scores = queries.matmul(&heads("k_proj")?.t()?)?;
        let attention = candle_nn::ops::softmax(&scores.broadcast_add(&padding)?, D::Minus1)?;
        let mixed = attention
            .matmul(&heads("v_proj")?)?
            .transpose(1, 2)?
            .reshape((batch * n_steps, width))?;
        let x = (x + self.dense("self_attn.out_proj", &mixed)?)?;
        let hidden = self.dense("fc1", &self.norm("final_layer_norm", &x)?)?;
        let x = (&x + self.dense("fc2", &hidden.apply_op1(Gelu)?)?)?;
        x.reshape((batch, n_steps, width))
    }

    /// The weights with the block's replaced by `moved`, rounded to 8 bits a
    /// row as they came.
    ///
    /// # Errors
    /// If a weight cannot be read.
    pub fn merged(
        weights: &Weights,
        name: &str,
        moved: &BTreeMap<String, Tensor>,
    ) -> Result<Weights> {
        let mut weights = weights.clone();
        for (own, tensor) in moved {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            let precision = match tensor.rank() {
                1 => Precision::Full,
                _ => Precision::Eight,
            };
            let weight = Weight::new(tensor.dims(), &values, precision);
            weights.insert(format!("{name}.{own}"), weight);
        }
        Ok(weights)
    }

    fn var(&self, name: &str) -> Result<&Tensor> {
        match self.vars.get(name) {
            Some(var) => Ok(var.as_tensor()),
            None => candle_core::bail!("the block lacks the weight {name}"),
        }
    }

    fn dense(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let product = x.apply_op2(self.var(&format!("{name}.weight"))?, Product)?;
        // Whisper's keys have no bias.
        match self.vars.get(&format!("{name}.bias")) {
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }

    fn norm(&self, name: &str, x: &Tensor) -> Result<Tensor> {
        let n = self.width as f64;
        let centred = x.broadcast_sub(&(x.sum_keepdim(1)? / n)?)?;
        let variance = (centred.sqr()?.sum_keepdim(1)? / n)?;
        centred
            .broadcast_div(&(variance + EPSILON)?.sqrt()?)?
            .broadcast_mul(self.var(&format!("{name}.weight"))?)?
            .broadcast_add(self.var(&format!("{name}.bias"))?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::features::FeatureMatrix;
    use crate::model::front_ends::WhisperEncoder;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    pub const WIDTH: usize = 128;

    fn random(shape: &[usize], scale: f32, rng: &mut StdRng) -> Weight {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| rng.random_range(-scale..scale)).collect();
        Weight::new(shape, &values, Precision::Full)
    }

    /// An encoder of two blocks, as files name its weights.
    pub fn weights() -> Weights {
        let mut rng = StdRng::seed_from_u64(5);
        let w = WIDTH;
        let mut shapes = vec![
            ("conv1.weight".to_owned(), vec![w, 8, 3]),
            ("conv1.bias".to_owned(), vec![w]),
            ("conv2.weight".to_owned(), vec![w, w, 3]),
            ("conv2.bias".to_owned(), vec![w]),
            ("embed_positions.weight".to_owned(), vec![40, w]),
        ];
        for block in 0..2 {
            for (part, shape) in [
                ("self_attn.q_proj.weight", vec![w, w]),
                ("self_attn.q_proj.bias", vec![w]),
                ("self_attn.k_proj.weight", vec![w, w]),
                ("self_attn.v_proj.weight", vec![w, w]),
                ("self_attn.v_proj.bias", vec![w]),
                ("self_attn.out_proj.weight", vec![w, w]),
                ("self_attn.out_proj.bias", vec![w]),
                ("self_attn_layer_norm.weight", vec![w]),
                ("self_attn_layer_norm.bias", vec![w]),
                ("final_layer_norm.weight", vec![w]),
                ("final_layer_norm.bias", vec![w]),
                ("fc1.weight", vec![4 * w, w]),
                ("fc1.bias", vec![4 * w]),
                ("fc2.weight", vec![w, 4 * w]),
                ("fc2.bias", vec![w]),
            ] {
                shapes.push((format!("layers.{block}.{part}"), shape));
            }
        }
        shapes
            .into_iter()
            .map(|(name, shape)| (name, random(&shape, 0.2, &mut rng)))
            .collect()
    }

    pub fn frames(n: usize, seed: u64) -> FeatureMatrix {
        let mut rng = StdRng::seed_from_u64(seed);
        let values = (0..n * WIDTH).map(|_| rng.random_range(-1.0..1.0f32));
        FeatureMatrix::from_rows(values.collect(), WIDTH)
    }

    fn tensor(matrix: &FeatureMatrix) -> Result<Tensor> {
        let shape = (1, matrix.n_frames(), WIDTH);
        Tensor::from_slice(matrix.as_slice(), shape, &Device::Cpu)
    }

    #[test]
    fn it_is_the_block_in_use_and_padding_changes_nothing() -> Result<()> {
        let weights = weights();
        let in_use = WhisperEncoder::new(&weights).map_err(candle_core::Error::wrap)?;
        let block = TrainableBlock::new(&weights, "layers.1")?;
        let (short, long) = (frames(9, 1), frames(14, 2));
        let padded = tensor(&short)?.pad_with_zeros(1, 0, 5)?;
        let batch = Tensor::cat(&[padded, tensor(&long)?], 0)?;
        let together = block.forward(&batch, &[9, 14])?;
        for (i, own) in [short, long].iter().enumerate() {
            let expected = tensor(&in_use.last_block(own))?;
            let actual = together.narrow(0, i, 1)?.narrow(1, 0, own.n_frames())?;
            let difference = (expected - actual)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-4, "{difference}");
        }
        Ok(())
    }

    #[test]
    fn every_weight_has_the_slope_that_small_steps_show() -> Result<()> {
        let block = TrainableBlock::new(&weights(), "layers.1")?;
        let x = tensor(&frames(6, 3))?;
        let towards = tensor(&frames(6, 4))?;
        let loss = || block.forward(&x, &[6])?.mul(&towards)?.sum_all();
        let gradients = loss()?.backward()?;
        for (name, var) in block.vars() {
            let gradient = match gradients.get(var) {
                Some(gradient) => gradient.clone(),
                None => panic!("{name} has no gradient"),
            };
            // Along the gradient itself the slope is its norm.
            let norm = gradient.sqr()?.sum_all()?.to_scalar::<f32>()?.sqrt();
            let step = 2e-3 / f64::from(norm).max(1.0);
            let start = var.as_tensor().copy()?;
            let mut values = [0.0; 2];
            for (value, sign) in values.iter_mut().zip([1.0, -1.0]) {
                var.set(&(&start + (&gradient * (sign * step))?)?)?;
                *value = f64::from(loss()?.to_scalar::<f32>()?);
            }
            var.set(&start)?;
            let slope = (values[0] - values[1]) / (2.0 * step);
            let expected = f64::from(norm).powi(2);
            let off = (slope - expected).abs() / expected;
            assert!(off < 0.05, "{name}: {slope} for {expected}");
        }
        Ok(())
    }

    #[test]
    fn what_moved_replaces_what_was_and_nothing_else() -> Result<()> {
        let weights = weights();
        let moved = Tensor::full(0.5f32, (WIDTH, WIDTH), &Device::Cpu)?;
        let moved = BTreeMap::from([("self_attn.q_proj.weight".to_owned(), moved)]);
        let merged = TrainableBlock::merged(&weights, "layers.1", &moved)?;
        assert_eq!(merged.len(), weights.len());
        for (name, weight) in &merged {
            if name == "layers.1.self_attn.q_proj.weight" {
                assert!(weight.to_f32().iter().all(|v| (v - 0.5).abs() < 1e-6));
            } else {
                assert_eq!(weight, &weights[name], "{name}");
            }
        }
        Ok(())
    }
}
