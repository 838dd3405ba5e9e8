//! Gate functions without branches or calls, of one float or of as many as a
//! vector unit takes. Absolute error below 3e-7.

use super::matmul::Floats;
use std::f32::consts::LOG2_E;

/// `eˣ` by splitting off the power of two, in two constants as Cephes' `expf`
/// (S. Moshier), and a polynomial of degree five for the rest: that of the least
/// relative error, 1.1e-7, of those that begin with 1 + r
/// (`tests/golden/exponential/make.py`).
#[inline(always)]
pub fn exp<F: Floats>(x: F) -> F {
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits; 127 is
    // the bias of a float's exponent.
    const ROUND: f32 = 12_582_912.0;
    const BIAS: f32 = 127.0;
    let x = x.at_most(F::all(88.0)).at_least(F::all(-87.0));
    let shifted = x.multiply_add(F::all(LOG2_E), F::all(ROUND + BIAS));
    let n = shifted.add(F::all(-ROUND - BIAS));
    let r = n.multiply_add(F::all(-0.693_359_4), x);
    let r = n.multiply_add(F::all(2.121_944_4e-4), r);
    let p = F::all(8.312_501e-3);
    let p = p.multiply_add(r, F::all(4.189_033e-2));
    let p = p.multiply_add(r, F::all(1.666_711_6e-1));
    let p = p.multiply_add(r, F::all(4.999_923e-1));
    let p = p.multiply_add(r, F::all(1.0));
    let p = p.multiply_add(r, F::all(1.0));
    p.multiply(shifted.low_bits_to_exponent())
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid<F: Floats>(x: F) -> F {
    F::all(1.0).divide(one_more_than_exp_of_minus(x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh<F: Floats>(x: F) -> F {
    let one_more = exp(x.add(x)).add(F::all(1.0));
    F::all(-2.0).divide(one_more).add(F::all(1.0))
}

/// `sigmoid(gate) · tanh(x)` with one division for both.
#[inline(always)]
pub fn gated_tanh<F: Floats>(gate: F, x: F) -> F {
    // From here on the tangent is one, and the product stays in range.
    let x = x.at_most(F::all(15.0));
    let squared = exp(x.add(x));
    let below = one_more_than_exp_of_minus(gate).multiply(squared.add(F::all(1.0)));
    squared.add(F::all(-1.0)).divide(below)
}

#[inline(always)]
fn one_more_than_exp_of_minus<F: Floats>(x: F) -> F {
    exp(x.multiply(F::all(-1.0))).add(F::all(1.0))
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
