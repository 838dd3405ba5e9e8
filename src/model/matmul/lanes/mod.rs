//! The vector units that products run on, and the one place that names their
//! instructions: WebAssembly's `simd128`, x86's AVX-512 or AVX2 with FMA (asked for
//! when the program runs), and arrays that the compiler vectorises for all others.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
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

/// Two 16-bit inputs as one word, the first in the low half.
#[inline(always)]
pub fn pair(first: i16, second: i16) -> i32 {
    i32::from(first) & 0xffff | i32::from(second) << 16
}

/// A vector unit.
pub trait Lanes {
    /// Whether there are 32 registers of a line each, and not 16 of half a line.
    const MANY_REGISTERS: bool = false;
    /// [`LINE`] floats.
    type Floats: Copy;
    /// [`LINE`] integers of 32 bits.
    type Integers: Copy;
    /// A [`PairLine`] in 16 bits.
    type Pairs: Copy;

    /// A line in registers.
    fn load(line: &Line) -> Self::Floats;
    /// `sums + line · x`.
    fn add_scaled(sums: Self::Floats, line: Self::Floats, x: f32) -> Self::Floats;
    /// Registers to memory.
    fn store(sums: Self::Floats) -> Line;

    /// Zeros.
    fn zeros() -> Self::Integers;
    /// A line of pairs in registers.
    fn widen(line: &PairLine) -> Self::Pairs;
    /// A line of wide pairs in registers.
    fn load_wide(line: &WidePairLine) -> Self::Pairs;
    /// Adds both products of each pair of weights with the [`pair`] `x`.
    fn add_pairs(sums: Self::Integers, line: Self::Pairs, x: i32) -> Self::Integers;
    /// The sums as floats.
    fn to_floats(sums: Self::Integers) -> Line;
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
