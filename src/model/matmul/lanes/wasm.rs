//! WebAssembly.
#![allow(unsafe_code)]

use super::{LINE, Lanes, Line, PairLine, WidePairLine};
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
    fn add_scaled(sums: [v128; 2], line: [v128; 2], x: f32) -> [v128; 2] {
        let x = f32x4_splat(x);
        [
            f32x4_add(sums[0], f32x4_mul(line[0], x)),
            f32x4_add(sums[1], f32x4_mul(line[1], x)),
        ]
    }

    #[inline(always)]
    fn store(sums: [v128; 2]) -> Line {
        let mut line = [0.0; LINE];
        let at = line.as_mut_ptr().cast::<v128>();
        // SAFETY: a line is 32 bytes, and stores need no alignment.
        unsafe {
            v128_store(at, sums[0]);
            v128_store(at.add(1), sums[1]);
        }
        line
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

    #[inline(always)]
    fn to_floats(sums: [v128; 2]) -> Line {
        Self::store([f32x4_convert_i32x4(sums[0]), f32x4_convert_i32x4(sums[1])])
    }
}
