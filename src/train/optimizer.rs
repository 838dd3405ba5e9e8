//! Seeded weights, clipped gradients, AdamW, averaged weights.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use candle_nn::VarMap;
use rand::Rng;
use std::collections::BTreeMap;

/// Variables by name, in a fixed order.
pub fn named(map: &VarMap) -> BTreeMap<String, Var> {
    match map.data().lock() {
        Ok(data) => data.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        Err(_) => BTreeMap::new(),
    }
}

/// Draws every weight matrix anew, uniform within ±1/√inputs as PyTorch does
/// for its recurrent layers, in the order of their names, and takes biases from
/// zero: the same seed gives the same network.
///
/// # Errors
/// If a variable cannot be set.
pub fn seed_weights(vars: &BTreeMap<String, Var>, rng: &mut impl Rng) -> Result<()> {
    for var in vars.values().filter(|v| v.rank() == 2) {
        let (rows, columns) = var.dims2()?;
        let bound = 1.0 / (columns as f32).sqrt();
        let values: Vec<f32> = (0..rows * columns)
            .map(|_| rng.random_range(-bound..bound))
            .collect();
        var.set(&Tensor::from_vec(values, (rows, columns), var.device())?)?;
    }
    for (_, var) in vars.iter().filter(|(name, _)| name.ends_with("bias")) {
        var.set(&var.zeros_like()?)?;
    }
    Ok(())
}

/// Scales all gradients so that their common norm is at most `limit`.
///
/// # Errors
/// If a tensor operation fails.
pub fn clip(gradients: &mut GradStore, vars: &BTreeMap<String, Var>, limit: f64) -> Result<()> {
    let mut sum = 0.0;
    for var in vars.values() {
        if let Some(gradient) = gradients.get(var) {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    let norm = sum.sqrt();
    if norm > limit {
        for var in vars.values() {
            if let Some(gradient) = gradients.remove(var) {
                gradients.insert(var, gradient.affine(limit / norm, 0.0)?);
            }
        }
    }
    Ok(())
}

/// AdamW (Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization",
/// algorithm 2) with β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸. Its moments can be kept and
/// taken up again, which candle's do not allow.
#[derive(Clone)]
pub struct AdamW {
    weight_decay: f64,
    steps: usize,
    first: BTreeMap<String, Tensor>,
    second: BTreeMap<String, Tensor>,
}

impl AdamW {
    const BETAS: [f64; 2] = [0.9, 0.999];
    const EPSILON: f64 = 1e-8;

    /// Before the first step.
    pub fn new(weight_decay: f64) -> AdamW {
        AdamW {
            weight_decay,
            steps: 0,
            first: BTreeMap::new(),
            second: BTreeMap::new(),
        }
    }

    /// After `steps` steps that led to these moments.
    pub fn resumed(
        weight_decay: f64,
        steps: usize,
        first: BTreeMap<String, Tensor>,
        second: BTreeMap<String, Tensor>,
    ) -> AdamW {
        AdamW {
            weight_decay,
            steps,
            first,
            second,
        }
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Running means of the gradients and of their squares, by variable.
    pub fn moments(&self) -> (&BTreeMap<String, Tensor>, &BTreeMap<String, Tensor>) {
        (&self.first, &self.second)
    }

    /// Moves every variable that has a gradient.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(
        &mut self,
        vars: &BTreeMap<String, Var>,
        gradients: &GradStore,
        learning_rate: f64,
    ) -> Result<()> {
        self.steps += 1;
        let [unbiased_first, unbiased_second] =
            Self::BETAS.map(|beta| 1.0 / (1.0 - beta.powi(self.steps as i32)));
        for (name, var) in vars {
            let Some(gradient) = gradients.get(var) else {
                continue;
            };
            let [beta_first, beta_second] = Self::BETAS;
            let first = moved(self.first.get(name), gradient, beta_first)?;
            let second = moved(self.second.get(name), &gradient.sqr()?, beta_second)?;
            let scale = (second.affine(unbiased_second, 0.0)?.sqrt()? + Self::EPSILON)?;
            let direction = first
                .affine(unbiased_first * learning_rate, 0.0)?
                .div(&scale)?;
            let kept = var
                .as_tensor()
                .affine(1.0 - learning_rate * self.weight_decay, 0.0)?;
            var.set(&kept.sub(&direction)?)?;
            self.first.insert(name.clone(), first);
            self.second.insert(name.clone(), second);
        }
        Ok(())
    }
}

/// A running mean, from zero, with one more value.
fn moved(mean: Option<&Tensor>, value: &Tensor, beta: f64) -> Result<Tensor> {
    let new = value.affine(1.0 - beta, 0.0)?;
    match mean {
        Some(mean) => mean.affine(beta, 0.0)? + new,
        None => Ok(new),
    }
}

/// A running mean of the weights, which holds better on new voices than any
/// single state (Polyak & Juditsky 1992).
#[derive(Clone)]
pub struct Average {
    decay: f64,
    n_updates: usize,
    values: BTreeMap<String, Tensor>,
}

impl Average {
    /// An average that forgets half of what it knows in about `0.7 / (1 −
    /// decay)` updates.
    pub fn new(decay: f64) -> Average {
        Average {
            decay,
            n_updates: 0,
            values: BTreeMap::new(),
        }
    }

    /// Holds given weights.
    pub fn of(values: BTreeMap<String, Tensor>) -> Average {
        Average {
            decay: 1.0,
            n_updates: 0,
            values,
        }
    }

    /// After `n_updates` updates that led to these weights.
    pub fn resumed(decay: f64, n_updates: usize, values: BTreeMap<String, Tensor>) -> Average {
        Average {
            decay,
            n_updates,
            values,
        }
    }

    /// Updates done.
    pub fn updates(&self) -> usize {
        self.n_updates
    }

    /// Takes in the present weights.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn update(&mut self, vars: &BTreeMap<String, Var>) -> Result<()> {
        // Early on, the first random weights must be forgotten sooner.
        let n = self.n_updates as f64;
        let decay = self.decay.min((1.0 + n) / (10.0 + n));
        self.n_updates += 1;
        for (name, var) in vars {
            let now = var.as_tensor().detach();
            let mean = match self.values.get(name) {
                Some(mean) => (mean.affine(decay, 0.0)? + now.affine(1.0 - decay, 0.0)?)?,
                None => now.copy()?,
            };
            self.values.insert(name.clone(), mean);
        }
        Ok(())
    }

    /// The mean weights by name.
    pub fn weights(&self) -> &BTreeMap<String, Tensor> {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use candle_nn::Optimizer;

    #[test]
    fn gradients_are_scaled_to_the_limit() -> Result<()> {
        let var = Var::from_slice(&[3f32, 4.0], 2, &Device::Cpu)?;
        let vars = BTreeMap::from([("w".to_owned(), var.clone())]);
        // d/dw of w²/2 is w, of norm five.
        let mut gradients = var.sqr()?.affine(0.5, 0.0)?.sum_all()?.backward()?;
        clip(&mut gradients, &vars, 1.0)?;
        let clipped = gradients.get(&var).expect("there").to_vec1::<f32>()?;
        assert!((clipped[0] - 0.6).abs() < 1e-6 && (clipped[1] - 0.8).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn steps_are_those_of_candle() -> Result<()> {
        let start = [3f32, -4.0, 0.5];
        let (ours, theirs) = (
            Var::from_slice(&start, 3, &Device::Cpu)?,
            Var::from_slice(&start, 3, &Device::Cpu)?,
        );
        let vars = BTreeMap::from([("w".to_owned(), ours.clone())]);
        let mut optimizer = AdamW::new(0.05);
        let mut reference = candle_nn::AdamW::new(
            vec![theirs.clone()],
            candle_nn::ParamsAdamW {
                lr: 0.01,
                weight_decay: 0.05,
                ..Default::default()
            },
        )?;
        for _ in 0..50 {
            let loss = |w: &Var| w.sqr()?.sqr()?.sum_all();
            optimizer.step(&vars, &loss(&ours)?.backward()?, 0.01)?;
            reference.step(&loss(&theirs)?.backward()?)?;
        }
        let difference = (ours.as_tensor() - theirs.as_tensor())?.abs()?.max_all()?;
        assert!(difference.to_scalar::<f32>()? < 1e-6);
        assert!(ours.to_vec1::<f32>()?[0] < 2.6, "it moved");
        Ok(())
    }

    #[test]
    fn an_average_lies_between() -> Result<()> {
        let var = Var::from_slice(&[0f32], 1, &Device::Cpu)?;
        let vars = BTreeMap::from([("w".to_owned(), var.clone())]);
        let mut average = Average::new(0.5);
        average.update(&vars)?;
        var.set(&Tensor::from_slice(&[1f32], 1, &Device::Cpu)?)?;
        average.update(&vars)?;
        let mean = average.weights()["w"].to_vec1::<f32>()?[0];
        assert!(mean > 0.0 && mean < 1.0, "{mean}");
        Ok(())
    }
}
