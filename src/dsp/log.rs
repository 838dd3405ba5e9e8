//! A logarithm that a vector unit can take.

use std::f32::consts::LN_2;

/// Smallest power that has decibels of its own, `amin` of
/// `librosa.power_to_db`.
pub const POWER_FLOOR: f32 = 1e-10;

/// Natural logarithm of a positive, normal, finite number, within 2e-7 of its
/// own size or of one. Cephes's polynomial (`logf`, Moshier 1992), without a
/// branch, so that a loop over it runs in vectors; other numbers give nonsense.
pub fn ln(x: f32) -> f32 {
    // Below √½ the mantissa counts with the exponent beneath, so that the
    // polynomial's argument lies within √½ − 1 ..= √2 − 1.
    let exponent = (x.to_bits() as i32 - SQRT_HALF_BITS) >> 23;
    let f = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23) as u32)) - 1.0;
    let mut p = COEFFICIENTS[0];
    for c in &COEFFICIENTS[1..] {
        p = p * f + c;
    }
    let square = f * f;
    exponent as f32 * LN_2 + (f + square * (f * p - 0.5))
}

/// The bits of √½.
const SQRT_HALF_BITS: i32 = 0x3f35_04f3;

/// Of `(ln(1 + f) − f + f²/2) / f³`, the highest power first.
const COEFFICIENTS: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];

/// Decibels of a power, `10·log10`, with a floor of [`POWER_FLOOR`]:
/// `librosa.power_to_db(ref=1.0, top_db=None)`, within 5e-5 dB.
pub fn power_to_db(power: f32) -> f32 {
    ln(power.max(POWER_FLOOR)) * DB_PER_NEPER
}

/// `10 / ln 10`.
const DB_PER_NEPER: f32 = 4.342_944_8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_library_s_logarithm_over_the_whole_range() {
        let mut x = f32::MIN_POSITIVE;
        while x < 1e38 {
            let expected = f64::from(x).ln();
            let error = (f64::from(ln(x)) - expected).abs();
            assert!(error < 2e-7 * expected.abs().max(1.0), "{x}: {error}");
            x *= 1.003_7;
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn decibels_have_their_floor() {
        assert_eq!(power_to_db(1.0), 0.0);
        assert!((power_to_db(0.0) + 100.0).abs() < 5e-5);
        assert!((power_to_db(1e4) - 40.0).abs() < 5e-5);
    }
}
