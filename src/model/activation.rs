//! Gate functions without branches or calls, of one float or of as many as a
//! vector unit takes. Absolute error below 3e-7.

use super::matmul::{Constant, Floats};
use std::f32::consts::LOG2_E;

static ONE: Constant = Constant::new(1.0);
static MINUS_ONE: Constant = Constant::new(-1.0);
static MINUS_TWO: Constant = Constant::new(-2.0);

/// `eˣ` by splitting off the power of two, in two constants as Cephes' `expf`
/// (S. Moshier), and a polynomial of degree five for the rest: that of the least
/// relative error, 1.1e-7, of those that begin with 1 + r
/// (`tests/golden/exponential/make.py`).
#[inline(always)]
pub fn exp<F: Floats>(x: F) -> F {
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits; 127 is
    // the bias of a float's exponent.
    const ROUND_AND_BIAS: f32 = 12_582_912.0 + 127.0;
    static LARGEST: Constant = Constant::new(88.0);
    static SMALLEST: Constant = Constant::new(-87.0);
    static POWERS: Constant = Constant::new(LOG2_E);
    static ROUND: Constant = Constant::new(ROUND_AND_BIAS);
    static ROUND_BACK: Constant = Constant::new(-ROUND_AND_BIAS);
    static MINUS_LN_2: [Constant; 2] = [Constant::new(-0.693_359_4), Constant::new(2.121_944_4e-4)];
    static FIFTH: Constant = Constant::new(8.312_501e-3);
    static OTHERS: [Constant; 3] = [
        Constant::new(4.189_033e-2),
        Constant::new(1.666_711_6e-1),
        Constant::new(4.999_923e-1),
    ];
    let x = x.at_most(F::constant(&LARGEST));
    let x = x.at_least(F::constant(&SMALLEST));
    let shifted = x.multiply_add(F::constant(&POWERS), F::constant(&ROUND));
    let n = shifted.add(F::constant(&ROUND_BACK));
    let mut r = x;
    for part in &MINUS_LN_2 {
        r = n.multiply_add(F::constant(part), r);
    }
    let mut p = F::constant(&FIFTH);
    for coefficient in &OTHERS {
        p = p.multiply_add(r, F::constant(coefficient));
    }
    let one = F::constant(&ONE);
    let p = p.multiply_add(r, one).multiply_add(r, one);
    p.multiply(shifted.low_bits_to_exponent())
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid<F: Floats>(x: F) -> F {
    F::constant(&ONE).divide(one_more_than_exp_of_minus(x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<F: Floats>(x: F) -> F {
    let one = F::constant(&ONE);
    let one_more = exp(x.add(x)).add(one);
    F::constant(&MINUS_TWO).divide(one_more).add(one)
}

/// `sigmoid(gate) · tanh(x)` with one division for both.
#[inline(always)]
pub fn gated_tanh<F: Floats>(gate: F, x: F) -> F {
    // From here on the tangent is one, and the product stays in range.
    static ENOUGH: Constant = Constant::new(15.0);
    let x = x.at_most(F::constant(&ENOUGH));
    let squared = exp(x.add(x));
    let one_more = squared.add(F::constant(&ONE));
    let below = one_more_than_exp_of_minus(gate).multiply(one_more);
    squared.add(F::constant(&MINUS_ONE)).divide(below)
}

#[inline(always)]
fn one_more_than_exp_of_minus<F: Floats>(x: F) -> F {
    exp(x.multiply(F::constant(&MINUS_ONE))).add(F::constant(&ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library() {
        for i in -20_000..=20_000 {
            let x = i as f32 * 1e-3;
            assert!((exp(x) / x.exp() - 1.0).abs() < 3e-7, "exp({x})");
            assert!((tanh(x) - x.tanh()).abs() < 3e-7, "tanh({x})");
            let s = 1.0 / (1.0 + f64::from(-x).exp());
            assert!((f64::from(sigmoid(x)) - s).abs() < 2e-7, "sigmoid({x})");
        }
        for gate in [-1e9f32, -90.0, -20.0, -3.0, -0.1, 0.0, 0.5, 4.0, 30.0, 1e9] {
            for x in [-1e9f32, -40.0, -2.0, -1e-3, 0.0, 0.3, 9.0, 16.0, 60.0, 1e9] {
                let sigmoid = 1.0 / (1.0 + f64::from(-gate).exp());
                let expected = sigmoid * f64::from(x).tanh();
                let actual = f64::from(gated_tanh(gate, x));
                assert!((actual - expected).abs() < 3e-7, "{gate} {x}: {actual}");
            }
        }
        assert_eq!(tanh(1e9), 1.0);
        assert_eq!(tanh(-1e9), -1.0);
        assert!(sigmoid(-1e9) < 1e-30);
    }
}
