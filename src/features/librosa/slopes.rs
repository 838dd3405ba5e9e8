//! Slopes whose ends are those of the nearest whole window.

use super::super::FeatureMatrix;
use super::super::delta::{DELTA_REACH, curvature_weights, slope_weights};

/// `librosa.feature.delta(order=1)`, of the same shape.
pub fn first(rows: &FeatureMatrix) -> FeatureMatrix {
    weigh(rows, &slope_weights())
}

/// `librosa.feature.delta(order=2)`, of the same shape.
pub fn second(rows: &FeatureMatrix) -> FeatureMatrix {
    weigh(rows, &curvature_weights())
}

/// Weighs nine frames around each. The line or parabola through the first nine
/// also serves the four before their middle, as in `mode="interp"`: it has one
/// slope, or curvature, throughout. Under nine frames the ends are repeated.
fn weigh(rows: &FeatureMatrix, weights: &[f32]) -> FeatureMatrix {
    let n = rows.n_frames();
    let mut slopes = FeatureMatrix::zeros(n, rows.n_features());
    for t in 0..n {
        let middle = if n > 2 * DELTA_REACH {
            t.clamp(DELTA_REACH, n - 1 - DELTA_REACH)
        } else {
            t
        };
        for (i, weight) in weights.iter().enumerate() {
            let row = rows.frame((middle + i).saturating_sub(DELTA_REACH).min(n - 1));
            for (slope, value) in slopes.frame_mut(t).iter_mut().zip(row) {
                *slope += weight * value;
            }
        }
    }
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parabola_has_its_curvature_to_the_ends() {
        let values = (0..12).map(|i| (i * i) as f32 / 2.0).collect();
        let rows = FeatureMatrix::from_rows(values, 1);
        let (slope, curvature) = (first(&rows), second(&rows));
        assert!(curvature.as_slice().iter().all(|c| (c - 1.0).abs() < 1e-4));
        for (t, expected) in [(0, 4.0), (4, 4.0), (5, 5.0), (7, 7.0), (11, 7.0)] {
            assert!((slope.frame(t)[0] - expected).abs() < 1e-4, "frame {t}");
        }
    }
}
