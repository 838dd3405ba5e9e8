//! WebAssembly.
#![allow(unsafe_code)]

use super::floats::{Constant, Floats, MANTISSA_BITS};
#[cfg(target_feature = "relaxed-simd")]
use super::{ByteFactor, IntegerLine, QuadLine};
use super::{Lanes, Line, PairLine, WidePairLine};
use core::arch::wasm32::*;

/// WebAssembly's 128-bit unit.
pub struct Simd128;

impl Lanes for Simd128 {
    type Floats = [v128; 2];
    type Integers = [v128; 2];
    type Pairs = [v128; 2];

    #[inline(always)]
    fn load(line: &Line) -> [v128; 2] {
        let at = line.as_ptr().cast::<v128>();
        // SAFETY: a line is 32 bytes, and loads need no alignment.
        unsafe { [v128_load(at), v128_load(at.add(1))] }
    }

    #[inline(always)]
    fn store(sums: [v128; 2], line: &mut Line) {
        let at = line.as_mut_ptr().cast::<v128>();
        // SAFETY: a line is 32 bytes, and stores need no alignment.
        unsafe {
            v128_store(at, sums[0]);
            v128_store(at.add(1), sums[1]);
        }
    }

    #[inline(always)]
    fn zeros() -> [v128; 2] {
        [i32x4_splat(0); 2]
    }

    #[inline(always)]
    fn widen(line: &PairLine) -> [v128; 2] {
        let at = line.as_ptr().cast::<i8>();
        // SAFETY: a line of pairs is 16 bytes, and loads need no alignment.
        unsafe {
            [
                i16x8_load_extend_i8x8(at),
                i16x8_load_extend_i8x8(at.add(8)),
            ]
        }
    }

    #[inline(always)]
    fn load_wide(line: &WidePairLine) -> [v128; 2] {
        let at = line.as_ptr().cast::<v128>();
        // SAFETY: a line of wide pairs is 32 bytes, and loads need no alignment.
        unsafe { [v128_load(at), v128_load(at.add(1))] }
    }

    #[inline(always)]
    fn add_pairs(sums: [v128; 2], line: [v128; 2], x: i32) -> [v128; 2] {
        let x = i32x4_splat(x);
        [
            i32x4_add(sums[0], i32x4_dot_i16x8(line[0], x)),
            i32x4_add(sums[1], i32x4_dot_i16x8(line[1], x)),
        ]
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn load_quads(line: &QuadLine) -> [v128; 2] {
        let at = line.as_ptr().cast::<v128>();
        // SAFETY: a line of quads is 32 bytes, and loads need no alignment.
        unsafe { [v128_load(at), v128_load(at.add(1))] }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn halves(values: &[f32; 16], factor: f32, flipped: [i32; 2]) -> [[i32; 2]; 4] {
        // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
        let round = f32x4_splat(12_582_912.0);
        let (factor, byte) = (f32x4_splat(factor), i32x4_splat(255));
        let at = values.as_ptr().cast::<v128>();
        let bits = [0, 1, 2, 3].map(|i| {
            // SAFETY: sixteen values are four vectors, and loads need no alignment.
            let values = unsafe { v128_load(at.add(i)) };
            f32x4_add(f32x4_mul(values, factor), round)
        });
        let upper = bits.map(|bits| v128_and(u32x4_shr(bits, 8), byte));
        let lower = bits.map(|bits| v128_and(bits, byte));
        let [upper, lower] = [(upper, flipped[0]), (lower, flipped[1])].map(|(half, flipped)| {
            let [a, b, c, d] = half;
            let bytes = u8x16_narrow_i16x8(u16x8_narrow_i32x4(a, b), u16x8_narrow_i32x4(c, d));
            v128_xor(bytes, i32x4_splat(flipped))
        });
        let mut words = [[0; 2]; 4];
        let to = words.as_mut_ptr().cast::<v128>();
        // SAFETY: eight words are two vectors, and stores need no alignment.
        unsafe {
            v128_store(to, i32x4_shuffle::<0, 4, 1, 5>(upper, lower));
            v128_store(to.add(1), i32x4_shuffle::<2, 6, 3, 7>(upper, lower));
        }
        words
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn load_integers(line: &IntegerLine) -> [v128; 2] {
        let at = line.as_ptr().cast::<v128>();
        // SAFETY: a line of integers is 32 bytes, and loads need no alignment.
        unsafe { [v128_load(at), v128_load(at.add(1))] }
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn add_quads(sums: [v128; 2], line: [v128; 2], x: i32) -> [v128; 2] {
        let x = i32x4_splat(x);
        [
            i32x4_relaxed_dot_i8x16_i7x16_add(line[0], x, sums[0]),
            i32x4_relaxed_dot_i8x16_i7x16_add(line[1], x, sums[1]),
        ]
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn join(upper: [v128; 2], lower: [v128; 2]) -> [v128; 2] {
        let one = |upper, lower| i32x4_add(i32x4_shl(upper, 8), lower);
        [one(upper[0], lower[0]), one(upper[1], lower[1])]
    }

    #[inline(always)]
    fn to_floats(sums: [v128; 2]) -> [v128; 2] {
        sums.map(|half| f32x4_convert_i32x4(half))
    }
}

/// What products of bytes take their second factor for, beyond the seven bits that are the
/// same everywhere: the standard leaves it to the engine, but has it keep to one answer.
/// None where sums saturate at 16 bits on their way, as they do on x86 without an
/// instruction for the whole (`vpmaddubsw`, then two more).
#[cfg(target_feature = "relaxed-simd")]
pub fn byte_factor() -> Option<ByteFactor> {
    const SIGNED: i32 = -4 * 127;
    const UNSIGNED: i32 = 4 * 127 * 255;
    let [weights, x] = std::hint::black_box([i8x16_splat(127), i8x16_splat(-1)]);
    let sums = i32x4_relaxed_dot_i8x16_i7x16_add(weights, x, i32x4_splat(0));
    match i32x4_extract_lane::<0>(sums) {
        SIGNED => Some(ByteFactor::Signed),
        UNSIGNED => Some(ByteFactor::Unsigned),
        _ => None,
    }
}

impl Floats for v128 {
    #[inline(always)]
    fn all(value: f32) -> v128 {
        f32x4_splat(value)
    }

    // Engines make a constant anew wherever it is used, in three instructions. What is read
    // from memory takes one; only, it must not be seen to be constant.
    #[inline(always)]
    fn constant(value: &'static Constant) -> v128 {
        let at = std::ptr::from_ref(value).cast::<v128>();
        // SAFETY: a constant is four floats, and lies as vectors do.
        unsafe { at.read_volatile() }
    }

    #[inline(always)]
    fn add(self, other: v128) -> v128 {
        f32x4_add(self, other)
    }

    #[inline(always)]
    fn multiply(self, other: v128) -> v128 {
        f32x4_mul(self, other)
    }

    #[inline(always)]
    fn divide(self, other: v128) -> v128 {
        f32x4_div(self, other)
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn multiply_add(self, factor: v128, term: v128) -> v128 {
        f32x4_relaxed_madd(self, factor, term)
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn multiply_add(self, factor: v128, term: v128) -> v128 {
        f32x4_add(f32x4_mul(self, factor), term)
    }

    // These, unlike WebAssembly's own minimum and maximum, are one instruction
    // on x86.
    #[inline(always)]
    fn at_most(self, other: v128) -> v128 {
        f32x4_pmin(other, self)
    }

    #[inline(always)]
    fn at_least(self, other: v128) -> v128 {
        f32x4_pmax(other, self)
    }

    #[inline(always)]
    fn magnitude(self) -> v128 {
        f32x4_abs(self)
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> v128 {
        i32x4_shl(self, MANTISSA_BITS)
    }
}
