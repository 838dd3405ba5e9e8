//! Gate functions in a form that compilers turn into SIMD: no branches, no
//! calls. Absolute error below 2e-7.

/// `eˣ` by splitting off the power of two and a polynomial of degree six for
/// the rest (the coefficients of Cephes' `expf`, S. Moshier).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons, since WebAssembly's own minimum and maximum are slow on x86.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    p * f32::from_bits(exponent.wrapping_add(127) << 23)
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (1.0 + exp(2.0 * x))
}

/// `sigmoid(gate) · tanh(x)` with one division for both.
#[inline(always)]
pub fn gated_tanh(gate: f32, x: f32) -> f32 {
    // From here on the tangent is one, and the product stays in range.
    let x = if x > 15.0 { 15.0 } else { x };
    let squared = exp(2.0 * x);
    (squared - 1.0) / ((1.0 + exp(-gate)) * (1.0 + squared))
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
