//! Weights packed once for products with rows of inputs.
//!
//! [`PANEL`] outputs lie side by side, an input a line, so that a product reads
//! the weights once, in order. A tile of outputs stays in registers while it
//! walks along the inputs (Goto and van de Geijn 2008, "Anatomy of
//! High-Performance Matrix Multiplication").

mod pairs;
#[cfg(target_feature = "relaxed-simd")]
mod quads;

use self::pairs::pairs;
#[cfg(target_feature = "relaxed-simd")]
use self::quads::Quads;
use super::Matrix;
use super::lanes::{Floats, LINE, Lanes, Line, Work, on_best_unit};

/// Lines of a panel.
const N_LINES: usize = 4;
/// Outputs that lie side by side.
const PANEL: usize = N_LINES * LINE;
/// What a panel of `N` lines holds for one input. No vector lies in two cache
/// lines, since it would be read twice.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(target_arch = "wasm32", repr(align(16)))]
#[cfg_attr(not(target_arch = "wasm32"), repr(align(64)))]
struct Block<T, const N: usize = N_LINES>([[T; LINE]; N]);

/// Rows of a tile: with two vectors of outputs, two of weights and one input,
/// just as many as there are registers.
#[cfg(target_arch = "wasm32")]
const ROWS: usize = 4;
/// Rows of a tile: with two vectors of outputs, two of weights and one input,
/// just as many as there are registers.
#[cfg(not(target_arch = "wasm32"))]
const ROWS: usize = 6;

/// Rows of a tile where a line is one register of thirty-two.
const MANY_ROWS: usize = 12;

/// Inputs taken at once: a panel of so many lines stays in the first cache.
const N_INPUTS_AT_ONCE: usize = 256;

/// Rows of inputs taken at once: they stay in the second cache.
const N_ROWS_AT_ONCE: usize = 16 * ROWS;

/// `[outputs, inputs]` weights, ready for products.
#[derive(Clone, Debug)]
pub struct PackedMatrix {
    n_outputs: usize,
    n_inputs: usize,
    weights: Weights,
}

#[derive(Clone, Debug)]
enum Weights {
    /// Panels of a line an input.
    Full(Vec<Block<f32>>),
    /// Panels of a line two inputs, and a scale an output.
    Eight {
        blocks: Vec<Block<[i8; 2]>>,
        scales: Vec<Line>,
    },
    /// As `Eight`, four inputs a line, where processors take these at once.
    #[cfg(target_feature = "relaxed-simd")]
    Quads(Quads),
    /// As `Eight`, in the width that products take them in.
    Widened {
        blocks: Vec<Block<[i16; 2]>>,
        scales: Vec<Line>,
    },
}

/// Memory that products use again and again.
///
/// One product takes the weights from the first panel to the last and the next
/// from the last to the first: where they are larger than a cache, as those of a
/// recurrent layer may be, each step begins with what the cache still holds.
#[derive(Debug, Default)]
pub struct Scratch {
    backwards: bool,
    rows: Vec<f32>,
    pairs: Vec<i32>,
    scales: Vec<f32>,
}

impl Scratch {
    /// The next product's order.
    fn turn(&mut self) -> Walk {
        self.backwards = !self.backwards;
        Walk {
            backwards: self.backwards,
        }
    }
}

impl PackedMatrix {
    /// Packs `[outputs, inputs]` weights, row-major.
    ///
    /// # Panics
    /// If there are not `n_outputs · n_inputs` of them.
    pub fn new(weights: &[f32], n_outputs: usize, n_inputs: usize) -> PackedMatrix {
        assert_eq!(weights.len(), n_outputs * n_inputs, "shape");
        PackedMatrix {
            n_outputs,
            n_inputs,
            weights: Weights::Full(blocks(n_outputs, n_inputs, |o, i| {
                weights[o * n_inputs + i]
            })),
        }
    }

    /// Packs a matrix whose columns are the outputs.
    pub fn from_columns(matrix: Matrix) -> PackedMatrix {
        let (n_outputs, n_inputs) = (matrix.columns, matrix.rows);
        PackedMatrix {
            n_outputs,
            n_inputs,
            weights: Weights::Full(blocks(n_outputs, n_inputs, |o, i| matrix.at(i, o))),
        }
    }

    /// Packs `[outputs, inputs]` 8-bit weights, row-major, with a scale an
    /// output. They stay 8-bit; a product rounds its inputs to at most 16 bits
    /// and sums exactly.
    ///
    /// # Panics
    /// If there are not `n_outputs · n_inputs` weights and `n_outputs` scales.
    pub fn from_eight_bits(weights: &[i8], scales: &[f32], n_inputs: usize) -> PackedMatrix {
        let n_outputs = scales.len();
        assert_eq!(weights.len(), n_outputs * n_inputs, "shape");
        #[cfg(target_feature = "relaxed-simd")]
        if let Some(quads) = Quads::new(weights, scales, n_inputs) {
            return PackedMatrix {
                n_outputs,
                n_inputs,
                weights: Weights::Quads(quads),
            };
        }
        let at = |o: usize, i: usize| {
            if i < n_inputs {
                weights[o * n_inputs + i]
            } else {
                0
            }
        };
        PackedMatrix {
            n_outputs,
            n_inputs,
            weights: Weights::Eight {
                blocks: blocks(n_outputs, n_inputs.div_ceil(2), |o, i| {
                    [at(o, 2 * i), at(o, 2 * i + 1)]
                }),
                scales: lines::<N_LINES>(scales),
            },
        }
    }

    /// The same matrix for products with few rows, which would spend a third of
    /// their time widening 8-bit weights: these take twice the memory from here
    /// on, and give the same results.
    pub fn for_few_rows(self) -> PackedMatrix {
        let weights = match self.weights {
            Weights::Eight { blocks, scales } => Weights::Widened {
                blocks: (blocks.iter())
                    .map(|block| Block(block.0.map(|line| line.map(|pair| pair.map(i16::from)))))
                    .collect(),
                scales,
            },
            others => others,
        };
        PackedMatrix { weights, ..self }
    }

    /// Outputs a row.
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Inputs a row.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// `out += x · weightsᵀ`: `x` `[rows, inputs]`, `out` `[rows, outputs]`.
    ///
    /// # Panics
    /// If `x` or `out` hold no whole rows, or not the same number.
    pub fn add_product(&self, out: &mut [f32], x: &[f32], scratch: &mut Scratch) {
        let n_rows = x.len() / self.n_inputs.max(1);
        assert_eq!(x.len(), n_rows * self.n_inputs, "inputs");
        assert_eq!(out.len(), n_rows * self.n_outputs, "outputs");
        if n_rows == 0 {
            return;
        }
        on_best_unit(Product {
            matrix: self,
            out,
            x,
            n_rows,
            scratch,
        });
    }
}

/// Panels of `N` lines of outputs, an input a block; beyond the outputs lies the
/// default.
fn blocks<T: Copy + Default, const N: usize>(
    n_outputs: usize,
    n_inputs: usize,
    at: impl Fn(usize, usize) -> T,
) -> Vec<Block<T, N>> {
    let panel = N * LINE;
    let mut blocks = Vec::with_capacity(n_outputs.div_ceil(panel) * n_inputs);
    for first in (0..n_outputs).step_by(panel) {
        for input in 0..n_inputs {
            let mut block = Block([[T::default(); LINE]; N]);
            for (w, output) in block.0.as_flattened_mut().iter_mut().zip(first..n_outputs) {
                *w = at(output, input);
            }
            blocks.push(block);
        }
    }
    blocks
}

/// A line after the other, in whole panels of `N`; beyond the values lie zeros.
fn lines<const N: usize>(values: &[f32]) -> Vec<Line> {
    let mut lines = vec![[0.0; LINE]; values.len().next_multiple_of(N * LINE) / LINE];
    lines.as_flattened_mut()[..values.len()].copy_from_slice(values);
    lines
}

/// The order of the panels.
#[derive(Clone, Copy)]
struct Walk {
    backwards: bool,
}

impl Walk {
    #[inline(always)]
    fn panels(self, n_panels: usize) -> impl Iterator<Item = usize> {
        (0..n_panels).map(move |i| match self.backwards {
            true => n_panels - 1 - i,
            false => i,
        })
    }
}

struct Product<'a> {
    matrix: &'a PackedMatrix,
    out: &'a mut [f32],
    x: &'a [f32],
    n_rows: usize,
    scratch: &'a mut Scratch,
}

impl Work for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.n_rows {
            1 => self.in_tiles::<L, 1, 4>(),
            2 => self.in_tiles::<L, 2, 2>(),
            n if L::MANY_REGISTERS && n > ROWS => self.in_tiles::<L, MANY_ROWS, 1>(),
            _ => self.in_tiles::<L, ROWS, 1>(),
        }
    }
}

impl Product<'_> {
    /// In tiles of `M` rows and `P` lines.
    #[inline(always)]
    fn in_tiles<L: Lanes, const M: usize, const P: usize>(self) {
        let Product {
            matrix,
            out,
            x,
            scratch,
            ..
        } = self;
        let (n_inputs, n_outputs) = (matrix.n_inputs, matrix.n_outputs);
        let x = x.chunks(N_ROWS_AT_ONCE * n_inputs);
        let out = out.chunks_mut(N_ROWS_AT_ONCE * n_outputs);
        for (x, out) in x.zip(out) {
            let walk = scratch.turn();
            match &matrix.weights {
                Weights::Full(blocks) => {
                    for first in (0..n_inputs).step_by(N_INPUTS_AT_ONCE) {
                        let inputs = first..n_inputs.min(first + N_INPUTS_AT_ONCE);
                        let rows = interleaved::<M>(x, n_inputs, inputs.clone(), &mut scratch.rows);
                        for i in walk.panels(n_outputs.div_ceil(PANEL)) {
                            let panel = &blocks[i * n_inputs..][inputs.clone()];
                            full::<L, M, P>(out, n_outputs, i * PANEL, rows, panel);
                        }
                    }
                }
                Weights::Eight { blocks, scales } => {
                    let (out, x) = ((out, n_outputs), (x, n_inputs));
                    pairs::<L, _, M, P>(out, x, blocks, scales, (&mut *scratch, walk));
                }
                #[cfg(target_feature = "relaxed-simd")]
                Weights::Quads(quads) => {
                    let (out, x) = ((out, n_outputs), (x, n_inputs));
                    quads.add_product::<L>(out, x, (&mut *scratch, walk));
                }
                Weights::Widened { blocks, scales } => {
                    let (out, x) = ((out, n_outputs), (x, n_inputs));
                    pairs::<L, _, M, P>(out, x, blocks, scales, (&mut *scratch, walk));
                }
            }
        }
    }
}

/// Adds the products of all rows with a panel, whose first output is `first`.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn full<L: Lanes, const M: usize, const P: usize>(
    out: &mut [f32],
    n_outputs: usize,
    first: usize,
    rows: &[[f32; M]],
    panel: &[Block<f32>],
) {
    let tiles = rows.chunks_exact(panel.len());
    for (tile, out) in tiles.zip(out.chunks_mut(M * n_outputs)) {
        for q in 0..N_LINES / P {
            let mut sums = [[L::load(&[0.0; LINE]); P]; M];
            for (x, block) in tile.iter().zip(panel) {
                for p in 0..P {
                    let line = L::load(&block.0[q * P + p]);
                    for (sums, x) in sums.iter_mut().zip(x) {
                        sums[p] = line.multiply_add(L::Floats::all(*x), sums[p]);
                    }
                }
            }
            let rows = out.chunks_exact_mut(n_outputs);
            for (row, sums) in rows.zip(sums) {
                add::<L, P>(row, first + q * P * LINE, sums);
            }
        }
    }
}

/// Adds lines to a row's outputs from `first` on, as far as there are any.
#[inline(always)]
fn add<L: Lanes, const P: usize>(row: &mut [f32], first: usize, sums: [L::Floats; P]) {
    match row.get_mut(first..first + P * LINE) {
        Some(out) => {
            for (out, sums) in out.as_chunks_mut().0.iter_mut().zip(sums) {
                L::store(L::load(out).add(sums), out);
            }
        }
        None => {
            let mut lines = [[0.0; LINE]; P];
            for (line, sums) in lines.iter_mut().zip(sums) {
                L::store(sums, line);
            }
            add_some(row, first, lines.as_flattened());
        }
    }
}

// Nearly all lines are whole. Out of the way, the others leave the sums in
// registers.
#[cold]
#[inline(never)]
fn add_some(row: &mut [f32], first: usize, values: &[f32]) {
    for (out, value) in row.iter_mut().skip(first).zip(values) {
        *out += value;
    }
}

/// The given inputs of every row, `M` rows side by side; rows that are missing
/// are zeros.
#[inline(always)]
fn interleaved<'a, const M: usize>(
    x: &'a [f32],
    n_inputs: usize,
    inputs: std::ops::Range<usize>,
    scratch: &'a mut Vec<f32>,
) -> &'a [[f32; M]] {
    if M == 1 {
        return x[inputs].as_chunks().0;
    }
    let n = inputs.len();
    let n_tiles = x.len().div_ceil(M * n_inputs);
    scratch.clear();
    scratch.resize(n_tiles * n * M, 0.0);
    let tiles = scratch.chunks_exact_mut(n * M);
    for (tile, rows) in tiles.zip(x.chunks(M * n_inputs)) {
        for (m, row) in rows.chunks_exact(n_inputs).enumerate() {
            let (tile, _) = tile.as_chunks_mut::<M>();
            for (to, v) in tile.iter_mut().zip(&row[inputs.clone()]) {
                to[m] = *v;
            }
        }
    }
    scratch.as_chunks().0
}

#[cfg(test)]
mod tests;
