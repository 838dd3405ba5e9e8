//! The vector units that products run on, and the one place that names their
//! instructions: WebAssembly's `simd128`, x86's AVX-512 or AVX2 with FMA (asked for
//! when the program runs), and arrays that the compiler vectorises for all others.
#![allow(unsafe_code)]

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

/// Arrays, for the compiler to vectorise.
#[cfg(not(target_arch = "wasm32"))]
pub struct Portable;

#[cfg(not(target_arch = "wasm32"))]
impl Lanes for Portable {
    type Floats = Line;
    type Integers = [i32; LINE];
    type Pairs = WidePairLine;

    #[inline(always)]
    fn load(line: &Line) -> Line {
        *line
    }

    #[inline(always)]
    fn add_scaled(mut sums: Line, line: Line, x: f32) -> Line {
        for (sum, w) in sums.iter_mut().zip(line) {
            // Every 64-bit ARM fuses; where nothing does, a call would be made.
            *sum = if cfg!(target_arch = "aarch64") {
                w.mul_add(x, *sum)
            } else {
                *sum + w * x
            };
        }
        sums
    }

    #[inline(always)]
    fn store(sums: Line) -> Line {
        sums
    }

    #[inline(always)]
    fn zeros() -> [i32; LINE] {
        [0; LINE]
    }

    #[inline(always)]
    fn widen(line: &PairLine) -> WidePairLine {
        line.map(|pair| pair.map(i16::from))
    }

    #[inline(always)]
    fn load_wide(line: &WidePairLine) -> WidePairLine {
        *line
    }

    #[inline(always)]
    fn add_pairs(mut sums: [i32; LINE], line: WidePairLine, x: i32) -> [i32; LINE] {
        let (first, second) = (i32::from(x as i16), x >> 16);
        for (sum, w) in sums.iter_mut().zip(line) {
            *sum += i32::from(w[0]) * first + i32::from(w[1]) * second;
        }
        sums
    }

    #[inline(always)]
    fn to_floats(sums: [i32; LINE]) -> Line {
        sums.map(|v| v as f32)
    }
}

#[cfg(target_arch = "wasm32")]
pub use wasm::Simd128;

#[cfg(target_arch = "wasm32")]
mod wasm {
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
}

#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(target_arch = "x86_64")]
mod x86 {
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
}

#[cfg(target_arch = "x86_64")]
pub use x86_512::Avx512;

#[cfg(target_arch = "x86_64")]
mod x86_512 {
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
