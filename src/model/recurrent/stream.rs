//! The same layers over a stream: the state is carried from piece to piece, so
//! every step is computed once, however often somebody asks.

use super::PackedStack;
use super::packed::{Buffers, Memory};
use super::schedule::Schedule;
use candle_core::Result;

/// What a stream's layers remember.
#[derive(Clone, Debug)]
pub struct RecurrentState {
    layers: Vec<Memory>,
}

impl PackedStack {
    /// The state before a stream's first step.
    ///
    /// # Errors
    /// If a layer also reads backwards: it needs the end before the beginning.
    pub fn start(&self) -> Result<RecurrentState> {
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let [direction] = layer.directions.as_slice() else {
                candle_core::bail!("a layer that reads backwards cannot follow a stream")
            };
            layers.push(Memory::new(1, direction.hidden()));
        }
        Ok(RecurrentState { layers })
    }

    /// The next steps of a stream, `[steps, inputs]`: what every layer makes of
    /// them, `[steps, hidden]`, the first layer's first. Any partition of a
    /// sequence gives what [`PackedStack::outputs`] gives for the whole.
    pub fn advance(&self, x: &[f32], state: &mut RecurrentState) -> Vec<Vec<f32>> {
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        let mut buffers = Buffers::default();
        for (layer, memory) in self.layers.iter().zip(&mut state.layers) {
            let x = outputs.last().map_or(x, Vec::as_slice);
            let direction = &layer.directions[0];
            let n_steps = x.len() / direction.n_inputs();
            let mut out = Vec::with_capacity(n_steps * direction.hidden());
            direction.run(
                layer.cell,
                &Schedule::new(&[n_steps]),
                (memory, &mut buffers),
                x,
                |_, step| step,
                |_, states| out.extend_from_slice(states),
            );
            outputs.push(out);
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::header::{Cell, RecurrentConfig};
    use crate::model::recurrent::RecurrentStack;
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};
    use proptest::prelude::*;

    fn stack(cell: Cell, bidirectional: bool) -> PackedStack {
        let config = RecurrentConfig {
            cell,
            hidden: 12,
            n_layers: 2,
            bidirectional,
        };
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        let stack = RecurrentStack::new(&config, 5, &vb).expect("the shape is valid");
        stack.to_packed().expect("on the processor")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_partition_gives_the_whole(cuts in prop::collection::vec(0usize..40, 0..6)) {
            for cell in [Cell::Lstm, Cell::SimpleRnn] {
                let stack = stack(cell, false);
                let x: Vec<f32> = (0..40 * 5).map(|i| (i as f32 * 0.37).sin()).collect();
                let whole = stack.outputs(&x, &[40]);
                let mut cuts = cuts.clone();
                cuts.extend([0, 40]);
                cuts.sort_unstable();
                let mut state = stack.start().expect("one direction");
                let mut parts = vec![Vec::new(); 2];
                for cut in cuts.windows(2) {
                    let piece = &x[cut[0] * 5..cut[1] * 5];
                    for (all, part) in parts.iter_mut().zip(stack.advance(piece, &mut state)) {
                        all.extend(part);
                    }
                }
                for (whole, parts) in whole.iter().zip(&parts) {
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
