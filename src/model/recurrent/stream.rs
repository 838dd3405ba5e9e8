//! The same layers over a stream: the state is carried from piece to piece, so
//! every step is computed once, however often somebody asks.

use super::cell::step;
use super::kernel::Weights;
use super::{Layer, RecurrentStack};
use candle_core::{Device, Result, Tensor};

/// What a stream's layers remember.
#[derive(Clone, Debug)]
pub struct RecurrentState {
    layers: Vec<LayerState>,
}

#[derive(Clone, Debug)]
struct LayerState {
    /// `[hidden]`.
    hidden: Vec<f32>,
    /// `[hidden]`; an LSTM's alone.
    cell: Vec<f32>,
}

impl RecurrentStack {
    /// The state before a stream's first step.
    ///
    /// # Errors
    /// If a layer also reads backwards: it needs the end before the beginning.
    pub fn start(&self) -> Result<RecurrentState> {
        if self.config.bidirectional {
            candle_core::bail!("a layer that reads backwards cannot follow a stream")
        }
        let zeros = vec![0.0; self.config.hidden];
        let state = LayerState {
            hidden: zeros.clone(),
            cell: zeros,
        };
        Ok(RecurrentState {
            layers: vec![state; self.layers.len()],
        })
    }

    /// The next steps of a stream, `[steps, inputs]`: what every layer makes of
    /// them, `[steps, hidden]`, the first layer's first. Any partition of a
    /// sequence gives what [`RecurrentStack::outputs`] gives for the whole.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn advance(&self, x: Vec<f32>, state: &mut RecurrentState) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for (layer, state) in self.layers.iter().zip(&mut state.layers) {
            let x = outputs.last().unwrap_or(&x);
            outputs.push(layer.advance(self, x, state)?);
        }
        Ok(outputs)
    }
}

impl Layer {
    fn advance(
        &self,
        stack: &RecurrentStack,
        x: &[f32],
        state: &mut LayerState,
    ) -> Result<Vec<f32>> {
        let (hidden, cell) = (stack.config.hidden, stack.config.cell);
        let n_rows = cell.n_gates() * hidden;
        let n_inputs = self.input_weights.dim(1)?;
        let x = Tensor::from_slice(x, (x.len() / n_inputs, n_inputs), &Device::Cpu)?;
        let projected = x
            .matmul(&self.input_weights.t()?)?
            .broadcast_add(&self.biases)?;
        let mut gates = projected.flatten_all()?.to_vec1::<f32>()?;
        let weights = self.recurrent_weights.flatten_all()?.to_vec1::<f32>()?;
        let weights = Weights::new(&weights, hidden);
        let mut states = Vec::with_capacity(gates.len() / cell.n_gates());
        for gates in gates.chunks_exact_mut(n_rows) {
            weights.add_product(gates, &state.hidden, 1);
            step(cell, gates, &mut state.cell, &mut state.hidden);
            states.extend_from_slice(&state.hidden);
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::header::{Cell, RecurrentConfig};
    use candle_core::DType;
    use candle_nn::{VarBuilder, VarMap};
    use proptest::prelude::*;

    fn stack(cell: Cell, bidirectional: bool) -> RecurrentStack {
        let config = RecurrentConfig {
            cell,
            hidden: 12,
            n_layers: 2,
            bidirectional,
        };
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        RecurrentStack::new(&config, 5, &vb).expect("the shape is valid")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_partition_gives_the_whole(cuts in prop::collection::vec(0usize..40, 0..6)) {
            for cell in [Cell::Lstm, Cell::SimpleRnn] {
                let stack = stack(cell, false);
                let x: Vec<f32> = (0..40 * 5).map(|i| (i as f32 * 0.37).sin()).collect();
                let whole = Tensor::from_slice(&x, (1, 40, 5), &Device::Cpu).expect("a tensor");
                let whole = stack.outputs(&whole, &[40]).expect("runs");
                let mut cuts = cuts.clone();
                cuts.extend([0, 40]);
                cuts.sort_unstable();
                let mut state = stack.start().expect("one direction");
                let mut parts = vec![Vec::new(); 2];
                for cut in cuts.windows(2) {
                    let piece = x[cut[0] * 5..cut[1] * 5].to_vec();
                    for (all, part) in parts.iter_mut().zip(stack.advance(piece, &mut state).expect("runs")) {
                        all.extend(part);
                    }
                }
                for (whole, parts) in whole.iter().zip(&parts) {
                    let whole = whole.flatten_all().and_then(|w| w.to_vec1::<f32>()).expect("values");
                    prop_assert_eq!(whole.len(), parts.len());
                    for (a, b) in whole.iter().zip(parts) {
                        prop_assert!((a - b).abs() < 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn a_backward_layer_follows_no_stream() {
        assert!(stack(Cell::Lstm, true).start().is_err());
    }
}
