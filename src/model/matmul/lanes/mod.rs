//! The vector units that products run on, and the one place that names their
//! instructions: WebAssembly's `simd128`, x86's AVX-512 or AVX2 with FMA (asked for
//! when the program runs), and arrays that the compiler vectorises for all others.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod floats;
#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(target_arch = "x86_64")]
use self::{avx2::Avx2, avx512::Avx512};
#[cfg(not(target_arch = "wasm32"))]
use portable::Portable;
#[cfg(target_arch = "wasm32")]
use wasm::Simd128;
#[cfg(target_feature = "relaxed-simd")]
pub use wasm::byte_factor;

pub use floats::{Constant, Floats};

/// Outputs that a tile computes side by side: two vectors of floats.
#[cfg(target_arch = "wasm32")]
pub const LINE: usize = 8;
/// Outputs that a tile computes side by side: two vectors of floats.
#[cfg(not(target_arch = "wasm32"))]
pub const LINE: usize = 16;

/// The weights of [`LINE`] outputs for one input.
pub type Line = [f32; LINE];
/// The 8-bit weights of [`LINE`] outputs for two neighbouring inputs.
pub type PairLine = [[i8; 2]; LINE];
/// A [`PairLine`] in 16 bits.
pub type WidePairLine = [[i16; 2]; LINE];

/// The 8-bit weights of [`LINE`] outputs for four neighbouring inputs.
#[cfg(target_feature = "relaxed-simd")]
pub type QuadLine = [[i8; 4]; LINE];
/// [`LINE`] integers.
#[cfg(target_feature = "relaxed-simd")]
pub type IntegerLine = [i32; LINE];
/// What relaxed SIMD's product of bytes takes its second factor for.
#[cfg(target_feature = "relaxed-simd")]
#[derive(Clone, Copy, Debug)]
pub enum ByteFactor {
    /// −128 to 127, as on ARM (SDOT).
    Signed,
    /// 0 to 255, as on x86 (VNNI).
    Unsigned,
}

/// Two 16-bit inputs as one word, the first in the low half.
#[inline(always)]
pub fn pair(first: i16, second: i16) -> i32 {
    i32::from(first) & 0xffff | i32::from(second) << 16
}

/// A vector unit.
pub trait Lanes {
    /// Whether there are 32 registers of a line each, and not 16 of half a line.
    const MANY_REGISTERS: bool = false;
    /// `LINE` floats.
    type Floats: Floats;
    /// `LINE` integers of 32 bits.
    type Integers: Copy;
    /// A `PairLine` in 16 bits.
    type Pairs: Copy;

    /// A line in registers.
    fn load(line: &Line) -> Self::Floats;
    /// Registers to memory.
    fn store(sums: Self::Floats, line: &mut Line);

    /// Zeros.
    fn zeros() -> Self::Integers;
    /// A line of pairs in registers.
    fn widen(line: &PairLine) -> Self::Pairs;
    /// A line of wide pairs in registers.
    fn load_wide(line: &WidePairLine) -> Self::Pairs;
    /// Adds both products of each pair of weights with the `pair` `x`.
    fn add_pairs(sums: Self::Integers, line: Self::Pairs, x: i32) -> Self::Integers;
    /// A line of quads in registers.
    #[cfg(target_feature = "relaxed-simd")]
    fn load_quads(line: &QuadLine) -> Self::Pairs;
    /// Values times `factor`, of magnitude below 2¹⁵ then, rounded: for each four the upper
    /// bytes in a word, then the lower ones; either with the bits of `flipped` turned over.
    #[cfg(target_feature = "relaxed-simd")]
    fn halves(values: &[f32; 16], factor: f32, flipped: [i32; 2]) -> [[i32; 2]; 4];
    /// Integers in registers.
    #[cfg(target_feature = "relaxed-simd")]
    fn load_integers(line: &IntegerLine) -> Self::Integers;
    /// Adds the products of each quad of weights with the four bytes of `x`, which are
    /// what [`byte_factor`] says.
    #[cfg(target_feature = "relaxed-simd")]
    fn add_quads(sums: Self::Integers, line: Self::Pairs, x: i32) -> Self::Integers;
    /// 256 times `upper`, and `lower`.
    #[cfg(target_feature = "relaxed-simd")]
    fn join(upper: Self::Integers, lower: Self::Integers) -> Self::Integers;
    /// The sums as floats.
    fn to_floats(sums: Self::Integers) -> Self::Floats;
}

/// Puts a function of every value in its place.
#[inline(always)]
pub fn map<L: Lanes>(values: &mut [f32], f: impl Fn(L::Floats) -> L::Floats) {
    map_with::<L, 0>(values, [], |value, []| f(value));
}

/// Puts a function of every value, and of those of `others` that are there, in its place.
///
/// # Panics
/// If one of the others has fewer.
#[inline(always)]
pub fn map_with<L: Lanes, const N: usize>(
    values: &mut [f32],
    others: [&[f32]; N],
    f: impl Fn(L::Floats, [L::Floats; N]) -> L::Floats,
) {
    let others = others.map(|other| other[..values.len()].as_chunks());
    let (lines, rest) = values.as_chunks_mut();
    // What is left over is a line of its own; one place where `f` is called, so
    // that it is inlined.
    let mut last = padded(rest);
    let mut last_others = [[0.0; LINE]; N];
    for (line, (_, rest)) in last_others.iter_mut().zip(others) {
        *line = padded(rest);
    }
    let n_lines = lines.len() + usize::from(!rest.is_empty());
    for i in 0..n_lines {
        let line = lines.get_mut(i).unwrap_or(&mut last);
        let mut there = [L::Floats::all(0.0); N];
        let all = there.iter_mut().zip(others.iter().zip(&last_others));
        for (there, ((lines, _), last)) in all {
            *there = L::load(lines.get(i).unwrap_or(last));
        }
        L::store(f(L::load(line), there), line);
    }
    rest.copy_from_slice(&last[..rest.len()]);
}

/// Values, and zeros after them.
#[inline(always)]
fn padded(values: &[f32]) -> Line {
    let mut line = [0.0; LINE];
    line[..values.len()].copy_from_slice(values);
    line
}

/// Something to be done on a vector unit; `run` must be inlined always.
pub trait Work {
    /// What comes of it.
    type Output;
    /// Does it on the unit `L`.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Does the work on this machine's best unit.
#[cfg(target_arch = "wasm32")]
pub fn on_best_unit<W: Work>(work: W) -> W::Output {
    work.run::<Simd128>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn on_avx2<W: Work>(work: W) -> W::Output {
    work.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,fma")]
fn on_avx512<W: Work>(work: W) -> W::Output {
    work.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// Does the work on this machine's best unit.
#[cfg(target_arch = "x86_64")]
pub fn on_best_unit<W: Work>(work: W) -> W::Output {
    if has_avx512() {
        // SAFETY: the machine has just said that it has them.
        unsafe { on_avx512(work) }
    } else if has_avx2() {
        // SAFETY: the machine has just said that it has them.
        unsafe { on_avx2(work) }
    } else {
        work.run::<Portable>()
    }
}

/// Does the work on every unit that this machine has.
#[cfg(all(test, target_arch = "x86_64"))]
pub fn on_every_unit<W: Work + Copy>(work: W) -> Vec<W::Output> {
    let mut outputs = vec![work.run::<Portable>()];
    if has_avx2() {
        // SAFETY: the machine has just said that it has them.
        outputs.push(unsafe { on_avx2(work) });
    }
    if has_avx512() {
        // SAFETY: the machine has just said that it has them.
        outputs.push(unsafe { on_avx512(work) });
    }
    outputs
}

/// Does the work on every unit that this machine has.
#[cfg(all(test, not(any(target_arch = "wasm32", target_arch = "x86_64"))))]
pub fn on_every_unit<W: Work + Copy>(work: W) -> Vec<W::Output> {
    vec![work.run::<Portable>()]
}

/// Does the work on this machine's best unit.
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
pub fn on_best_unit<W: Work>(work: W) -> W::Output {
    work.run::<Portable>()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::model::activation::{exp, gated_tanh};

    /// Every operation at once.
    fn everything<F: Floats>(x: F) -> F {
        let limited = x.at_most(F::all(2.5)).at_least(F::all(-1.5));
        let ratio = limited.divide(x.magnitude().add(F::all(1.0)));
        gated_tanh(x, ratio).multiply_add(ratio, exp(limited))
    }

    #[derive(Clone, Copy)]
    struct Everything<'a>(&'a [f32]);

    impl Work for Everything<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<L: Lanes>(self) -> Vec<f32> {
            let mut values = self.0.to_vec();
            map::<L>(&mut values, everything);
            values
        }
    }

    #[test]
    fn every_unit_computes_what_one_float_does() {
        for n in [0, 1, LINE - 1, LINE, 3 * LINE + 5] {
            let x: Vec<f32> = (0..n).map(|i| (i as f32 * 0.7).sin() * 5.0).collect();
            let alone: Vec<f32> = x.iter().map(|v| everything(*v)).collect();
            for values in on_every_unit(Everything(&x)) {
                assert_eq!(values.len(), n);
                for (a, b) in values.iter().zip(&alone) {
                    assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a} {b}");
                }
            }
        }
    }
}
