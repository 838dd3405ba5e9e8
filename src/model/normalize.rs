//! Statistics that bring every feature to a common scale.

use crate::features::FeatureMatrix;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::ops::Range;

/// Deviations below this count as it: a constant feature stays zero instead
/// of becoming amplified rounding noise.
const MIN_DEVIATION: f32 = 1e-4;

/// Normalised values are clamped to this many deviations, so that one frame of
/// rubbish cannot drown a window.
const CLAMP: f32 = 8.0;

/// Mean and standard deviation of each feature.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalizer {
    /// Means, one a feature.
    pub mean: Vec<f32>,
    /// Standard deviations, one a feature.
    pub deviation: Vec<f32>,
}

impl Normalizer {
    /// Statistics over all frames of all matrices, which share a width.
    pub fn fit(matrices: impl IntoIterator<Item = impl Borrow<FeatureMatrix>>) -> Normalizer {
        let mut sums = Sums::default();
        for matrix in matrices {
            let matrix = matrix.borrow();
            for i in 0..matrix.n_frames() {
                sums.add(matrix.frame(i));
            }
        }
        sums.finish()
    }

    /// Features a frame.
    pub fn n_features(&self) -> usize {
        self.mean.len()
    }

    /// Subtracts the mean, divides by the deviation, and clamps.
    pub fn apply(&self, frame: &[f32], out: &mut [f32]) {
        let statistics = self.mean.iter().zip(&self.deviation);
        for ((y, x), (mean, deviation)) in out.iter_mut().zip(frame).zip(statistics) {
            let z = (x - mean) / deviation.max(MIN_DEVIATION);
            *y = if z.is_finite() {
                z.clamp(-CLAMP, CLAMP)
            } else {
                0.0
            };
        }
    }
}

#[derive(Default)]
struct Sums {
    n: f64,
    sum: Vec<f64>,
    sum_of_squares: Vec<f64>,
}

impl Sums {
    fn add(&mut self, frame: &[f32]) {
        self.sum.resize(frame.len(), 0.0);
        self.sum_of_squares.resize(frame.len(), 0.0);
        self.n += 1.0;
        let totals = self.sum.iter_mut().zip(&mut self.sum_of_squares);
        for ((sum, squares), &x) in totals.zip(frame) {
            *sum += f64::from(x);
            *squares += f64::from(x) * f64::from(x);
        }
    }

    fn finish(self) -> Normalizer {
        let n = self.n.max(1.0);
        let mean: Vec<f64> = self.sum.iter().map(|s| s / n).collect();
        let deviation = self
            .sum_of_squares
            .iter()
            .zip(&mean)
            .map(|(squares, mean)| {
                ((squares / n - mean * mean).max(0.0).sqrt() as f32).max(MIN_DEVIATION)
            });
        Normalizer {
            deviation: deviation.collect(),
            mean: mean.into_iter().map(|m| m as f32).collect(),
        }
    }
}

/// The network's input for a window: a row a step, each the mean of
/// `frames_per_step` frames (the last of what is left), normalised by the
/// training data's statistics and, if `window_normalized`, followed by the
/// same features normalised over the window itself.
///
/// `frames` has the normaliser's width and `range` lies within it; the answer
/// is `[steps, features]` or `[steps, 2 · features]`.
pub fn steps(
    frames: &FeatureMatrix,
    range: Range<usize>,
    normalizer: &Normalizer,
    frames_per_step: usize,
    window_normalized: bool,
) -> FeatureMatrix {
    let n_features = frames.n_features();
    let means = averaged(frames, range, frames_per_step);
    let width = if window_normalized {
        2 * n_features
    } else {
        n_features
    };
    let n_steps = means.n_frames();
    let own = window_normalized.then(|| Normalizer::fit([&means]));
    let mut rows = vec![0.0; n_steps * width];
    for (step, row) in rows.chunks_exact_mut(width).enumerate() {
        normalizer.apply(means.frame(step), &mut row[..n_features]);
        if let Some(own) = &own {
            own.apply(means.frame(step), &mut row[n_features..]);
        }
    }
    FeatureMatrix::from_rows(rows, width)
}

/// Means of `frames_per_step` consecutive frames of a range, the last of what
/// is left: `[steps, features]`.
pub fn averaged(
    frames: &FeatureMatrix,
    range: Range<usize>,
    frames_per_step: usize,
) -> FeatureMatrix {
    let n_features = frames.n_features();
    let n_steps = range.len().div_ceil(frames_per_step);
    let mut means = vec![0.0; n_steps * n_features];
    for (step, mean) in means.chunks_exact_mut(n_features).enumerate() {
        let start = range.start + step * frames_per_step;
        let end = (start + frames_per_step).min(range.end);
        for i in start..end {
            for (m, x) in mean.iter_mut().zip(frames.frame(i)) {
                *m += x / (end - start) as f32;
            }
        }
    }
    FeatureMatrix::from_rows(means, n_features)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_statistics_are_those_computed_by_hand() {
        let m = FeatureMatrix::from_rows(vec![1.0, 5.0, 3.0, 5.0], 2);
        let n = Normalizer::fit([&m]);
        assert_eq!(n.mean, [2.0, 5.0]);
        assert_eq!(n.deviation, [1.0, MIN_DEVIATION]);
    }

    #[test]
    fn steps_average_and_carry_both_normalisations() {
        let m = FeatureMatrix::from_rows(vec![0.0, 2.0, 4.0, 6.0, 9.0], 1);
        let global = Normalizer {
            mean: vec![1.0],
            deviation: vec![2.0],
        };
        let s = steps(&m, 0..5, &global, 2, true);
        assert_eq!((s.n_frames(), s.n_features()), (3, 2));
        assert_eq!(
            [s.frame(0)[0], s.frame(1)[0], s.frame(2)[0]],
            [0.0, 2.0, 4.0]
        );
        let own: f32 = (0..3).map(|i| s.frame(i)[1]).sum();
        assert!(own.abs() < 1e-5, "window-normalised values have zero mean");
        assert_eq!(steps(&m, 4..5, &global, 2, false).as_slice(), [4.0]);
    }

    #[test]
    fn what_is_not_a_number_becomes_zero() {
        let global = Normalizer {
            mean: vec![0.0; 2],
            deviation: vec![1.0; 2],
        };
        let mut out = [1.0; 2];
        global.apply(&[f32::NAN, 1e9], &mut out);
        assert_eq!(out, [0.0, CLAMP]);
    }
}
