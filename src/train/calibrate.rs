//! How sure a fitted network may be.

use super::batches::MASKED;
use super::examples::{Corpus, Example};
use super::metrics::{Metrics, Outcome};
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::model::calibration::{Answer, Calibration};

/// Share of the clips that the model shall be sure of.
const COVERAGE: f64 = 0.8;

/// How the temperature rises with the novelty. Speakers of corpora that were trained on say
/// little of it; where each of four corpora is left out in turn, the other three and all
/// speakers at home give .57 to .85, all four .68 (`docs/experiments.md`).
const CAUTION: f32 = 0.7;

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
    answers: &[Answer],
) -> Calibration {
    let mut counts = vec![0usize; corpora.len()];
    for example in examples {
        counts[example.corpus] += 1;
    }
    let weights: Vec<f64> = examples
        .iter()
        .map(|e| 1.0 / counts[e.corpus] as f64)
        .collect();
    let clips: Vec<_> = examples.iter().zip(answers).zip(&weights).collect();
    let cross_entropy = |calibration: &Calibration| -> f64 {
        clips
            .iter()
            .map(|((e, answer), weight)| {
                let told_apart = Answer {
                    logits: masked(&answer.logits, &corpora[e.corpus]),
                    ..**answer
                };
                let scores = calibration.scores(&told_apart, e.duration_s);
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
                caution: CAUTION,
                sure_threshold: 0.0,
            })
        })
        .map(|calibration| (cross_entropy(&calibration), calibration))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(Calibration::default, |(_, best)| best);
    let mut confidences: Vec<(f32, f64)> = clips
        .iter()
        .map(|((e, answer), weight)| {
            let scores = calibration.scores(answer, e.duration_s);
            (scores.top().1, **weight)
        })
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

    fn familiar(logits: [f32; N_EMOTIONS]) -> Answer {
        Answer {
            logits,
            novelty: 1.0,
        }
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
        let answer = familiar(masked(&logits, &corpora[0]));
        let calibration = calibrate(&examples.iter().collect::<Vec<_>>(), &corpora, &[answer; 8]);
        let p = calibration.scores(&answer, 1.0).top().1;
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
        let answer = familiar(masked(&logits, &corpora[0]));
        let calibration = calibrate(&examples, &corpora, &[answer; 40]);
        let sure = |s| calibration.scores(&answer, s).top().1;
        assert!((sure(5.0) - 0.9).abs() < 0.04, "{}", sure(5.0));
        assert!((sure(0.6) - 0.6).abs() < 0.1, "{}", sure(0.6));
    }
}
