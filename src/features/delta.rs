//! Slope and curvature over nine frames.

/// Frames on either side of the middle.
pub const DELTA_REACH: usize = 4;

/// Weights of the least-squares line over nine frames, `n / Σn²`:
/// `librosa.feature.delta(width=9, order=1)`, the edges repeated
/// (`mode="nearest"`).
pub fn slope_weights() -> [f32; 2 * DELTA_REACH + 1] {
    std::array::from_fn(|i| (i as f32 - DELTA_REACH as f32) / 60.0)
}

/// Weights of the second derivative of the least-squares parabola over nine
/// frames: `librosa.feature.delta(width=9, order=2)`. For 2·4+1 points the
/// curvature is `Σ (n² − 20/3)·x[n] · 2 / Σ (n² − 20/3)²`, with the sum 308.
pub fn curvature_weights() -> [f32; 2 * DELTA_REACH + 1] {
    std::array::from_fn(|i| {
        let n = i as f64 - DELTA_REACH as f64;
        (2.0 * (n * n - 20.0 / 3.0) / 308.0) as f32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differentiate_a_parabola() {
        let x: Vec<f32> = (0..9)
            .map(|i| 3.0 + 2.0 * i as f32 + 0.5 * (i * i) as f32)
            .collect();
        let dot = |w: [f32; 9]| w.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>();
        assert!((dot(slope_weights()) - 6.0).abs() < 1e-4);
        assert!((dot(curvature_weights()) - 1.0).abs() < 1e-4);
    }
}
