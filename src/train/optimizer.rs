//! AdamW's surroundings: seeded weights, clipped gradients, averaged weights.

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
/// for its recurrent layers, in the order of their names: the same seed gives
/// the same network.
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

/// A running mean of the weights, which holds better on new voices than any
/// single state (Polyak & Juditsky 1992).
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
