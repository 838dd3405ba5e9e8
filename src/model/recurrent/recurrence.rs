//! The loop over time as a differentiable candle operation, for training.

use super::cell::{Kept, step, step_back};
use super::schedule::Schedule;
use crate::model::affine::n_cores;
use crate::model::header::Cell;
use crate::model::matmul::{Matrix, PackedMatrix, Scratch, add_product};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use std::sync::{Mutex, PoisonError};

/// From this many sequences on the two directions run on two threads.
const MIN_BATCH_FOR_THREADS: usize = 8;

/// `(projected [batch, steps, directions · gates · hidden], recurrent weights
/// [directions, gates · hidden, hidden]) → [batch, steps, directions · hidden]`.
pub struct Recurrence {
    cell: Cell,
    lengths: Vec<usize>,
    /// What the forward pass kept, one a direction.
    tapes: Mutex<Vec<Tape>>,
}

/// A direction's history; rows are steps' running sequences, one after another.
struct Tape {
    /// Activated gates, `[rows, gates · hidden]`.
    gates: Vec<f32>,
    /// Cell states after each step, `[rows, hidden]`.
    cells: Vec<f32>,
    /// Hidden states after each step, `[rows, hidden]`.
    states: Vec<f32>,
}

/// Sizes that both passes share.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    n_steps: usize,
    directions: usize,
    hidden: usize,
    n_rows: usize,
}

impl Recurrence {
    /// A recurrence over sequences of these lengths, in steps.
    pub fn new(cell: Cell, lengths: Vec<usize>) -> Recurrence {
        Recurrence {
            cell,
            lengths,
            tapes: Mutex::new(Vec::new()),
        }
    }

    fn sizes(&self, projected: &[usize], weights: &[usize]) -> Result<Sizes> {
        let (&[batch, n_steps, width], &[directions, n_rows, hidden]) = (projected, weights) else {
            candle_core::bail!(
                "a recurrence takes [batch, steps, width] and [directions, rows, hidden], got {projected:?} and {weights:?}"
            )
        };
        let fits = width == directions * n_rows
            && n_rows == self.cell.n_gates() * hidden
            && self.lengths.len() == batch
            && self.lengths.iter().all(|&l| l <= n_steps);
        if !fits {
            candle_core::bail!(
                "a recurrence over {projected:?} with weights {weights:?} and lengths {:?}",
                self.lengths
            )
        }
        Ok(Sizes {
            batch,
            n_steps,
            directions,
            hidden,
            n_rows,
        })
    }

    /// Position of a row's sequence in `[batch, steps]`, in order of steps.
    fn position(&self, sizes: Sizes, sequence: usize, step: usize, direction: usize) -> usize {
        let time = if direction == 0 {
            step
        } else {
            self.lengths[sequence] - 1 - step
        };
        sequence * sizes.n_steps + time
    }

    fn run(&self, sizes: Sizes, projected: &[f32], weights: &[f32], direction: usize) -> Tape {
        let schedule = Schedule::new(&self.lengths);
        let Sizes {
            hidden,
            n_rows,
            directions,
            ..
        } = sizes;
        let size = n_rows * hidden;
        let weights = &weights[direction * size..(direction + 1) * size];
        let weights = PackedMatrix::new(weights, n_rows, hidden);
        let mut scratch = Scratch::default();
        let mut tape = Tape {
            gates: vec![0.0; schedule.n_rows() * n_rows],
            cells: vec![0.0; schedule.n_rows() * hidden],
            states: vec![0.0; schedule.n_rows() * hidden],
        };
        for s in 0..schedule.n_steps() {
            let (row, n) = (schedule.first_row[s], schedule.n_running(s));
            let gates = &mut tape.gates[row * n_rows..(row + n) * n_rows];
            for (gates, &sequence) in gates.chunks_exact_mut(n_rows).zip(&schedule.order) {
                let from = (self.position(sizes, sequence, s, direction) * directions + direction)
                    * n_rows;
                gates.copy_from_slice(&projected[from..from + n_rows]);
            }
            let (states_before, states) = tape.states.split_at_mut(row * hidden);
            let (cells_before, cells) = tape.cells.split_at_mut(row * hidden);
            if s > 0 {
                let previous = schedule.first_row[s - 1] * hidden;
                let states = &states_before[previous..previous + n * hidden];
                weights.add_product(gates, states, &mut scratch);
                cells[..n * hidden].copy_from_slice(&cells_before[previous..previous + n * hidden]);
            }
            let rows = gates.chunks_exact_mut(n_rows);
            let outputs = cells
                .chunks_exact_mut(hidden)
                .zip(states.chunks_exact_mut(hidden));
            for (gates, (cell_state, state)) in rows.zip(outputs) {
                step(self.cell, gates, cell_state, state);
            }
        }
        tape
    }

    /// Gradients of the projected inputs (one direction's rows, in the tape's
    /// order) and of the recurrent weights.
    fn run_back(
        &self,
        sizes: Sizes,
        weights: &[f32],
        tape: &Tape,
        d_out: &[f32],
        direction: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let schedule = Schedule::new(&self.lengths);
        let Sizes {
            hidden,
            n_rows,
            directions,
            batch,
            ..
        } = sizes;
        let size = n_rows * hidden;
        let weights = &weights[direction * size..(direction + 1) * size];
        // From gates back to units: the columns are the outputs.
        let weights = PackedMatrix::from_columns(Matrix::new(weights, n_rows, hidden));
        let mut scratch = Scratch::default();
        let mut d_gates = vec![0.0; schedule.n_rows() * n_rows];
        // Rows of sequences that have not started (on the way back) stay zero.
        let mut d_state = vec![0.0; batch * hidden];
        let mut d_cell = vec![0.0; batch * hidden];
        let mut previous_states = vec![0.0; schedule.n_rows() * hidden];
        for s in (0..schedule.n_steps()).rev() {
            let (row, n) = (schedule.first_row[s], schedule.n_running(s));
            let previous = (s > 0).then(|| schedule.first_row[s - 1]);
            for (j, &sequence) in schedule.order.iter().enumerate().take(n) {
                let from = (self.position(sizes, sequence, s, direction) * directions + direction)
                    * hidden;
                let d_hidden = &mut d_state[j * hidden..(j + 1) * hidden];
                for (d, out) in d_hidden.iter_mut().zip(&d_out[from..from + hidden]) {
                    *d += out;
                }
                let at = row + j;
                let kept = Kept {
                    gates: &tape.gates[at * n_rows..(at + 1) * n_rows],
                    cell_state: &tape.cells[at * hidden..(at + 1) * hidden],
                    previous_cell_state: previous
                        .map(|p| &tape.cells[(p + j) * hidden..(p + j + 1) * hidden]),
                };
                step_back(
                    self.cell,
                    kept,
                    d_hidden,
                    &mut d_cell[j * hidden..(j + 1) * hidden],
                    &mut d_gates[at * n_rows..(at + 1) * n_rows],
                );
            }
            if let Some(previous) = previous {
                let d_state = &mut d_state[..n * hidden];
                d_state.fill(0.0);
                weights.add_product(
                    d_state,
                    &d_gates[row * n_rows..(row + n) * n_rows],
                    &mut scratch,
                );
                previous_states[row * hidden..(row + n) * hidden]
                    .copy_from_slice(&tape.states[previous * hidden..(previous + n) * hidden]);
            }
        }
        let mut d_weights = vec![0.0; size];
        add_product(
            &mut d_weights,
            Matrix::new(&d_gates, schedule.n_rows(), n_rows).transpose(),
            Matrix::new(&previous_states, schedule.n_rows(), hidden),
        );
        (d_gates, d_weights)
    }

    /// Copies rows of a tape back to `[batch, steps, directions · width]`.
    fn scatter(&self, sizes: Sizes, rows: &[f32], width: usize, direction: usize, out: &mut [f32]) {
        let schedule = Schedule::new(&self.lengths);
        for s in 0..schedule.n_steps() {
            let first = schedule.first_row[s];
            for (j, &sequence) in schedule
                .order
                .iter()
                .enumerate()
                .take(schedule.n_running(s))
            {
                let to = (self.position(sizes, sequence, s, direction) * sizes.directions
                    + direction)
                    * width;
                out[to..to + width]
                    .copy_from_slice(&rows[(first + j) * width..(first + j + 1) * width]);
            }
        }
    }
}

/// Runs `work` for each direction, in parallel where that pays.
fn each_direction<T: Send>(sizes: Sizes, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = sizes.directions == 2 && sizes.batch >= MIN_BATCH_FOR_THREADS && n_cores() > 1;
    if !threads {
        return (0..sizes.directions).map(work).collect();
    }
    std::thread::scope(|scope| {
        let forward = scope.spawn(|| work(0));
        let backward = work(1);
        match forward.join() {
            Ok(forward) => vec![forward, backward],
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::Msg("a recurrence takes contiguous tensors".into()))?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

impl CustomOp2 for Recurrence {
    fn name(&self) -> &'static str {
        "recurrence"
    }

    fn cpu_fwd(
        &self,
        projected: &CpuStorage,
        projected_layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(projected_layout.dims(), weights_layout.dims())?;
        let projected = slice(projected, projected_layout)?;
        let weights = slice(weights, weights_layout)?;
        let tapes = each_direction(sizes, |d| self.run(sizes, projected, weights, d));
        let width = sizes.directions * sizes.hidden;
        let mut out = vec![0.0; sizes.batch * sizes.n_steps * width];
        for (direction, tape) in tapes.iter().enumerate() {
            self.scatter(sizes, &tape.states, sizes.hidden, direction, &mut out);
        }
        *self.tapes.lock().unwrap_or_else(PoisonError::into_inner) = tapes;
        Ok((
            CpuStorage::F32(out),
            (sizes.batch, sizes.n_steps, width).into(),
        ))
    }

    fn bwd(
        &self,
        projected: &Tensor,
        weights: &Tensor,
        _out: &Tensor,
        d_out: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(projected.dims(), weights.dims())?;
        let d_out = d_out.flatten_all()?.to_vec1::<f32>()?;
        let weight_values = weights.flatten_all()?.to_vec1::<f32>()?;
        let tapes = self.tapes.lock().unwrap_or_else(PoisonError::into_inner);
        if tapes.len() != sizes.directions {
            candle_core::bail!("a recurrence cannot go back before it went forward")
        }
        let gradients = each_direction(sizes, |d| {
            self.run_back(sizes, &weight_values, &tapes[d], &d_out, d)
        });
        let mut d_projected = vec![0.0; projected.elem_count()];
        let mut d_weights = Vec::with_capacity(weights.elem_count());
        for (direction, (d_gates, d_recurrent)) in gradients.iter().enumerate() {
            self.scatter(sizes, d_gates, sizes.n_rows, direction, &mut d_projected);
            d_weights.extend_from_slice(d_recurrent);
        }
        let device = projected.device();
        Ok((
            Some(Tensor::from_vec(d_projected, projected.shape(), device)?),
            Some(Tensor::from_vec(d_weights, weights.shape(), device)?),
        ))
    }
}
