//! From logits to probabilities that mean what they say.

use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use serde::{Deserialize, Serialize};

/// Fitted on speakers that the model was not trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Logits are divided by it before the softmax (Guo et al. 2017, "On
    /// Calibration of Modern Neural Networks", section 4.2).
    pub temperature: f32,
    /// Confidence at and above which the answer is called sure; below it the
    /// honest answer is "not sure".
    pub sure_threshold: f32,
}

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration {
            temperature: 1.0,
            sure_threshold: 0.0,
        }
    }
}

impl Calibration {
    /// Calibrated probabilities.
    pub fn scores(&self, logits: [f32; N_EMOTIONS]) -> Scores {
        Scores::from_logits(logits.map(|logit| logit / self.temperature))
    }

    /// Whether these scores are sure enough to name an emotion.
    pub fn is_sure(&self, scores: &Scores) -> bool {
        scores.top().1 >= self.sure_threshold
    }

    /// Calibrated probabilities over the given classes alone, the others zero.
    pub fn scores_among(&self, logits: [f32; N_EMOTIONS], classes: &[Emotion]) -> Scores {
        restrict(&self.scores(logits), classes)
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
        let sharp = Calibration::default().scores(logits);
        let soft = Calibration {
            temperature: 2.0,
            sure_threshold: 0.5,
        };
        assert_eq!(sharp.top().0, soft.scores(logits).top().0);
        assert!(soft.scores(logits).top().1 < sharp.top().1);
        let halved = Scores::from_logits(logits.map(|l| l / 2.0));
        assert_eq!(soft.scores(logits), halved);
        assert!(!soft.is_sure(&halved));
    }

    #[test]
    fn restricted_scores_sum_to_one_over_the_classes() {
        let among =
            Calibration::default().scores_among([0.0; N_EMOTIONS], &[Emotion::Sad, Emotion::Happy]);
        assert_eq!(among.get(Emotion::Sad), 0.5);
        assert_eq!(among.get(Emotion::Angry), 0.0);
    }
}
