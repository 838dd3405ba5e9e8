//! How sure a fitted network may be.

use super::batches::MASKED;
use super::examples::{Corpus, Example};
use super::metrics::{Metrics, Outcome};
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::model::calibration::Calibration;

/// Share of the clips that the model shall be sure of.
const COVERAGE: f64 = 0.8;

/// Largest fall of the temperature with the duration.
const MAX_COOLING_TENTHS: i32 = 8;

/// Logits with those of classes that the corpus does not tell apart removed.
fn masked(logits: &[f32; N_EMOTIONS], corpus: &Corpus) -> [f32; N_EMOTIONS] {
    std::array::from_fn(|i| if corpus.classes[i] { logits[i] } else { MASKED })
}

/// Unweighted average recall of each corpus that has several classes.
pub(super) fn recalls(
    examples: &[&Example],
    corpora: &[Corpus],
    logits: &[[f32; N_EMOTIONS]],
) -> Vec<(String, f64)> {
    let mut result = Vec::new();
    for (index, corpus) in corpora.iter().enumerate() {
        let outcomes: Vec<Outcome> = examples
            .iter()
            .zip(logits)
            .filter(|(e, _)| e.corpus == index)
            .map(|(e, l)| Outcome {
                truth: e.emotion,
                scores: Scores::from_logits(masked(l, corpus)),
                sex: e.sex,
            })
            .collect();
        if !outcomes.is_empty() {
            let uar = Metrics::of(&outcomes, &Emotion::ALL).uar;
            result.push((corpus.name.clone(), uar));
        }
    }
    result
}

/// The temperature and its fall with the duration that have the smallest
/// cross-entropy, and the confidence that [`COVERAGE`] of the clips reach. Every
/// corpus counts alike, however large.
pub(super) fn calibrate(
    examples: &[&Example],
    corpora: &[Corpus],
    logits: &[[f32; N_EMOTIONS]],
) -> Calibration {
    let mut counts = vec![0usize; corpora.len()];
    for example in examples {
        counts[example.corpus] += 1;
    }
    let weights: Vec<f64> = examples
        .iter()
        .map(|e| 1.0 / counts[e.corpus] as f64)
        .collect();
    let clips: Vec<_> = examples.iter().zip(logits).zip(&weights).collect();
    let cross_entropy = |calibration: &Calibration| -> f64 {
        clips
            .iter()
            .map(|((e, l), weight)| {
                let logits = masked(l, &corpora[e.corpus]);
                let scores = calibration.scores(logits, e.duration_s);
                -f64::from(scores.get(e.emotion).max(1e-6).ln()) * **weight
            })
            .sum()
    };
    let coolings = (0..=MAX_COOLING_TENTHS).map(|tenths| tenths as f32 / 10.0);
    // A twentieth of an octave at a time: 0.35 to 5.7.
    let temperatures = (-30..=50).map(|i| 2f32.powf(i as f32 / 20.0));
    let mut calibration = coolings
        .flat_map(|cooling| {
            temperatures.clone().map(move |temperature| Calibration {
                temperature,
                cooling,
                sure_threshold: 0.0,
            })
        })
        .map(|calibration| (cross_entropy(&calibration), calibration))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(Calibration::default, |(_, best)| best);
    let mut confidences: Vec<(f32, f64)> = clips
        .iter()
        .map(|((e, l), weight)| (calibration.scores(**l, e.duration_s).top().1, **weight))
        .collect();
    confidences.sort_by(|a, b| a.0.total_cmp(&b.0));
    let unsure = (1.0 - COVERAGE) * weights.iter().sum::<f64>();
    let mut passed = 0.0;
    let reached = confidences.iter().find(|(_, weight)| {
        passed += weight;
        passed > unsure
    });
    calibration.sure_threshold = reached.map_or(0.0, |r| r.0);
    calibration
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureMatrix;

    fn example(emotion: Emotion) -> Example {
        Example::of(emotion, FeatureMatrix::from_rows(vec![0.0], 1))
    }

    #[test]
    fn a_boaster_is_cooled_down() {
        // Always sure with logit 6, right three times of four: the fitting
        // temperature makes the confidence three quarters.
        let corpora = [Corpus {
            name: "x".into(),
            classes: std::array::from_fn(|i| i < 2),
        }];
        let examples: Vec<Example> = (0..8)
            .map(|i| {
                example(if i % 4 == 0 {
                    Emotion::Neutral
                } else {
                    Emotion::Calm
                })
            })
            .collect();
        let mut logits = [0.0; N_EMOTIONS];
        logits[Emotion::Calm.index()] = 6.0;
        let calibration = calibrate(&examples.iter().collect::<Vec<_>>(), &corpora, &[logits; 8]);
        let p = calibration
            .scores(masked(&logits, &corpora[0]), 1.0)
            .top()
            .1;
        assert!(
            (p - 0.75).abs() < 0.01,
            "{p} at {}",
            calibration.temperature
        );
    }

    #[test]
    fn short_clips_that_are_often_wrong_are_cooled_most() {
        let corpora = [Corpus {
            name: "x".into(),
            classes: std::array::from_fn(|i| i < 2),
        }];
        // Of long clips one in ten is misjudged, of short ones four.
        let examples: Vec<Example> = (0..40)
            .map(|i| {
                let (duration_s, n_wrong) = if i < 20 { (5.0, 1) } else { (0.6, 4) };
                let emotion = if i % 10 < n_wrong {
                    Emotion::Neutral
                } else {
                    Emotion::Calm
                };
                Example {
                    duration_s,
                    ..example(emotion)
                }
            })
            .collect();
        let mut logits = [0.0; N_EMOTIONS];
        logits[Emotion::Calm.index()] = 4.0;
        let examples: Vec<&Example> = examples.iter().collect();
        let calibration = calibrate(&examples, &corpora, &[logits; 40]);
        let sure = |s| calibration.scores(masked(&logits, &corpora[0]), s).top().1;
        assert!((sure(5.0) - 0.9).abs() < 0.04, "{}", sure(5.0));
        assert!((sure(0.6) - 0.6).abs() < 0.1, "{}", sure(0.6));
    }
}
