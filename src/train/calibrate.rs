//! How sure a fitted network may be.

use super::batches::MASKED;
use super::examples::{Corpus, Example};
use super::metrics::{Metrics, Outcome};
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::model::calibration::Calibration;

/// Share of the clips that the model shall be sure of.
const COVERAGE: f64 = 0.8;

/// Logits with those of classes that the corpus does not tell apart removed.
fn masked(logits: &[f32; N_EMOTIONS], corpus: &Corpus) -> [f32; N_EMOTIONS] {
    std::array::from_fn(|i| if corpus.classes[i] { logits[i] } else { MASKED })
}

/// Unweighted average recall of each corpus that has several classes.
pub(super) fn by_corpus(
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

/// The temperature with the smallest cross-entropy, and the confidence that
/// [`COVERAGE`] of the clips reach.
pub(super) fn calibrate(
    examples: &[&Example],
    corpora: &[Corpus],
    logits: &[[f32; N_EMOTIONS]],
) -> Calibration {
    let cross_entropy = |temperature: f32| -> f64 {
        let calibration = Calibration {
            temperature,
            sure_threshold: 0.0,
        };
        examples
            .iter()
            .zip(logits)
            .map(|(e, l)| {
                let scores = calibration.scores(masked(l, &corpora[e.corpus]));
                -f64::from(scores.get(e.emotion).max(1e-6).ln())
            })
            .sum()
    };
    // A hundredth of an octave and a half at a time: 0.35 to 5.7.
    let temperature = (-150..=250)
        .map(|i| 2f32.powf(i as f32 / 100.0))
        .min_by(|a, b| cross_entropy(*a).total_cmp(&cross_entropy(*b)))
        .unwrap_or(1.0);
    let mut calibration = Calibration {
        temperature,
        sure_threshold: 0.0,
    };
    let mut confidences: Vec<f32> = logits
        .iter()
        .map(|l| calibration.scores(*l).top().1)
        .collect();
    confidences.sort_by(f32::total_cmp);
    let rank = ((1.0 - COVERAGE) * confidences.len() as f64) as usize;
    calibration.sure_threshold = confidences.get(rank).copied().unwrap_or(0.0);
    calibration
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureMatrix;

    fn example(emotion: Emotion) -> Example {
        Example {
            corpus: 0,
            person: "a".into(),
            path: Default::default(),
            duration_s: 1.0,
            emotion,
            sex: None,
            views: vec![FeatureMatrix::from_rows(vec![0.0], 1).into()],
            rows_are_clips: false,
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
        let calibration = calibrate(&examples.iter().collect::<Vec<_>>(), &corpora, &[logits; 8]);
        let p = calibration.scores(masked(&logits, &corpora[0])).top().1;
        assert!(
            (p - 0.75).abs() < 0.01,
            "{p} at {}",
            calibration.temperature
        );
    }
}
