//! From logits to probabilities that mean what they say.

use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use serde::{Deserialize, Serialize};

/// About the length of a spoken sentence, seconds.
const TYPICAL_S: f32 = 2.5;

/// Beyond these durations nothing was learnt of what they change, seconds.
const HEARD_S: [f32; 2] = [0.5, 8.0];

/// What a model says of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// One a class.
    pub logits: [f32; N_EMOTIONS],
    /// How far it lies from all that was trained on, one or more.
    pub novelty: f32,
}

/// Fitted on speakers that the model was not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Logits of `TYPICAL_S` of speech are divided by it before the softmax
    /// (Guo et al. 2017, "On Calibration of Modern Neural Networks", section
    /// 4.2).
    pub temperature: f32,
    /// The shorter the speech, the less it shows: the temperature falls as this
    /// power of the duration, zero or more.
    #[serde(default)]
    pub cooling: f32,
    /// What is said of a clip that is unlike all that was trained on is worth less: the
    /// temperature rises as this power of its novelty, zero or more.
    #[serde(default)]
    pub caution: f32,
    /// Confidence at and above which the answer is called sure; below it the
    /// honest answer is "not sure".
    pub sure_threshold: f32,
}

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration {
            temperature: 1.0,
            cooling: 0.0,
            caution: 0.0,
            sure_threshold: 0.0,
        }
    }
}

impl Calibration {
    /// Calibrated probabilities of so many seconds of speech.
    pub fn scores(&self, answer: &Answer, duration_s: f64) -> Scores {
        let [least, most] = HEARD_S;
        let typically = (duration_s as f32).clamp(least, most) / TYPICAL_S;
        let short = typically.powf(-self.cooling);
        let temperature = self.temperature * short * answer.novelty.powf(self.caution);
        Scores::from_logits(answer.logits.map(|logit| logit / temperature))
    }

    /// Whether these scores are sure enough to name an emotion.
    pub fn is_sure(&self, scores: &Scores) -> bool {
        scores.top().1 >= self.sure_threshold
    }
}

/// Keeps the given classes' probabilities and scales them to sum to one.
pub fn restrict(scores: &Scores, classes: &[Emotion]) -> Scores {
    let mut weights = [0.0; N_EMOTIONS];
    for class in classes {
        weights[class.index()] = scores.get(*class);
    }
    Scores::from_weights(weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temperature_softens_and_keeps_the_order() {
        let logits = [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, 0.2, 0.1];
        let answer = Answer {
            logits,
            novelty: 1.0,
        };
        let sharp = Calibration::default().scores(&answer, 2.5);
        let soft = Calibration {
            temperature: 2.0,
            cooling: 0.5,
            caution: 0.5,
            sure_threshold: 0.5,
        };
        assert_eq!(sharp.top().0, soft.scores(&answer, 2.5).top().0);
        assert!(soft.scores(&answer, 2.5).top().1 < sharp.top().1);
        let halved = Scores::from_logits(logits.map(|l| l / 2.0));
        assert_eq!(soft.scores(&answer, 2.5), halved);
        assert!(!soft.is_sure(&halved));
        // A quarter of the duration, half as sure in logits; and no further.
        let quartered = Scores::from_logits(logits.map(|l| l / 4.0));
        assert_eq!(soft.scores(&answer, 0.625), quartered);
        assert_eq!(soft.scores(&answer, 0.0), soft.scores(&answer, 0.5));
        // Four times as far away as what was trained on, too.
        let strange = Answer {
            novelty: 4.0,
            ..answer
        };
        assert_eq!(soft.scores(&strange, 2.5), quartered);
    }

    #[test]
    fn restricted_scores_sum_to_one_over_the_classes() {
        let even = Scores::from_logits([0.0; N_EMOTIONS]);
        let among = restrict(&even, &[Emotion::Sad, Emotion::Happy]);
        assert_eq!(among.get(Emotion::Sad), 0.5);
        assert_eq!(among.get(Emotion::Angry), 0.0);
    }
}
