//! What one step does to one sequence: gates in, state out, and back.

use crate::model::activation::{gated_tanh, sigmoid, tanh};
use crate::model::header::Cell;
use crate::model::matmul::{Floats, Lanes, map_with};

/// Turns pre-activations into gates in place (kept for the way back), and
/// writes the new state. `gates` is `[gates · hidden]`, the rest `[hidden]`;
/// `cell_state` is used by [`Cell::Lstm`] alone.
pub fn step(cell: Cell, gates: &mut [f32], cell_state: &mut [f32], hidden_state: &mut [f32]) {
    let n = hidden_state.len();
    match cell {
        Cell::SimpleRnn => {
            for (h, g) in hidden_state.iter_mut().zip(gates) {
                *g = tanh(*g);
                *h = *g;
            }
        }
        Cell::Lstm => {
            // One simple loop a function, each of which becomes SIMD.
            let (input_and_forget, rest) = gates.split_at_mut(2 * n);
            let (g, o) = rest.split_at_mut(n);
            input_and_forget.iter_mut().for_each(|v| *v = sigmoid(*v));
            g.iter_mut().for_each(|v| *v = tanh(*v));
            o.iter_mut().for_each(|v| *v = sigmoid(*v));
            let (i, f) = input_and_forget.split_at(n);
            let written = i.iter().zip(f).zip(g.iter()).zip(cell_state.iter_mut());
            for (((i, f), g), c) in written {
                *c = f * *c + i * g;
            }
            let read = o.iter().zip(cell_state.iter());
            for (h, (o, c)) in hidden_state.iter_mut().zip(read) {
                *h = o * tanh(*c);
            }
        }
    }
}

/// The new state alone, as in use: [`step`] without what the way back needs.
#[inline(always)]
pub fn advance<L: Lanes>(
    cell: Cell,
    gates: &[f32],
    cell_state: &mut [f32],
    hidden_state: &mut [f32],
) {
    match cell {
        Cell::SimpleRnn => map_with::<L, 1>(hidden_state, [gates], |_, [g]| tanh(g)),
        Cell::Lstm => {
            let n = hidden_state.len();
            let [i, f, g, o] = [0, 1, 2, 3].map(|gate| &gates[gate * n..][..n]);
            // One after the other: a processor looks ahead further along short
            // chains of instructions than along long ones.
            map_with::<L, 3>(cell_state, [i, f, g], |c, [i, f, g]| {
                sigmoid(f).multiply_add(c, gated_tanh(i, g))
            });
            map_with::<L, 2>(hidden_state, [o, cell_state], |_, [o, c]| gated_tanh(o, c));
        }
    }
}

/// What [`step`] left behind, for the way back.
pub struct Kept<'a> {
    /// Activated gates, `[gates · hidden]`.
    pub gates: &'a [f32],
    /// Cell state after the step, `[hidden]`.
    pub cell_state: &'a [f32],
    /// Cell state before the step, `[hidden]`; `None` at the first step.
    pub previous_cell_state: Option<&'a [f32]>,
}

/// The derivative of [`step`]: from the gradient of the hidden state to that of
/// the pre-activations (`d_gates`), carrying the cell state's from step to
/// step in `d_cell`.
pub fn step_back(
    cell: Cell,
    kept: Kept,
    d_hidden: &[f32],
    d_cell: &mut [f32],
    d_gates: &mut [f32],
) {
    let n = d_hidden.len();
    match cell {
        Cell::SimpleRnn => {
            for ((d, h), dh) in d_gates.iter_mut().zip(kept.gates).zip(d_hidden) {
                *d = dh * (1.0 - h * h);
            }
        }
        Cell::Lstm => {
            let (i, f) = (&kept.gates[..n], &kept.gates[n..2 * n]);
            let (g, o) = (&kept.gates[2 * n..3 * n], &kept.gates[3 * n..4 * n]);
            let c = &kept.cell_state[..n];
            let d_cell = &mut d_cell[..n];
            let (di, rest) = d_gates.split_at_mut(n);
            let (df, rest) = rest.split_at_mut(n);
            let (dg, d_o) = rest.split_at_mut(n);
            for u in 0..n {
                let squashed = tanh(c[u]);
                let before = kept.previous_cell_state.map_or(0.0, |c| c[u]);
                let dc = d_cell[u] + d_hidden[u] * o[u] * (1.0 - squashed * squashed);
                di[u] = dc * g[u] * i[u] * (1.0 - i[u]);
                df[u] = dc * before * f[u] * (1.0 - f[u]);
                dg[u] = dc * i[u] * (1.0 - g[u] * g[u]);
                d_o[u] = d_hidden[u] * squashed * o[u] * (1.0 - o[u]);
                d_cell[u] = dc * f[u];
            }
        }
    }
}
