//! AVX2 with FMA.
#![allow(unsafe_code)]

use super::floats::{Floats, MANTISSA_BITS};
use super::{Lanes, Line, PairLine, WidePairLine};
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
    fn store(sums: [__m256; 2], line: &mut Line) {
        let at = line.as_mut_ptr();
        unsafe {
            _mm256_storeu_ps(at, sums[0]);
            _mm256_storeu_ps(at.add(8), sums[1]);
        }
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
    fn to_floats(sums: [__m256i; 2]) -> [__m256; 2] {
        unsafe { sums.map(|half| _mm256_cvtepi32_ps(half)) }
    }
}

impl Floats for __m256 {
    #[inline(always)]
    fn all(value: f32) -> Self {
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { _mm256_add_ps(self, other) }
    }

    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        unsafe { _mm256_mul_ps(self, other) }
    }

    #[inline(always)]
    fn divide(self, other: Self) -> Self {
        unsafe { _mm256_div_ps(self, other) }
    }

    #[inline(always)]
    fn multiply_add(self, factor: Self, term: Self) -> Self {
        unsafe { _mm256_fmadd_ps(self, factor, term) }
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> Self {
        unsafe { _mm256_min_ps(self, other) }
    }

    #[inline(always)]
    fn at_least(self, other: Self) -> Self {
        unsafe { _mm256_max_ps(self, other) }
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self) }
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        unsafe {
            _mm256_castsi256_ps(_mm256_slli_epi32::<{ MANTISSA_BITS as i32 }>(
                _mm256_castps_si256(self),
            ))
        }
    }
}
