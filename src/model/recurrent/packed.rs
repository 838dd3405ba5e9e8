//! Recurrent layers in use: weights packed once, memory that does not grow with
//! the sequences, every read of the weights shared by all that step together.

use super::cell::advance;
use super::schedule::Schedule;
use crate::model::header::Cell;
use crate::model::matmul::{Lanes, PackedMatrix, Scratch, Work, on_best_unit};

/// Rows of a projection at once: they stay in the second cache until their
/// steps are taken.
const N_ROWS_AT_ONCE: usize = 32;

/// Layers upon layers, each over the whole sequence.
#[derive(Clone, Debug)]
pub struct PackedStack {
    /// The layers, the first first.
    pub layers: Vec<PackedLayer>,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct PackedLayer {
    /// The recurrence.
    pub cell: Cell,
    /// One or two: forward, backward.
    pub directions: Vec<PackedDirection>,
}

/// Weights of one direction.
#[derive(Clone, Debug)]
pub struct PackedDirection {
    /// `[gates · hidden, inputs]`.
    input: PackedMatrix,
    /// `[gates · hidden, hidden]`.
    recurrent: PackedMatrix,
    /// Both biases' sum, `[gates · hidden]`.
    biases: Vec<f32>,
}

/// Memory for a block of steps.
#[derive(Default)]
pub(super) struct Buffers {
    scratch: Scratch,
    /// Inputs, `[rows, inputs]`.
    inputs: Vec<f32>,
    /// Pre-activations, `[rows, gates · hidden]`.
    gates: Vec<f32>,
}

/// What the sequences of one direction remember from step to step.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    /// Hidden states, `[sequences, hidden]`.
    states: Vec<f32>,
    /// Cell states, `[sequences, hidden]`; an LSTM's alone.
    cells: Vec<f32>,
}

impl Memory {
    /// Before the first step.
    pub fn new(n_sequences: usize, hidden: usize) -> Memory {
        Memory {
            states: vec![0.0; n_sequences * hidden],
            cells: vec![0.0; n_sequences * hidden],
        }
    }
}

impl PackedStack {
    /// What every layer makes of `x` `[sequences, steps, inputs]`, the first
    /// layer's output first, each `[sequences, steps, directions · hidden]`.
    /// Sequence `i` is `lengths[i]` steps long; what follows is not read, and
    /// comes out as zeros.
    ///
    /// # Panics
    /// If `x` holds no whole sequences, or a length exceeds the steps.
    pub fn outputs(&self, x: &[f32], lengths: &[usize]) -> Vec<Vec<f32>> {
        let schedule = Schedule::new(lengths);
        let mut buffers = Buffers::default();
        let mut outputs: Vec<Vec<f32>> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let x = outputs.last().map_or(x, Vec::as_slice);
            outputs.push(layer.run(x, lengths, &schedule, &mut buffers));
        }
        outputs
    }
}

impl PackedLayer {
    fn run(
        &self,
        x: &[f32],
        lengths: &[usize],
        schedule: &Schedule,
        buffers: &mut Buffers,
    ) -> Vec<f32> {
        let n_sequences = lengths.len().max(1);
        let width: usize = self.directions.iter().map(PackedDirection::hidden).sum();
        let n_inputs = self.directions[0].n_inputs();
        let n_steps = x.len() / (n_sequences * n_inputs);
        assert_eq!(x.len(), n_sequences * n_steps * n_inputs, "sequences");
        let mut out = vec![0.0; n_sequences * n_steps * width];
        for (i, direction) in self.directions.iter().enumerate() {
            let hidden = direction.hidden();
            let position = |sequence: usize, step: usize| {
                let time = if i == 0 {
                    step
                } else {
                    lengths[sequence] - 1 - step
                };
                sequence * n_steps + time
            };
            let mut memory = Memory::new(n_sequences, hidden);
            direction.run(
                self.cell,
                schedule,
                (&mut memory, &mut *buffers),
                x,
                position,
                |position, state| {
                    out[position * width + i * hidden..][..hidden].copy_from_slice(state);
                },
            );
        }
        out
    }
}

impl PackedDirection {
    /// A direction with `input` weights `[gates · hidden, inputs]`, `recurrent`
    /// ones `[gates · hidden, hidden]`, and both `biases`' sum `[gates · hidden]`.
    pub fn new(input: PackedMatrix, recurrent: PackedMatrix, biases: Vec<f32>) -> PackedDirection {
        PackedDirection {
            input,
            recurrent: recurrent.for_few_rows(),
            biases,
        }
    }

    /// Values a step takes in.
    pub fn n_inputs(&self) -> usize {
        self.input.n_inputs()
    }

    /// Units.
    pub fn hidden(&self) -> usize {
        self.recurrent.n_inputs()
    }

    /// Walks along all sequences from what they remember and hands out every
    /// hidden state; `position` says where a sequence's step lies.
    pub(super) fn run(
        &self,
        cell: Cell,
        schedule: &Schedule,
        (memory, buffers): (&mut Memory, &mut Buffers),
        x: &[f32],
        position: impl Fn(usize, usize) -> usize,
        mut emit: impl FnMut(usize, &[f32]),
    ) {
        let (hidden, n_inputs, n_gates) = (self.hidden(), self.n_inputs(), self.biases.len());
        let Buffers {
            scratch,
            inputs,
            gates,
        } = buffers;
        let n_at_once = (N_ROWS_AT_ONCE / schedule.order.len().max(1)).max(1);
        for first in (0..schedule.n_steps()).step_by(n_at_once) {
            let steps = first..schedule.n_steps().min(first + n_at_once);
            inputs.clear();
            gates.clear();
            for s in steps.clone() {
                for &sequence in &schedule.order[..schedule.n_running(s)] {
                    inputs.extend_from_slice(&x[position(sequence, s) * n_inputs..][..n_inputs]);
                    gates.extend_from_slice(&self.biases);
                }
            }
            self.input.add_product(gates, inputs, scratch);
            let mut rest = gates.as_mut_slice();
            for s in steps {
                let n = schedule.n_running(s);
                let (gates, later) = rest.split_at_mut(n * n_gates);
                rest = later;
                let states = &mut memory.states[..n * hidden];
                self.recurrent.add_product(gates, states, scratch);
                on_best_unit(Step {
                    cell,
                    gates,
                    cells: &mut memory.cells[..n * hidden],
                    states,
                    hidden,
                });
                for (state, &sequence) in states.chunks_exact(hidden).zip(&schedule.order) {
                    emit(position(sequence, s), state);
                }
            }
        }
    }
}

/// The gates of all sequences that step together.
struct Step<'a> {
    cell: Cell,
    gates: &'a [f32],
    cells: &'a mut [f32],
    states: &'a mut [f32],
    hidden: usize,
}

impl Work for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let n_gates = self.gates.len() / (self.states.len() / self.hidden);
        let memory = self.cells.chunks_exact_mut(self.hidden);
        let memory = memory.zip(self.states.chunks_exact_mut(self.hidden));
        for (gates, (cell_state, state)) in self.gates.chunks_exact(n_gates).zip(memory) {
            advance::<L>(self.cell, gates, cell_state, state);
        }
    }
}
