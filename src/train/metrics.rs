//! Figures of merit.

use super::corpora::Sex;
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bins of the calibration error (Guo et al. 2017 use fifteen).
const N_BINS: usize = 15;

/// A label and what the model said, over the classes in question.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What the recording shows.
    pub truth: Emotion,
    /// Probabilities, zero for classes out of question.
    pub scores: Scores,
    /// Whose voice it is, where that is known.
    pub sex: Option<Sex>,
}

/// Precision, recall and F1 of one class, each `0..=1`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Share of the answers of this class that are right.
    pub precision: f64,
    /// Share of the clips of this class that are found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Clips of this class.
    pub clips: usize,
}

/// How well a set of outcomes fits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Share of right answers, `0..=1`.
    pub accuracy: f64,
    /// Unweighted average recall: the mean of the classes' recalls, `0..=1`.
    pub uar: f64,
    /// Expected calibration error, `0..=1`: mean distance of confidence from
    /// accuracy over fifteen bins of equal width (Guo et al. 2017, equation 3).
    pub ece: f64,
    /// Unweighted average recall of the surest 80 % of the clips, `0..=1`.
    pub uar_at_80: f64,
    /// Unweighted average recall of women and of men, where the corpus tells
    /// them apart.
    pub uar_by_sex: BTreeMap<Sex, f64>,
    /// By class.
    pub per_class: BTreeMap<Emotion, ClassMetrics>,
    /// Rows truth, columns answer, both in the order of `classes`.
    pub confusion: Vec<Vec<usize>>,
}

impl Metrics {
    /// Measures outcomes over `classes`; no outcomes give zeros.
    pub fn of(outcomes: &[Outcome], classes: &[Emotion]) -> Metrics {
        let mut counts = [[0usize; N_EMOTIONS]; N_EMOTIONS];
        for outcome in outcomes {
            counts[outcome.truth.index()][outcome.scores.top().0.index()] += 1;
        }
        let ratio = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let per_class: BTreeMap<Emotion, ClassMetrics> = classes
            .iter()
            .map(|class| {
                let i = class.index();
                let hits = counts[i][i];
                let clips: usize = counts[i].iter().sum();
                let answers: usize = counts.iter().map(|row| row[i]).sum();
                let metrics = ClassMetrics {
                    precision: ratio(hits, answers),
                    recall: ratio(hits, clips),
                    f1: ratio(2 * hits, clips + answers),
                    clips,
                };
                (*class, metrics)
            })
            .collect();
        let hits = (0..N_EMOTIONS).map(|i| counts[i][i]).sum();
        let heard: Vec<f64> = per_class
            .values()
            .filter(|c| c.clips > 0)
            .map(|c| c.recall)
            .collect();
        Metrics {
            accuracy: ratio(hits, outcomes.len()),
            uar: heard.iter().sum::<f64>() / heard.len().max(1) as f64,
            ece: expected_calibration_error(outcomes),
            uar_at_80: recall_of(&surest(outcomes, 0.8)),
            uar_by_sex: by_sex(outcomes),
            confusion: classes
                .iter()
                .map(|t| {
                    classes
                        .iter()
                        .map(|a| counts[t.index()][a.index()])
                        .collect()
                })
                .collect(),
            per_class,
        }
    }
}

/// Mean recall of the classes that were shown.
fn recall_of(outcomes: &[Outcome]) -> f64 {
    let mut counts = [(0usize, 0usize); N_EMOTIONS];
    for outcome in outcomes {
        let (clips, hits) = &mut counts[outcome.truth.index()];
        *clips += 1;
        *hits += usize::from(outcome.scores.top().0 == outcome.truth);
    }
    let shown: Vec<f64> = counts
        .iter()
        .filter(|c| c.0 > 0)
        .map(|c| c.1 as f64 / c.0 as f64)
        .collect();
    shown.iter().sum::<f64>() / shown.len().max(1) as f64
}

fn by_sex(outcomes: &[Outcome]) -> BTreeMap<Sex, f64> {
    let mut parts: BTreeMap<Sex, Vec<Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(sex) = outcome.sex {
            parts.entry(sex).or_default().push(*outcome);
        }
    }
    let recalls = parts.into_iter().map(|(sex, own)| (sex, recall_of(&own)));
    recalls.collect()
}

/// The share of the outcomes with the highest confidence.
fn surest(outcomes: &[Outcome], coverage: f64) -> Vec<Outcome> {
    let mut sorted = outcomes.to_vec();
    sorted.sort_by(|a, b| b.scores.top().1.total_cmp(&a.scores.top().1));
    sorted.truncate((coverage * outcomes.len() as f64).round() as usize);
    sorted
}

/// What is answered when only the surest are: the risk–coverage curve
/// (El-Yaniv & Wiener 2010, "On the Foundations of Noise-free Selective
/// Classification").
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covered {
    /// Share of the clips that are answered, `0..=1`.
    pub coverage: f64,
    /// Share of wrong answers among them, `0..=1`.
    pub risk: f64,
    /// Their unweighted average recall, `0..=1`.
    pub uar: f64,
}

/// The curve at every tenth.
pub fn risk_coverage(outcomes: &[Outcome]) -> Vec<Covered> {
    (1..=10)
        .map(|tenths| {
            let coverage = f64::from(tenths) / 10.0;
            let answered = surest(outcomes, coverage);
            let wrong = answered.iter().filter(|o| o.scores.top().0 != o.truth);
            Covered {
                coverage,
                risk: wrong.count() as f64 / answered.len().max(1) as f64,
                uar: recall_of(&answered),
            }
        })
        .collect()
}

/// A bin of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Mean confidence, `0..=1`.
    pub confidence: f64,
    /// Share of right answers, `0..=1`.
    pub accuracy: f64,
    /// Clips.
    pub clips: usize,
}

/// The bins that hold clips, by rising confidence.
pub fn reliability(outcomes: &[Outcome]) -> Vec<Bin> {
    let mut bins = [(0.0f64, 0.0f64, 0usize); N_BINS];
    for outcome in outcomes {
        let (answer, confidence) = outcome.scores.top();
        let bin = &mut bins[((confidence * N_BINS as f32) as usize).min(N_BINS - 1)];
        bin.0 += f64::from(confidence);
        bin.1 += f64::from(u8::from(answer == outcome.truth));
        bin.2 += 1;
    }
    bins.into_iter()
        .filter(|b| b.2 > 0)
        .map(|(confidence, right, clips)| Bin {
            confidence: confidence / clips as f64,
            accuracy: right / clips as f64,
            clips,
        })
        .collect()
}

/// The mean distance of confidence from accuracy, `0..=1` (see
/// [`Metrics::ece`]).
pub fn expected_calibration_error(outcomes: &[Outcome]) -> f64 {
    let gaps: f64 = reliability(outcomes)
        .iter()
        .map(|b| b.clips as f64 * (b.confidence - b.accuracy).abs())
        .sum();
    gaps / outcomes.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(truth: Emotion, answer: Emotion, confidence: f32) -> Outcome {
        let mut weights = [(1.0 - confidence) / 7.0; N_EMOTIONS];
        weights[answer.index()] = confidence;
        Outcome {
            truth,
            scores: Scores::from_weights(weights),
            sex: None,
        }
    }

    #[test]
    fn women_and_men_are_measured_apart() {
        use Emotion::{Happy, Sad};
        let of = |sex, answer| Outcome {
            sex,
            ..outcome(Sad, answer, 0.9)
        };
        let m = Metrics::of(
            &[
                of(Some(Sex::Female), Sad),
                of(Some(Sex::Male), Happy),
                of(Some(Sex::Male), Sad),
                of(None, Happy),
            ],
            &[Happy, Sad],
        );
        let expected = BTreeMap::from([(Sex::Female, 1.0), (Sex::Male, 0.5)]);
        assert_eq!(m.uar_by_sex, expected);
    }

    #[test]
    fn figures_match_those_by_hand() {
        use Emotion::{Happy, Sad};
        let outcomes = [
            outcome(Sad, Sad, 0.9),
            outcome(Sad, Sad, 0.9),
            outcome(Sad, Happy, 0.6),
            outcome(Happy, Happy, 0.6),
        ];
        let m = Metrics::of(&outcomes, &[Happy, Sad]);
        assert_eq!(m.accuracy, 0.75);
        assert!((m.uar - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        assert_eq!(m.confusion, [[1, 0], [1, 2]]);
        assert_eq!(m.per_class[&Happy].precision, 0.5);
        assert!((m.per_class[&Sad].f1 - 0.8).abs() < 1e-12);
        // Bins: 0.9 twice, both right; 0.6 twice, one right.
        assert!((m.ece - (2.0 * 0.1 + (1.2 - 1.0)) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_class_never_heard_does_not_count() {
        let m = Metrics::of(&[outcome(Emotion::Sad, Emotion::Sad, 0.9)], &Emotion::ALL);
        assert_eq!(m.uar, 1.0);
        assert_eq!(Metrics::of(&[], &Emotion::ALL).accuracy, 0.0);
    }
}
