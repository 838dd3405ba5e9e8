//! Products with 8-bit weights, four inputs at a time: relaxed SIMD's product of
//! bytes, which is one instruction where the processor has it (VNNI on x86, SDOT
//! on ARM) and several where it has not.
//!
//! Inputs are rounded to sixteen bits and taken in two bytes: 2⁸ times what the upper ones
//! give, and what the lower ones give. Of the two the upper has a sign, and the processor
//! takes either both for signed or both for unsigned: the other is moved to where it can be
//! taken so. The sums are exactly those of two inputs at a time. A panel stays in the first
//! cache while row after row meets it: weights are read for two products each, and there
//! are as many sums as the instruction takes to come back.

use super::pairs::{amplitude, factor_and_scale};
use super::{Block, Scratch, Walk, add, blocks, lines};
use crate::model::matmul::lanes::{
    ByteFactor, Floats, IntegerLine, LINE, Lanes, Line, byte_factor,
};

/// Lines of a panel: with two sums for each of two vectors twelve sums in all.
const N_LINES: usize = 3;
/// Outputs that lie side by side.
const PANEL: usize = N_LINES * LINE;

/// `[outputs, inputs]` weights.
#[derive(Clone, Debug)]
pub(super) struct Quads {
    /// Panels of a line four inputs, an even number of them.
    blocks: Vec<Block<[i8; 4], N_LINES>>,
    /// A scale an output.
    scales: Vec<Line>,
    /// What an output's sum begins with, since a half of every input was moved.
    begins: Vec<IntegerLine>,
    /// The bits of the upper halves and of the lower ones that are turned over, which moves
    /// them by half of a byte.
    flipped: [i32; 2],
}

impl Quads {
    /// Packs weights, row-major, with a scale an output. None where the processor takes
    /// four inputs in several instructions, which are slower than two inputs at a time.
    pub fn new(weights: &[i8], scales: &[f32], n_inputs: usize) -> Option<Quads> {
        const SIGNS: i32 = i32::from_ne_bytes([128; 4]);
        let (flipped, moved) = match byte_factor()? {
            ByteFactor::Signed => ([0, SIGNS], -128),
            ByteFactor::Unsigned => ([SIGNS, 0], 128 << 8),
        };
        let n_outputs = scales.len();
        let at = |o: usize, i: usize| match o < n_outputs && i < n_inputs {
            true => weights[o * n_inputs + i],
            false => 0,
        };
        let n_padded = n_outputs.next_multiple_of(2 * PANEL);
        let mut begins = vec![[0; LINE]; n_padded / LINE];
        let rows = weights.chunks_exact(n_inputs.max(1));
        for (begin, row) in begins.as_flattened_mut().iter_mut().zip(rows) {
            // Sums may wrap on their way: at the end they fit.
            *begin = row.iter().map(|w| i32::from(*w)).sum::<i32>();
            *begin = begin.wrapping_mul(-moved);
        }
        Some(Quads {
            blocks: blocks(n_padded, n_inputs.div_ceil(4), |o, i| {
                [0, 1, 2, 3].map(|k| at(o, 4 * i + k))
            }),
            scales: lines::<{ 2 * N_LINES }>(scales),
            begins,
            flipped,
        })
    }

    /// Rounds all rows of `x` and adds their products with all panels.
    #[inline(always)]
    pub fn add_product<L: Lanes>(
        &self,
        (out, n_outputs): (&mut [f32], usize),
        (x, n_inputs): (&[f32], usize),
        (scratch, walk): (&mut Scratch, Walk),
    ) {
        let n_panels = n_outputs.div_ceil(PANEL);
        if x.len() == n_inputs {
            let (row, scale) = self.rounded::<L>(x, n_inputs, scratch);
            for i in walk.panels(n_panels.div_ceil(2)) {
                self.two_panels::<L>(i, out, row, scale[0]);
            }
        } else {
            let rows = self.rounded::<L>(x, n_inputs, scratch);
            for i in walk.panels(n_panels) {
                self.each_row::<L>(i, (&mut *out, n_outputs), rows, n_inputs.div_ceil(4));
            }
        }
    }

    /// Adds the products of a row with the `i`-th two panels, the halves in turn: the
    /// lower ones find in the first cache what the upper ones have read.
    #[inline(never)]
    fn two_panels<L: Lanes>(&self, i: usize, out: &mut [f32], row: &[[i32; 2]], scale: f32) {
        let panels = [2 * i, 2 * i + 1].map(|i| self.panel(i, row.len()));
        let mut sums = [[L::zeros(); N_LINES]; 2];
        for half in [0, 1] {
            let blocks = panels[0].blocks.iter().zip(panels[1].blocks);
            for (x, (a, b)) in row.iter().zip(blocks) {
                for (sums, block) in sums.iter_mut().zip([a, b]) {
                    for (sum, line) in sums.iter_mut().zip(&block.0) {
                        *sum = L::add_quads(*sum, L::load_quads(line), x[half]);
                    }
                }
            }
            if half == 0 {
                let begins = panels.map(Panel::begins::<L>);
                for (sum, begin) in sums
                    .as_flattened_mut()
                    .iter_mut()
                    .zip(begins.as_flattened())
                {
                    *sum = L::join(*sum, *begin);
                }
            }
        }
        for (panel, sums) in panels.into_iter().zip(sums) {
            panel.add::<L>(out, sums, L::Floats::all(scale));
        }
    }

    /// Adds the products of all rows with the `i`-th panel; with the scales of the rows.
    #[inline(never)]
    fn each_row<L: Lanes>(
        &self,
        i: usize,
        (out, n_outputs): (&mut [f32], usize),
        (rows, scales): (&[[i32; 2]], &[f32]),
        n_blocks: usize,
    ) {
        let panel = self.panel(i, n_blocks);
        let rows = rows.chunks_exact(n_blocks).zip(scales);
        for ((row, scale), out) in rows.zip(out.chunks_exact_mut(n_outputs)) {
            let mut upper = [L::zeros(); N_LINES];
            let mut lower = panel.begins::<L>();
            // Read once, the weights would stay in registers that the sums are in.
            let again = std::hint::black_box(panel.blocks);
            for (([u, l], block), again) in row.iter().zip(panel.blocks).zip(again) {
                for p in 0..N_LINES {
                    upper[p] = L::add_quads(upper[p], L::load_quads(&block.0[p]), *u);
                    lower[p] = L::add_quads(lower[p], L::load_quads(&again.0[p]), *l);
                }
            }
            let sums = [0, 1, 2].map(|p| L::join(upper[p], lower[p]));
            panel.add::<L>(out, sums, L::Floats::all(*scale));
        }
    }

    /// Every row rounded to 16 bits: the upper halves of four inputs as one word and
    /// the lower ones as another; and what one is worth in each row.
    #[inline(always)]
    fn rounded<'a, L: Lanes>(
        &self,
        x: &[f32],
        n_inputs: usize,
        scratch: &'a mut Scratch,
    ) -> (&'a [[i32; 2]], &'a [f32]) {
        let n_quads = n_inputs.div_ceil(4);
        let amplitude = amplitude(n_inputs);
        let n_rows = x.len() / n_inputs;
        scratch.pairs.clear();
        scratch.pairs.resize(2 * n_rows * n_quads, 0);
        scratch.scales.clear();
        let (rounded, _) = scratch.pairs.as_chunks_mut::<2>();
        for (rounded, row) in rounded
            .chunks_exact_mut(n_quads)
            .zip(x.chunks_exact(n_inputs))
        {
            let (factor, scale) = factor_and_scale(row, amplitude);
            scratch.scales.push(scale);
            for (to, sixteen) in rounded.chunks_mut(4).zip(row.chunks(16)) {
                let words = match sixteen.first_chunk() {
                    Some(sixteen) => L::halves(sixteen, factor, self.flipped),
                    None => {
                        let mut padded = [0.0; 16];
                        padded[..sixteen.len()].copy_from_slice(sixteen);
                        L::halves(&padded, factor, self.flipped)
                    }
                };
                to.copy_from_slice(&words[..to.len()]);
            }
        }
        (scratch.pairs.as_chunks().0, &scratch.scales)
    }

    #[inline(always)]
    fn panel(&self, i: usize, n_blocks: usize) -> Panel<'_> {
        Panel {
            first: i * PANEL,
            blocks: &self.blocks[i * n_blocks..][..n_blocks],
            scales: &self.scales[i * N_LINES..],
            begins: &self.begins[i * N_LINES..],
        }
    }
}

/// Weights of outputs side by side.
#[derive(Clone, Copy)]
struct Panel<'a> {
    /// The first output.
    first: usize,
    blocks: &'a [Block<[i8; 4], N_LINES>],
    /// Of the first output's line, and on.
    scales: &'a [Line],
    /// As `scales`.
    begins: &'a [IntegerLine],
}

impl Panel<'_> {
    #[inline(always)]
    fn begins<L: Lanes>(self) -> [L::Integers; N_LINES] {
        [0, 1, 2].map(|p| L::load_integers(&self.begins[p]))
    }

    /// Adds sums, of which `scale` and the outputs' scales say what one is worth.
    #[inline(always)]
    fn add<L: Lanes>(self, out: &mut [f32], sums: [L::Integers; N_LINES], scale: L::Floats) {
        let mut floats = sums.map(L::to_floats);
        for (sums, scales) in floats.iter_mut().zip(self.scales) {
            *sums = sums.multiply(L::load(scales).multiply(scale));
        }
        add::<L, N_LINES>(out, self.first, floats);
    }
}
