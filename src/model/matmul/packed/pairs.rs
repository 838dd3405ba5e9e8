//! Products with 8-bit weights, two inputs at a time.

use super::{Block, N_LINES, PANEL, Scratch, Walk, add};
use crate::model::matmul::lanes::{Floats, LINE, Lanes, Line, PairLine, WidePairLine, pair};

/// Two weights of a line as they lie in memory.
pub(super) trait Pair: Copy {
    /// A line of them in registers.
    fn load<L: Lanes>(line: &[Self; LINE]) -> L::Pairs;
}

impl Pair for [i8; 2] {
    #[inline(always)]
    fn load<L: Lanes>(line: &PairLine) -> L::Pairs {
        L::widen(line)
    }
}

impl Pair for [i16; 2] {
    #[inline(always)]
    fn load<L: Lanes>(line: &WidePairLine) -> L::Pairs {
        L::load_wide(line)
    }
}

/// Rounds all rows and adds their products with all panels of pairs.
#[inline(always)]
pub(super) fn pairs<L: Lanes, W: Pair, const M: usize, const P: usize>(
    (out, n_outputs): (&mut [f32], usize),
    (x, n_inputs): (&[f32], usize),
    blocks: &[Block<W>],
    scales: &[Line],
    (scratch, walk): (&mut Scratch, Walk),
) {
    let (rows, row_scales) = rounded::<M>(x, n_inputs, scratch);
    let n_blocks = n_inputs.div_ceil(2);
    for i in walk.panels(n_outputs.div_ceil(PANEL)) {
        let panel = &blocks[i * n_blocks..][..n_blocks];
        let scales = (row_scales, &scales[i * N_LINES..]);
        eight::<L, W, M, P>(out, n_outputs, i * PANEL, rows, panel, scales);
    }
}

/// Adds the products of all rows with a panel, whose first output is `first`; with
/// the scales of the rows and of the outputs from `first` on.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn eight<L: Lanes, W: Pair, const M: usize, const P: usize>(
    out: &mut [f32],
    n_outputs: usize,
    first: usize,
    rows: &[[i32; M]],
    panel: &[Block<W>],
    scales: (&[f32], &[Line]),
) {
    let tiles = rows.chunks_exact(panel.len());
    for (t, (tile, out)) in tiles.zip(out.chunks_mut(M * n_outputs)).enumerate() {
        for q in 0..N_LINES / P {
            let mut sums = [[L::zeros(); P]; M];
            for (x, block) in tile.iter().zip(panel) {
                for p in 0..P {
                    let line = W::load::<L>(&block.0[q * P + p]);
                    for (sums, x) in sums.iter_mut().zip(x) {
                        sums[p] = L::add_pairs(sums[p], line, *x);
                    }
                }
            }
            let rows = out.chunks_exact_mut(n_outputs);
            for ((row, scale), sums) in rows.zip(&scales.0[t * M..]).zip(sums) {
                let scale = L::Floats::all(*scale);
                let mut sums = sums.map(L::to_floats);
                for (sums, scales) in sums.iter_mut().zip(&scales.1[q * P..]) {
                    *sums = sums.multiply(L::load(scales).multiply(scale));
                }
                add::<L, P>(row, first + q * P * LINE, sums);
            }
        }
    }
}

/// Largest input after rounding, so that no sum of products with weights of at
/// most 127 leaves 32 bits.
pub(super) fn amplitude(n_inputs: usize) -> f32 {
    let largest = i32::MAX as usize / (127 * n_inputs.max(1));
    largest.min(i16::MAX as usize) as f32
}

/// Every row rounded to 16 bits, pairs of inputs as one word, `M` rows side by
/// side, and what one is worth in each row.
#[inline(always)]
fn rounded<'a, const M: usize>(
    x: &[f32],
    n_inputs: usize,
    scratch: &'a mut Scratch,
) -> (&'a [[i32; M]], &'a [f32]) {
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let n_pairs = n_inputs.div_ceil(2);
    let n_tiles = x.len().div_ceil(M * n_inputs);
    let amplitude = amplitude(n_inputs);
    scratch.pairs.clear();
    scratch.pairs.resize(n_tiles * n_pairs * M, 0);
    scratch.scales.clear();
    let tiles = scratch.pairs.chunks_exact_mut(n_pairs * M);
    for (tile, rows) in tiles.zip(x.chunks(M * n_inputs)) {
        let (tile, _) = tile.as_chunks_mut::<M>();
        for (m, row) in rows.chunks_exact(n_inputs).enumerate() {
            let (factor, scale) = factor_and_scale(row, amplitude);
            scratch.scales.push(scale);
            let round = |v: f32| (v * factor + ROUND).to_bits() as i16;
            let (pairs, rest) = row.as_chunks::<2>();
            for (to, [a, b]) in tile.iter_mut().zip(pairs) {
                to[m] = pair(round(*a), round(*b));
            }
            if let ([last], Some(to)) = (rest, tile.last_mut()) {
                to[m] = pair(round(*last), 0);
            }
        }
    }
    (scratch.pairs.as_chunks().0, &scratch.scales)
}

/// What takes the largest of a row to `amplitude`, and what one is worth then.
#[inline(always)]
pub(super) fn factor_and_scale(row: &[f32], amplitude: f32) -> (f32, f32) {
    let largest = largest(row);
    let factor = if largest > 0.0 {
        amplitude / largest
    } else {
        0.0
    };
    (factor, largest / amplitude)
}

/// Largest magnitude.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let larger = |m: f32, v: &f32| if v.abs() > m { v.abs() } else { m };
    let (eights, rest) = row.as_chunks::<8>();
    for eight in eights {
        for (m, v) in lanes.iter_mut().zip(eight) {
            *m = larger(*m, v);
        }
    }
    lanes.iter().chain(rest).fold(0.0, larger)
}
