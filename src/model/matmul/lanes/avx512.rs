//! AVX-512.
#![allow(unsafe_code)]

use super::{LINE, Lanes, Line, PairLine, WidePairLine};
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
    fn add_scaled(sums: __m512, line: __m512, x: f32) -> __m512 {
        unsafe { _mm512_fmadd_ps(line, _mm512_set1_ps(x), sums) }
    }

    #[inline(always)]
    fn store(sums: __m512) -> Line {
        let mut line = [0.0; LINE];
        unsafe { _mm512_storeu_ps(line.as_mut_ptr(), sums) };
        line
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
    fn to_floats(sums: __m512i) -> Line {
        unsafe { Self::store(_mm512_cvtepi32_ps(sums)) }
    }
}
