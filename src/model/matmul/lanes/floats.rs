//! Arithmetic on floats side by side.

use super::LINE;

/// A number that is the same in every lane and known beforehand.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
pub struct Constant(pub [f32; 4]);

impl Constant {
    /// `value` throughout.
    pub const fn new(value: f32) -> Constant {
        Constant([value; 4])
    }
}

/// One float, or several that are computed with alike.
pub trait Floats: Copy {
    /// `value` throughout.
    fn all(value: f32) -> Self;
    /// The same of a number that is known beforehand.
    #[inline(always)]
    fn constant(value: &'static Constant) -> Self {
        Self::all(value.0[0])
    }
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self · other`.
    fn multiply(self, other: Self) -> Self;
    /// `self / other`.
    fn divide(self, other: Self) -> Self;
    /// `self · factor + term`, rounded once where the unit can.
    fn multiply_add(self, factor: Self, term: Self) -> Self;
    /// The smaller of both; either where one is no number.
    fn at_most(self, other: Self) -> Self;
    /// The larger of both; either where one is no number.
    fn at_least(self, other: Self) -> Self;
    /// Without its sign.
    fn magnitude(self) -> Self;
    /// The bits as an integer, shifted to the left into a float's exponent.
    fn low_bits_to_exponent(self) -> Self;
}

/// Bits below a float's exponent.
pub const MANTISSA_BITS: u32 = 23;

impl Floats for f32 {
    #[inline(always)]
    fn all(value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn add(self, other: f32) -> f32 {
        self + other
    }

    #[inline(always)]
    fn multiply(self, other: f32) -> f32 {
        self * other
    }

    #[inline(always)]
    fn divide(self, other: f32) -> f32 {
        self / other
    }

    #[inline(always)]
    fn multiply_add(self, factor: f32, term: f32) -> f32 {
        // Every 64-bit ARM fuses; where nothing does, a call would be made.
        if cfg!(target_arch = "aarch64") {
            self.mul_add(factor, term)
        } else {
            self * factor + term
        }
    }

    #[inline(always)]
    fn at_most(self, other: f32) -> f32 {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn at_least(self, other: f32) -> f32 {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn magnitude(self) -> f32 {
        self.abs()
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> f32 {
        f32::from_bits(self.to_bits() << MANTISSA_BITS)
    }
}

/// What the compiler makes of loops.
impl Floats for [f32; LINE] {
    #[inline(always)]
    fn all(value: f32) -> Self {
        [value; LINE]
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each(self, other, f32::add)
    }

    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        each(self, other, f32::multiply)
    }

    #[inline(always)]
    fn divide(self, other: Self) -> Self {
        each(self, other, f32::divide)
    }

    #[inline(always)]
    fn multiply_add(mut self, factor: Self, term: Self) -> Self {
        for ((v, factor), term) in self.iter_mut().zip(factor).zip(term) {
            *v = v.multiply_add(factor, term);
        }
        self
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> Self {
        each(self, other, f32::at_most)
    }

    #[inline(always)]
    fn at_least(self, other: Self) -> Self {
        each(self, other, f32::at_least)
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        self.map(f32::magnitude)
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        self.map(f32::low_bits_to_exponent)
    }
}

#[inline(always)]
fn each(mut these: [f32; LINE], others: [f32; LINE], f: impl Fn(f32, f32) -> f32) -> [f32; LINE] {
    for (v, other) in these.iter_mut().zip(others) {
        *v = f(*v, other);
    }
    these
}

/// Two vectors.
impl<F: Floats> Floats for [F; 2] {
    #[inline(always)]
    fn all(value: f32) -> Self {
        [F::all(value); 2]
    }

    #[inline(always)]
    fn constant(value: &'static Constant) -> Self {
        [F::constant(value); 2]
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        [self[0].add(other[0]), self[1].add(other[1])]
    }

    #[inline(always)]
    fn multiply(self, other: Self) -> Self {
        [self[0].multiply(other[0]), self[1].multiply(other[1])]
    }

    #[inline(always)]
    fn divide(self, other: Self) -> Self {
        [self[0].divide(other[0]), self[1].divide(other[1])]
    }

    #[inline(always)]
    fn multiply_add(self, factor: Self, term: Self) -> Self {
        [
            self[0].multiply_add(factor[0], term[0]),
            self[1].multiply_add(factor[1], term[1]),
        ]
    }

    #[inline(always)]
    fn at_most(self, other: Self) -> Self {
        [self[0].at_most(other[0]), self[1].at_most(other[1])]
    }

    #[inline(always)]
    fn at_least(self, other: Self) -> Self {
        [self[0].at_least(other[0]), self[1].at_least(other[1])]
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        [self[0].magnitude(), self[1].magnitude()]
    }

    #[inline(always)]
    fn low_bits_to_exponent(self) -> Self {
        self.map(F::low_bits_to_exponent)
    }
}
