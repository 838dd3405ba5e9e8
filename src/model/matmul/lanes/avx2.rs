//! AVX2 with FMA.
#![allow(unsafe_code)]

use super::{LINE, Lanes, Line, PairLine, WidePairLine};
use std::arch::x86_64::*;

/// x86's 256-bit unit with fused multiply-add. To be used only beneath
/// functions that have the target features `avx2` and `fma`.
pub struct Avx2;

// SAFETY, for every block below: the instructions are there, because who
// uses `Avx2` has asked; a line is 64 bytes, as is one of wide pairs, and one of pairs 32; the
// loads and stores named `u` need no alignment.
impl Lanes for Avx2 {
    type Floats = [__m256; 2];
    type Integers = [__m256i; 2];
    type Pairs = [__m256i; 2];

    #[inline(always)]
    fn load(line: &Line) -> [__m256; 2] {
        let at = line.as_ptr();
        unsafe { [_mm256_loadu_ps(at), _mm256_loadu_ps(at.add(8))] }
    }

    #[inline(always)]
    fn add_scaled(sums: [__m256; 2], line: [__m256; 2], x: f32) -> [__m256; 2] {
        unsafe {
            let x = _mm256_set1_ps(x);
            [
                _mm256_fmadd_ps(line[0], x, sums[0]),
                _mm256_fmadd_ps(line[1], x, sums[1]),
            ]
        }
    }

    #[inline(always)]
    fn store(sums: [__m256; 2]) -> Line {
        let mut line = [0.0; LINE];
        let at = line.as_mut_ptr();
        unsafe {
            _mm256_storeu_ps(at, sums[0]);
            _mm256_storeu_ps(at.add(8), sums[1]);
        }
        line
    }

    #[inline(always)]
    fn zeros() -> [__m256i; 2] {
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    fn widen(line: &PairLine) -> [__m256i; 2] {
        let at = line.as_ptr().cast::<__m128i>();
        unsafe {
            [
                _mm256_cvtepi8_epi16(_mm_loadu_si128(at)),
                _mm256_cvtepi8_epi16(_mm_loadu_si128(at.add(1))),
            ]
        }
    }

    #[inline(always)]
    fn load_wide(line: &WidePairLine) -> [__m256i; 2] {
        let at = line.as_ptr().cast::<__m256i>();
        unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] }
    }

    #[inline(always)]
    fn add_pairs(sums: [__m256i; 2], line: [__m256i; 2], x: i32) -> [__m256i; 2] {
        unsafe {
            let x = _mm256_set1_epi32(x);
            [
                _mm256_add_epi32(sums[0], _mm256_madd_epi16(line[0], x)),
                _mm256_add_epi32(sums[1], _mm256_madd_epi16(line[1], x)),
            ]
        }
    }

    #[inline(always)]
    fn to_floats(sums: [__m256i; 2]) -> Line {
        unsafe { Self::store([_mm256_cvtepi32_ps(sums[0]), _mm256_cvtepi32_ps(sums[1])]) }
    }
}
