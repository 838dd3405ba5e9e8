//! Networks from named weights, for the side-by-side programs.

use std::collections::HashMap;
use undertone::model::header::Cell;
use undertone::model::recurrent::{PackedDirection, PackedLayer, PackedStack};
use undertone::model::weights::{Precision, Weight};

/// Shapes and row-major values by name.
pub type Named = HashMap<String, (Vec<usize>, Vec<f32>)>;

/// In full or in 8 bits.
pub fn precision(eight: bool) -> Precision {
    if eight {
        Precision::EIGHT_BITS
    } else {
        Precision::Full
    }
}

/// A weight, if there is one of the name.
pub fn weight(named: &Named, name: &str, precision: Precision) -> Option<Weight> {
    let (shape, values) = named.get(name)?;
    Some(Weight::new(shape, values, precision))
}

/// LSTM layers under PyTorch's names, bidirectional where the names say so;
/// `None` if one is missing.
pub fn lstm(named: &Named, eight: bool) -> Option<PackedStack> {
    let direction = |layer: usize, suffix: &str| {
        let get =
            |kind: &str, precision| weight(named, &format!("{kind}_l{layer}{suffix}"), precision);
        let biases = get("bias_ih", Precision::Full)?.to_f32();
        let others = get("bias_hh", Precision::Full)?.to_f32();
        Some(PackedDirection::new(
            get("weight_ih", precision(eight))?.pack(|i| i),
            get("weight_hh", precision(eight))?.pack(|i| i),
            biases.iter().zip(others).map(|(a, b)| a + b).collect(),
        ))
    };
    let layer = |layer: usize| {
        let forward = direction(layer, "")?;
        let directions = [Some(forward), direction(layer, "_reverse")];
        Some(PackedLayer {
            cell: Cell::Lstm,
            directions: directions.into_iter().flatten().collect(),
        })
    };
    let layers: Vec<PackedLayer> = (0..).map_while(layer).collect();
    (!layers.is_empty()).then_some(PackedStack { layers })
}
