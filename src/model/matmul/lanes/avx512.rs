//! AVX-512.
#![allow(unsafe_code)]

use super::floats::{Floats, MANTISSA_BITS};
use super::{Lanes, Line, PairLine, WidePairLine};
use std::arch::x86_64::*;

/// x86's 512-bit unit. To be used only beneath functions that have the
/// target features `avx512f` and `avx512bw`.
pub struct Avx512;

// SAFETY, for every block below: the instructions are there, because who
// uses `Avx512` has asked; a line is 64 bytes, as is one of wide pairs, and
// one of pairs 32; the loads and stores named `u` need no alignment.
impl Lanes for Avx512 {
    const MANY_REGISTERS: bool = true;
    type Floats = __m512;
    type Integers = __m512i;
    type Pairs = __m512i;

    #[inline(always)]
    fn load(line: &Line) -> __m512 {
        unsafe { _mm512_loadu_ps(line.as_ptr()) }
    }

    #[inline(always)]
    fn store(sums: __m512, line: &mut Line) {
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), sums) }
    }

    #[inline(always)]
    fn zeros() -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn widen(line: &PairLine) -> __m512i {
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(line.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_wide(line: &WidePairLine) -> __m512i {
        unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
    }

    #[inline(always)]
    fn add_pairs(sums: __m512i, line: __m512i, x: i32) -> __m512i {
        unsafe { _mm512_add_epi32(sums, _mm512_madd_epi16(line, _mm512_set1_epi32(x))) }
    }

    #[inline(always)]
    fn to_floats(sums: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
}

impl Floats for __m512 {
    #[inline(always)]
    fn all(value: f32) -> Self {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    fn divide(self, other: Self) -> Self {
        unsafe { _mm512_div_ps(self, other) }
    }

    #[inline(always)]
    fn multiply_add(self, factor: Self, term: Self) -> Self {
        unsafe { _mm512_fmadd_ps(self, factor, term) }
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> Self {
        unsafe { _mm512_min_ps(self, other) }
    }

    #[inline(always)]
    fn at_least(self, other: Self) -> Self {
        unsafe { _mm512_max_ps(self, other) }
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        unsafe { _mm512_abs_ps(self) }
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        unsafe {
            _mm512_castsi512_ps(_mm512_slli_epi32::<MANTISSA_BITS>(_mm512_castps_si512(
                self,
            )))
        }
    }
}
