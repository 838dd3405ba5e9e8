//! Statistics that bring every feature to a common scale.

use super::header::{Architecture, Pooling};
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

/// Kinds of baseline, of which a network is told how far each was followed.
pub const N_SHARES: usize = 2;

/// Shares, `0..1`, are brought to the scale of the other inputs.
const SHARE_SCALE: f32 = 2.0;

/// Statistics of the columns that training saw, one a column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Normalizer {
    /// Means.
    pub mean: Vec<f32>,
    /// Standard deviations.
    pub deviation: Vec<f32>,
    /// Standard deviations of one speaker, on average.
    #[serde(default)]
    pub within: Vec<f32>,
}

/// What a voice is compared with: the population, or a speaker's own baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Means, one a column.
    pub mean: Vec<f32>,
    /// Standard deviations, one a column.
    pub deviation: Vec<f32>,
    /// How far each kind of baseline was followed, `0..1`; zeros for the
    /// population.
    pub shares: [f32; N_SHARES],
}

impl Normalizer {
    /// Statistics over all rows of all matrices, which share a width; the
    /// deviation within speakers is that over all.
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

    /// Columns.
    pub fn n_columns(&self) -> usize {
        self.mean.len()
    }

    /// The population's own statistics.
    pub fn reference(&self) -> Reference {
        Reference {
            mean: self.mean.clone(),
            deviation: self.deviation.clone(),
            shares: [0.0; N_SHARES],
        }
    }
}

impl Reference {
    /// How much is not known of the voice, `0..=1`.
    pub fn unknown(&self) -> f32 {
        1.0 - self.shares.iter().sum::<f32>()
    }

    /// Subtracts the mean, divides by the deviation, and clamps.
    pub fn apply(&self, row: &[f32], out: &mut [f32]) {
        let statistics = self.mean.iter().zip(&self.deviation);
        for ((y, x), (mean, deviation)) in out.iter_mut().zip(row).zip(statistics) {
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
        let deviation: Vec<f32> = deviation.collect();
        Normalizer {
            within: deviation.clone(),
            deviation,
            mean: mean.into_iter().map(|m| m as f32).collect(),
        }
    }
}

/// What is normalised of a range of frames: its steps, each the mean of
/// `frames_per_step` frames, `[steps, features]`; or, where the network pools
/// [`Pooling::Statistics`], their mean and standard deviation over time,
/// `[1, 2 · features]`.
pub fn columns(
    frames: &FeatureMatrix,
    range: Range<usize>,
    architecture: &Architecture,
) -> FeatureMatrix {
    let steps = averaged(frames, range, architecture.frames_per_step);
    match architecture.pooling {
        Pooling::Attentive => steps,
        Pooling::Statistics => pooled(&steps, 0..steps.n_frames()),
    }
}

/// What is normalised of a recording that is judged as one: the steps from its first
/// voice to its last; or, where the network pools [`Pooling::Statistics`], the mean of
/// what [`columns`] makes of these and of all its frames. Silence around the voice helps
/// where its room is known and misleads where it is strange: it never counts alone.
pub fn of_recording(
    frames: &FeatureMatrix,
    spoken: Range<usize>,
    architecture: &Architecture,
) -> FeatureMatrix {
    let per_step = architecture.frames_per_step;
    let steps = averaged(frames, 0..frames.n_frames(), per_step);
    let spoken = spoken.start / per_step..spoken.end.div_ceil(per_step);
    match architecture.pooling {
        Pooling::Attentive => averaged(&steps, spoken, 1),
        Pooling::Statistics => mean(
            &pooled(&steps, 0..steps.n_frames()),
            &pooled(&steps, spoken),
        ),
    }
}

/// Mean and standard deviation over time of a range of steps, `[1, 2 · features]`.
pub fn pooled(steps: &FeatureMatrix, range: Range<usize>) -> FeatureMatrix {
    let mut sums = Sums::default();
    range.for_each(|step| sums.add(steps.frame(step)));
    let own = sums.finish();
    FeatureMatrix::from_rows([own.mean, own.deviation].concat(), 2 * steps.n_features())
}

/// The mean of two matrices of one shape.
pub fn mean(a: &FeatureMatrix, b: &FeatureMatrix) -> FeatureMatrix {
    let values = a.as_slice().iter().zip(b.as_slice());
    let values = values.map(|(a, b)| (a + b) / 2.0).collect();
    FeatureMatrix::from_rows(values, a.n_features())
}

/// The network's input: each row of [`columns`] compared with `reference`, then,
/// as the architecture wants, the same normalised over the rows themselves, how far
/// a baseline was followed, and the same compared with the `population`, what fades
/// weighing as much as is not known of the voice.
pub fn inputs(
    columns: &FeatureMatrix,
    reference: &Reference,
    population: &Reference,
    architecture: &Architecture,
) -> FeatureMatrix {
    let n_columns = columns.n_features();
    let width = architecture.n_inputs(n_columns);
    let own = architecture
        .window_normalized
        .then(|| Normalizer::fit([columns]).reference());
    let mut rows = vec![0.0; columns.n_frames() * width];
    for (i, row) in rows.chunks_exact_mut(width).enumerate() {
        let (compared, rest) = row.split_at_mut(n_columns);
        reference.apply(columns.frame(i), compared);
        let rest = match &own {
            Some(own) => {
                let (over_rows, rest) = rest.split_at_mut(n_columns);
                own.apply(columns.frame(i), over_rows);
                rest
            }
            None => rest,
        };
        let n_shares = if architecture.told_baseline {
            N_SHARES
        } else {
            0
        };
        let (shares, as_they_are) = rest.split_at_mut(n_shares);
        for (input, share) in shares.iter_mut().zip(reference.shares) {
            *input = SHARE_SCALE * share;
        }
        if !as_they_are.is_empty() {
            population.apply(columns.frame(i), as_they_are);
            let unknown = reference.unknown();
            for columns in &architecture.fading {
                for input in &mut as_they_are[columns.clone()] {
                    *input *= unknown;
                }
            }
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

    fn architecture(pooling: Pooling) -> Architecture {
        Architecture {
            frames_per_step: 2,
            window_normalized: pooling == Pooling::Attentive,
            convolutions: Vec::new(),
            recurrent: None,
            pooling,
            told_baseline: true,
            heads: 1,
            as_they_are: Vec::new(),
            fading: Vec::new(),
            dense: 1,
            dropout: 0.0,
        }
    }

    fn global() -> Reference {
        Reference {
            mean: vec![1.0],
            deviation: vec![2.0],
            shares: [0.0, 0.25],
        }
    }

    #[test]
    fn fitted_statistics_are_those_computed_by_hand() {
        let m = FeatureMatrix::from_rows(vec![1.0, 5.0, 3.0, 5.0], 2);
        let n = Normalizer::fit([&m]);
        assert_eq!(n.mean, [2.0, 5.0]);
        assert_eq!(n.deviation, [1.0, MIN_DEVIATION]);
    }

    #[test]
    fn what_is_spoken_counts_alone_or_in_both_halves_of_what_is_pooled() {
        // Silence, four frames of voice, silence; two frames a step.
        let frames = [0.0, 0.0, 2.0, 2.0, 6.0, 6.0, 0.0, 0.0];
        let frames = FeatureMatrix::from_rows(frames.to_vec(), 1);
        let pooled = of_recording(&frames, 2..6, &architecture(Pooling::Statistics));
        let [mean, deviation] = pooled.as_slice() else {
            panic!("one row of two columns")
        };
        // Means 2 and 4; variances 6 and 4.
        assert!((mean - 3.0).abs() < 1e-6, "{mean}");
        assert!(
            (deviation - (6f32.sqrt() + 2.0) / 2.0).abs() < 1e-6,
            "{deviation}"
        );
        let steps = of_recording(&frames, 2..6, &architecture(Pooling::Attentive));
        assert_eq!(steps.as_slice(), [2.0, 6.0]);
    }

    #[test]
    fn steps_average_and_carry_both_normalisations_and_the_shares() {
        let m = FeatureMatrix::from_rows(vec![0.0, 2.0, 4.0, 6.0, 9.0], 1);
        let architecture = architecture(Pooling::Attentive);
        let s = inputs(
            &columns(&m, 0..5, &architecture),
            &global(),
            &global(),
            &architecture,
        );
        assert_eq!((s.n_frames(), s.n_features()), (3, 4));
        assert_eq!(
            [s.frame(0)[0], s.frame(1)[0], s.frame(2)[0]],
            [0.0, 2.0, 4.0]
        );
        let own: f32 = (0..3).map(|i| s.frame(i)[1]).sum();
        assert!(own.abs() < 1e-5, "window-normalised values have zero mean");
        assert_eq!(s.frame(2)[2..], [0.0, 0.5]);
        let last = columns(&m, 4..5, &architecture);
        assert_eq!(
            inputs(&last, &global(), &global(), &architecture).as_slice()[0],
            4.0
        );
    }

    #[test]
    fn columns_as_they_are_follow_those_compared_with_the_voice_and_may_fade() {
        let architecture = Architecture {
            as_they_are: vec![Vec::new(), vec![1..2]],
            fading: vec![0..1, 1..2],
            heads: 3,
            ..architecture(Pooling::Statistics)
        };
        let statistics = |mean: f32, share: f32| Reference {
            mean: vec![mean; 2],
            deviation: vec![1.0; 2],
            shares: [share, 0.0],
        };
        let row = FeatureMatrix::from_rows(vec![5.0, 6.0], 2);
        let (known, population) = (statistics(2.0, 0.25), statistics(1.0, 0.0));
        let stranger = inputs(&row, &population, &population, &architecture);
        assert_eq!(stranger.as_slice(), [4.0, 5.0, 0.0, 0.0, 4.0, 5.0]);
        let row = inputs(&row, &known, &population, &architecture);
        assert_eq!(row.as_slice(), [3.0, 4.0, 0.5, 0.0, 3.0, 3.75]);
        let read = |head| architecture.read_by(head, 2);
        assert_eq!(read(0), Some(vec![0, 1, 2, 3]));
        assert_eq!(read(1), Some(vec![0, 1, 2, 3, 5]));
        assert_eq!(read(2), read(0));
    }

    #[test]
    fn statistics_are_the_steps_mean_and_deviation() {
        let m = FeatureMatrix::from_rows(vec![0.0, 2.0, 4.0, 6.0], 1);
        let c = columns(&m, 0..4, &architecture(Pooling::Statistics));
        assert_eq!(c.as_slice(), [3.0, 2.0]);
        assert_eq!((c.n_frames(), c.n_features()), (1, 2));
    }

    #[test]
    fn what_is_not_a_number_becomes_zero() {
        let mut out = [1.0; 2];
        let global = Reference {
            mean: vec![0.0; 2],
            deviation: vec![1.0; 2],
            shares: [0.0; N_SHARES],
        };
        global.apply(&[f32::NAN, 1e9], &mut out);
        assert_eq!(out, [0.0, CLAMP]);
    }
}
