//! Products with 8-bit weights, four inputs at a time: relaxed SIMD's product of
//! bytes, which is one instruction where the processor has it (VNNI on x86, SDOT
//! on ARM) and several where it has not.
//!
//! The one factor may have seven bits alone. So inputs are rounded to fourteen, moved to
//! where they are positive, and taken in two halves: the upper ones, 2⁷ times
//! what that gives, and the lower ones.

use super::pairs::{amplitude, factor_and_scale};
use super::{Block, N_LINES, PANEL, Scratch, Walk, add, blocks, lines};
use crate::model::matmul::lanes::{
    Floats, IntegerLine, LINE, Lanes, Line, ZERO_OF_HALVES, saturates_between,
};

/// Whether this processor takes four inputs at once, and not in several
/// instructions that are slower than two inputs at a time.
pub(super) fn at_once() -> bool {
    !saturates_between()
}

/// `[outputs, inputs]` weights.
#[derive(Clone, Debug)]
pub(super) struct Quads {
    /// Panels of a line four inputs.
    blocks: Vec<Block<[i8; 4]>>,
    /// A scale an output.
    scales: Vec<Line>,
    /// What the sum of an output's upper halves begins with, since zero was moved.
    begins: Vec<IntegerLine>,
}

impl Quads {
    /// Packs weights, row-major, with a scale an output.
    pub fn new(weights: &[i8], scales: &[f32], n_inputs: usize) -> Quads {
        let n_outputs = scales.len();
        let at = |o: usize, i: usize| match i < n_inputs {
            true => weights[o * n_inputs + i],
            false => 0,
        };
        let mut begins = vec![[0; LINE]; N_LINES * n_outputs.div_ceil(PANEL)];
        let rows = weights.chunks_exact(n_inputs.max(1));
        for (begin, row) in begins.as_flattened_mut().iter_mut().zip(rows) {
            *begin = -(ZERO_OF_HALVES >> 7) * row.iter().map(|w| i32::from(*w)).sum::<i32>();
        }
        Quads {
            blocks: blocks(n_outputs, n_inputs.div_ceil(4), |o, i| {
                [0, 1, 2, 3].map(|k| at(o, 4 * i + k))
            }),
            scales: lines(scales),
            begins,
        }
    }

    /// Rounds all rows of `x` and adds their products with all panels.
    #[inline(always)]
    pub fn add_product<L: Lanes, const M: usize, const P: usize>(
        &self,
        (out, n_outputs): (&mut [f32], usize),
        (x, n_inputs): (&[f32], usize),
        (scratch, walk): (&mut Scratch, Walk),
    ) {
        let (rows, row_scales) = rounded::<L, M>(x, n_inputs, scratch);
        let n_blocks = n_inputs.div_ceil(4);
        for i in walk.panels() {
            let panel = &self.blocks[i * n_blocks..][..n_blocks];
            let of_outputs = (&self.scales[i * N_LINES..], &self.begins[i * N_LINES..]);
            let out = (&mut *out, n_outputs);
            tiles::<L, M, P>(out, i * PANEL, (rows, row_scales), panel, of_outputs);
        }
    }
}

/// Adds the products of all rows with a panel, whose first output is `first`; with
/// the scales of the rows, and scales and beginnings of the outputs from `first` on.
#[inline(never)]
fn tiles<L: Lanes, const M: usize, const P: usize>(
    (out, n_outputs): (&mut [f32], usize),
    first: usize,
    (rows, row_scales): (&[[i32; M]], &[f32]),
    panel: &[Block<[i8; 4]>],
    (scales, begins): (&[Line], &[IntegerLine]),
) {
    let tiles = rows.chunks_exact(2 * panel.len());
    for (t, (tile, out)) in tiles.zip(out.chunks_mut(M * n_outputs)).enumerate() {
        let (upper, lower) = tile.split_at(panel.len());
        for q in 0..N_LINES / P {
            let mut sums = [[L::zeros(); P]; M];
            for (p, begin) in begins[q * P..][..P].iter().enumerate() {
                sums.iter_mut().for_each(|s| s[p] = L::load_integers(begin));
            }
            add_half::<L, M, P>(&mut sums, upper, panel, q);
            for sums in sums.as_flattened_mut() {
                *sums = L::times_128(*sums);
            }
            add_half::<L, M, P>(&mut sums, lower, panel, q);
            let rows = out.chunks_exact_mut(n_outputs);
            for ((row, scale), sums) in rows.zip(&row_scales[t * M..]).zip(sums) {
                let scale = L::Floats::all(*scale);
                let mut sums = sums.map(L::to_floats);
                for (sums, scales) in sums.iter_mut().zip(&scales[q * P..]) {
                    *sums = sums.multiply(L::load(scales).multiply(scale));
                }
                add::<L, P>(row, first + q * P * LINE, sums);
            }
        }
    }
}

/// Adds the products of one half of the inputs with `P` lines from the `q`-th such
/// group on.
#[inline(always)]
fn add_half<L: Lanes, const M: usize, const P: usize>(
    sums: &mut [[L::Integers; P]; M],
    half: &[[i32; M]],
    panel: &[Block<[i8; 4]>],
    q: usize,
) {
    for (x, block) in half.iter().zip(panel) {
        for p in 0..P {
            let line = L::load_quads(&block.0[q * P + p]);
            for (sums, x) in sums.iter_mut().zip(x) {
                sums[p] = L::add_quads(sums[p], line, *x);
            }
        }
    }
}

/// Every row rounded to 14 bits, `M` rows side by side: the upper halves of four inputs as
/// one word, then the lower ones; and what one is worth in each row.
#[inline(always)]
fn rounded<'a, L: Lanes, const M: usize>(
    x: &[f32],
    n_inputs: usize,
    scratch: &'a mut Scratch,
) -> (&'a [[i32; M]], &'a [f32]) {
    let n_quads = n_inputs.div_ceil(4);
    let n_tiles = x.len().div_ceil(M * n_inputs);
    let amplitude = amplitude(n_inputs).min(ZERO_OF_HALVES as f32 - 1.0);
    scratch.pairs.clear();
    scratch.pairs.resize(n_tiles * 2 * n_quads * M, 0);
    scratch.scales.clear();
    let tiles = scratch.pairs.chunks_exact_mut(2 * n_quads * M);
    for (tile, rows) in tiles.zip(x.chunks(M * n_inputs)) {
        let (upper, lower) = tile.as_chunks_mut::<M>().0.split_at_mut(n_quads);
        for (m, row) in rows.chunks_exact(n_inputs).enumerate() {
            let (factor, scale) = factor_and_scale(row, amplitude);
            scratch.scales.push(scale);
            let halves = upper.chunks_mut(4).zip(lower.chunks_mut(4));
            for (sixteen, (upper, lower)) in row.chunks(16).zip(halves) {
                let parts = match sixteen.first_chunk() {
                    Some(sixteen) => L::halves(sixteen, factor),
                    None => {
                        let mut padded = [0.0; 16];
                        padded[..sixteen.len()].copy_from_slice(sixteen);
                        L::halves(&padded, factor)
                    }
                };
                for (to, words) in [upper, lower].into_iter().zip(parts) {
                    to.iter_mut().zip(words).for_each(|(to, word)| to[m] = word);
                }
            }
        }
    }
    (scratch.pairs.as_chunks().0, &scratch.scales)
}
