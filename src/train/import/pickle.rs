//! A PyTorch checkpoint.

use super::ImportError;
use crate::model::weights::{Precision, Weight, Weights};
use candle_core::pickle::PthTensors;
use std::path::Path;

/// Layers taken: the third knows who speaks, and no longer how.
const N_LAYERS: usize = 2;

/// The first layers of a speaker encoder, matrices in 8 bits.
pub fn speaker(path: &Path) -> Result<Weights, ImportError> {
    let fault = |reason: String| ImportError::Contents {
        format: "a PyTorch checkpoint",
        reason,
    };
    let file = PthTensors::new(path, Some("model_state")).map_err(|e| fault(e.to_string()))?;
    let mut weights = Weights::new();
    for layer in 0..N_LAYERS {
        for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
            let name = format!("{part}_l{layer}");
            let tensor = file
                .get(&format!("lstm.{name}"))
                .and_then(|t| {
                    t.map(|t| t.flatten_all()?.to_vec1::<f32>().map(|v| (t, v)))
                        .transpose()
                })
                .map_err(|e| fault(e.to_string()))?;
            let (tensor, values) = tensor.ok_or_else(|| fault(format!("no `lstm.{name}`")))?;
            let weight = Weight::new(tensor.dims(), &values, Precision::Eight);
            weights.insert(name, weight);
        }
    }
    Ok(weights)
}
