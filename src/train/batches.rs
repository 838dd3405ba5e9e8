//! Examples of like length together, padded to the longest.

use super::examples::{Corpus, Example};
use super::voices::Voices;
use crate::emotion::N_EMOTIONS;
use crate::features::FeatureMatrix;
use crate::model::header::Architecture;
use crate::model::normalize::{Reference, inputs};
use candle_core::{Device, Result, Tensor};
use rand::Rng;
use rand::seq::SliceRandom;

/// Added to the logit of a class that a corpus lacks, when scores are
/// restricted to the classes it has.
pub const MASKED: f32 = -1e9;

/// Added to the logit of a class that a corpus lacks, in training: as if one
/// clip in twenty were of it (Menon et al. 2021, "Long-tail learning via logit
/// adjustment", equation 10). Leaving such classes out altogether would never
/// teach that a happy clip of a corpus without anger is not angry; counting
/// them in full would teach that this corpus's room and microphone mean no
/// anger.
const ABSENT: f32 = -3.0;

/// Longest stretch trained on at once, seconds.
const MAX_CROP_S: f64 = 4.0;

/// A padded batch.
pub struct Batch {
    /// `[batch, steps, inputs]`, padded with zeros.
    pub x: Tensor,
    /// True steps of each.
    pub lengths: Vec<usize>,
    /// Target distribution `[batch, classes]`.
    pub targets: Tensor,
    /// What is added to each logit in training, `[batch, classes]`.
    pub mask: Tensor,
    /// Weight of each example in the loss, `[batch]`.
    pub weights: Tensor,
}

/// How steps become a batch.
#[derive(Clone, Copy)]
pub struct Batching<'a> {
    /// The network's shape.
    pub architecture: &'a Architecture,
    /// What the voices are compared with.
    pub voices: &'a Voices,
    /// The corpora, for their classes.
    pub corpora: &'a [Corpus],
    /// Seconds of a step.
    pub step_s: f64,
    /// Share of a target spread over the corpus's classes, `0..1`.
    pub label_smoothing: f32,
    /// Weight of each class of each corpus: rare ones count more.
    pub class_weights: &'a [[f32; N_EMOTIONS]],
}

impl Batching<'_> {
    /// Whole recordings of strangers as they are, for measuring.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn whole(&self, examples: &[&Example]) -> Result<Batch> {
        let stranger = self.voices.population();
        let rows = examples
            .iter()
            .map(|e| inputs(&e.whole(), stranger, stranger, self.architecture))
            .collect();
        self.batch(examples, rows)
    }

    /// A random view of each, of somebody of whom something or nothing is
    /// known, cropped, with stretches of time and of features blanked (Park et
    /// al. 2019, "SpecAugment", without warping), for recurrent layers mixed with
    /// another.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn varied(&self, examples: &[&Example], rng: &mut impl Rng) -> Result<Batch> {
        let longest = (MAX_CROP_S / self.step_s) as usize;
        let rows = examples
            .iter()
            .map(|e| {
                let heard = any_view(e, rng);
                let view = &e.views[heard];
                let n = view.n_frames();
                let kept = if e.rows_are_clips {
                    1
                } else {
                    ((n as f32 * rng.random_range(0.7..1.0f32)) as usize).clamp(1, longest.min(n))
                };
                let start = rng.random_range(0..=n - kept);
                let (rows, range) = view.rows(start..start + kept);
                let n_columns = rows.n_features();
                let values = &rows.as_slice()[range.start * n_columns..range.end * n_columns];
                let columns = FeatureMatrix::from_rows(values.to_vec(), n_columns);
                let known = self.voices.any(&e.voice(heard), rng);
                let mut rows = inputs(&columns, known, self.voices.population(), self.architecture);
                if !e.rows_are_clips {
                    blank(
                        &mut rows,
                        n_columns,
                        self.architecture.window_normalized,
                        rng,
                    );
                }
                rows
            })
            .collect();
        match self.architecture.recurrent {
            Some(_) => self.mixed(examples, rows, rng),
            None => self.batch(examples, rows),
        }
    }

    /// Seven clips of ten with up to a half of another of the same corpus, targets
    /// alike (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"):
    /// corpora differ in their classes, so that their targets do not mix.
    fn mixed(
        &self,
        examples: &[&Example],
        rows: Vec<FeatureMatrix>,
        rng: &mut impl Rng,
    ) -> Result<Batch> {
        let mut parts = Vec::with_capacity(rows.len());
        for (i, example) in examples.iter().enumerate() {
            let others: Vec<usize> = (0..examples.len())
                .filter(|j| *j != i && examples[*j].corpus == example.corpus)
                .collect();
            let alone = others.is_empty() || rng.random_bool(0.3);
            parts.push(match alone {
                true => (i, 0.0),
                false => (
                    others[rng.random_range(0..others.len())],
                    rng.random_range(0.0..0.5f32),
                ),
            });
        }
        let mut mixed = rows.clone();
        for (own, (other, share)) in mixed.iter_mut().zip(&parts) {
            let other = &rows[*other];
            let n = own.n_frames().min(other.n_frames());
            (0..n).for_each(|t| mix(own.frame_mut(t), other.frame(t), *share));
        }
        let mut batch = self.batch(examples, mixed)?;
        let targets = batch.targets.to_vec2::<f32>()?;
        let mut mixed = targets.clone();
        for (own, (other, share)) in mixed.iter_mut().zip(&parts) {
            mix(own, &targets[*other], *share);
        }
        batch.targets = Tensor::new(mixed, &Device::Cpu)?;
        Ok(batch)
    }

    /// Given columns of each, compared with what is known of each voice.
    ///
    /// # Errors
    /// If a tensor cannot be made.
    pub fn compared(
        &self,
        examples: &[&Example],
        columns: &[FeatureMatrix],
        known: &[&Reference],
    ) -> Result<Batch> {
        let rows = columns
            .iter()
            .zip(known)
            .map(|(columns, known)| {
                inputs(columns, known, self.voices.population(), self.architecture)
            })
            .collect();
        self.batch(examples, rows)
    }

    fn batch(&self, examples: &[&Example], rows: Vec<FeatureMatrix>) -> Result<Batch> {
        let lengths: Vec<usize> = rows.iter().map(FeatureMatrix::n_frames).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let width = rows.first().map_or(0, FeatureMatrix::n_features);
        let n = examples.len();
        let mut x = vec![0.0; n * longest * width];
        for (row, matrix) in x.chunks_exact_mut(longest * width).zip(&rows) {
            row[..matrix.as_slice().len()].copy_from_slice(matrix.as_slice());
        }
        let mut targets = vec![0.0; n * N_EMOTIONS];
        let mut mask = vec![0.0; n * N_EMOTIONS];
        let mut weights = Vec::with_capacity(n);
        for (i, example) in examples.iter().enumerate() {
            let classes = &self.corpora[example.corpus].classes;
            let n_classes = classes.iter().filter(|c| **c).count() as f32;
            for (class, told_apart) in classes.iter().enumerate() {
                let at = i * N_EMOTIONS + class;
                if *told_apart {
                    targets[at] = self.label_smoothing / n_classes;
                } else {
                    mask[at] = ABSENT;
                }
            }
            targets[i * N_EMOTIONS + example.emotion.index()] += 1.0 - self.label_smoothing;
            weights.push(self.class_weights[example.corpus][example.emotion.index()]);
        }
        let device = Device::Cpu;
        Ok(Batch {
            x: Tensor::from_vec(x, (n, longest, width), &device)?,
            lengths,
            targets: Tensor::from_vec(targets, (n, N_EMOTIONS), &device)?,
            mask: Tensor::from_vec(mask, (n, N_EMOTIONS), &device)?,
            weights: Tensor::from_vec(weights, n, &device)?,
        })
    }
}

/// Moves values by a share of the way to others.
fn mix(values: &mut [f32], others: &[f32], share: f32) {
    for (value, other) in values.iter_mut().zip(others) {
        *value += share * (other - *value);
    }
}

/// Which view is heard: the recording itself in a quarter of the cases and as
/// often as each altered one in the others.
pub fn any_view(example: &Example, rng: &mut impl Rng) -> usize {
    match rng.random_range(0..4) {
        0 => 0,
        _ => rng.random_range(0..example.views.len()),
    }
}

/// Blanks one stretch of time (up to a sixth) and two bands of neighbouring
/// features (up to an eighth each), in both halves of a row alike.
fn blank(rows: &mut FeatureMatrix, n_features: usize, two_halves: bool, rng: &mut impl Rng) {
    let n = rows.n_frames();
    let n_blanked = if two_halves {
        2 * n_features
    } else {
        n_features
    };
    let mut stretch = |of: usize, share: usize| {
        let length = rng.random_range(0..=of / share);
        let start = rng.random_range(0..=of - length);
        start..start + length
    };
    let time = stretch(n, 6);
    let bands = [stretch(n_features, 8), stretch(n_features, 8)];
    for i in 0..n {
        let row = &mut rows.frame_mut(i)[..n_blanked];
        if time.contains(&i) {
            row.fill(0.0);
        }
        for half in row.chunks_exact_mut(n_features) {
            for band in &bands {
                half[band.clone()].fill(0.0);
            }
        }
    }
}

/// An epoch's order: at most `per_corpus` random clips of each corpus, in
/// batches of clips of like length, the batches in random order.
pub fn epoch(
    examples: &[&Example],
    n_corpora: usize,
    per_corpus: usize,
    batch_size: usize,
    rng: &mut impl Rng,
) -> Vec<Vec<usize>> {
    let mut chosen = Vec::new();
    for corpus in 0..n_corpora {
        let mut own: Vec<usize> = (0..examples.len())
            .filter(|i| examples[*i].corpus == corpus)
            .collect();
        own.shuffle(rng);
        own.truncate(per_corpus);
        chosen.extend(own);
    }
    chosen.shuffle(rng);
    // Sorting within pools of some batches keeps lengths alike and company new.
    let mut batches: Vec<Vec<usize>> = chosen
        .chunks(batch_size * 16)
        .flat_map(|pool| {
            let mut pool = pool.to_vec();
            pool.sort_by_key(|i| examples[*i].views[0].n_frames());
            pool.chunks(batch_size)
                .map(<[usize]>::to_vec)
                .collect::<Vec<_>>()
        })
        .filter(|batch| batch.len() > 1)
        .collect();
    batches.shuffle(rng);
    batches
}

/// The inverse of each class's share within its corpus, at most four, so that
/// a mean over the corpus's clips is one.
pub fn class_weights(examples: &[&Example], n_corpora: usize) -> Vec<[f32; N_EMOTIONS]> {
    let mut counts = vec![[0usize; N_EMOTIONS]; n_corpora];
    for example in examples {
        counts[example.corpus][example.emotion.index()] += 1;
    }
    counts
        .into_iter()
        .map(|counts| {
            let total: usize = counts.iter().sum();
            let n_classes = counts.iter().filter(|n| **n > 0).count();
            counts.map(|n| (total as f32 / (n_classes * n).max(1) as f32).min(4.0))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::train::recipe::Recipe;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn example(corpus: usize, emotion: Emotion, n: usize) -> Example {
        Example {
            corpus,
            ..Example::of(emotion, FeatureMatrix::from_rows(vec![0.0; n], 1))
        }
    }

    #[test]
    fn an_epoch_takes_each_clip_at_most_once_and_no_corpus_too_often() {
        let examples: Vec<Example> = (0..100)
            .map(|i| example(i % 3 / 2, Emotion::Sad, 1 + i))
            .collect();
        // 40 and 33 clips: no batch is left with a single one.
        let examples: Vec<&Example> = examples.iter().collect();
        let batches = epoch(&examples, 2, 40, 10, &mut StdRng::seed_from_u64(1));
        let mut seen: Vec<usize> = batches.concat();
        assert_eq!(
            seen.iter().filter(|i| examples[**i].corpus == 0).count(),
            40
        );
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), batches.concat().len());
    }

    #[test]
    fn clips_mix_with_their_corpus_alone() -> Result<()> {
        let architecture = Recipe::Lstm.architecture(4, 0.0);
        let list: Vec<Example> = (0..20)
            .map(|i| {
                let (corpus, emotion) = [
                    (0, Emotion::Sad),
                    (0, Emotion::Happy),
                    (1, Emotion::Angry),
                    (1, Emotion::Neutral),
                ][i % 4];
                example(corpus, emotion, 10 + i)
            })
            .collect();
        let examples: Vec<&Example> = list.iter().collect();
        let mut rng = StdRng::seed_from_u64(1);
        let voices = Voices::told(&examples, &architecture, &mut rng).0;
        let corpora = [
            [Emotion::Sad, Emotion::Happy],
            [Emotion::Angry, Emotion::Neutral],
        ]
        .map(|own| Corpus {
            name: String::new(),
            classes: Emotion::ALL.map(|e| own.contains(&e)),
        });
        let batching = Batching {
            architecture: &architecture,
            voices: &voices,
            corpora: &corpora,
            step_s: 0.02,
            label_smoothing: 0.0,
            class_weights: &class_weights(&examples, corpora.len()),
        };
        let targets = batching.varied(&examples, &mut rng)?.targets;
        let mut n_mixed = 0;
        for (example, target) in list.iter().zip(targets.to_vec2::<f32>()?) {
            let own = target[example.emotion.index()];
            let of_corpus = Emotion::ALL
                .into_iter()
                .filter(|e| corpora[example.corpus].classes[e.index()])
                .map(|e| target[e.index()])
                .sum::<f32>();
            assert!(own >= 0.5 && (of_corpus - 1.0).abs() < 1e-6, "{target:?}");
            n_mixed += usize::from(own < 1.0);
        }
        assert!((3..18).contains(&n_mixed), "{n_mixed}");
        Ok(())
    }

    #[test]
    fn rare_classes_weigh_more() {
        let mut examples: Vec<Example> = (0..3).map(|_| example(0, Emotion::Sad, 1)).collect();
        examples.push(example(0, Emotion::Angry, 1));
        let examples: Vec<&Example> = examples.iter().collect();
        let weights = class_weights(&examples, 1);
        assert_eq!(weights[0][Emotion::Angry.index()], 2.0);
        assert!((weights[0][Emotion::Sad.index()] - 2.0 / 3.0).abs() < 1e-6);
    }
}
