//! The eight emotions and a probability for each.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many emotions there are.
pub const N_EMOTIONS: usize = 8;

/// The classes, in the order of RAVDESS's emotion codes 01–08.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Emotion {
    Neutral,
    Calm,
    Happy,
    Sad,
    Angry,
    Fearful,
    Disgusted,
    Surprised,
}

impl Emotion {
    /// All emotions, in index order.
    pub const ALL: [Emotion; N_EMOTIONS] = [
        Emotion::Neutral,
        Emotion::Calm,
        Emotion::Happy,
        Emotion::Sad,
        Emotion::Angry,
        Emotion::Fearful,
        Emotion::Disgusted,
        Emotion::Surprised,
    ];

    /// Position in [`Emotion::ALL`], `0..8`.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The stable lower-case English name used in every file and option.
    pub fn name(self) -> &'static str {
        match self {
            Emotion::Neutral => "neutral",
            Emotion::Calm => "calm",
            Emotion::Happy => "happy",
            Emotion::Sad => "sad",
            Emotion::Angry => "angry",
            Emotion::Fearful => "fearful",
            Emotion::Disgusted => "disgusted",
            Emotion::Surprised => "surprised",
        }
    }

    /// Reads a name as corpora write it: ours, or the noun (`fear`,
    /// `disgust`, `surprise`, `anger`, `happiness`, `sadness`); case is ignored.
    pub fn from_label(label: &str) -> Option<Emotion> {
        Some(match label.trim().to_ascii_lowercase().as_str() {
            "neutral" => Emotion::Neutral,
            "calm" => Emotion::Calm,
            "happy" | "happiness" | "joy" => Emotion::Happy,
            "sad" | "sadness" => Emotion::Sad,
            "angry" | "anger" => Emotion::Angry,
            "fearful" | "fear" => Emotion::Fearful,
            "disgusted" | "disgust" => Emotion::Disgusted,
            "surprised" | "surprise" => Emotion::Surprised,
            _ => return None,
        })
    }
}

impl fmt::Display for Emotion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A probability for each emotion, in the order of [`Emotion::ALL`]; each in
/// `[0, 1]`, together one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores([f32; N_EMOTIONS]);

impl Scores {
    /// Every emotion equally likely.
    pub const UNIFORM: Scores = Scores([1.0 / N_EMOTIONS as f32; N_EMOTIONS]);

    /// Normalises non-negative weights to sum to one. Weights that are all
    /// zero, negative or not finite give [`Scores::UNIFORM`].
    pub fn from_weights(weights: [f32; N_EMOTIONS]) -> Scores {
        let clean = weights.map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 });
        let sum: f32 = clean.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            Scores(clean.map(|w| w / sum))
        } else {
            Scores::UNIFORM
        }
    }

    /// Softmax of logits. Any non-finite logit gives [`Scores::UNIFORM`].
    pub fn from_logits(logits: [f32; N_EMOTIONS]) -> Scores {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if logits.iter().any(|l| l.is_nan()) || !max.is_finite() {
            return Scores::UNIFORM;
        }
        Scores::from_weights(logits.map(|l| (l - max).exp()))
    }

    /// Probability of one emotion.
    pub fn get(&self, emotion: Emotion) -> f32 {
        self.0[emotion.index()]
    }

    /// All probabilities, in the order of [`Emotion::ALL`].
    pub fn as_array(&self) -> &[f32; N_EMOTIONS] {
        &self.0
    }

    /// The likeliest emotion and its probability; on a tie the earlier one.
    pub fn top(&self) -> (Emotion, f32) {
        let mut best = 0;
        for i in 1..N_EMOTIONS {
            if self.0[i] > self.0[best] {
                best = i;
            }
        }
        (Emotion::ALL[best], self.0[best])
    }

    /// Emotions from the likeliest down; ties keep their index order.
    pub fn ranked(&self) -> [(Emotion, f32); N_EMOTIONS] {
        let mut ranked = Emotion::ALL.map(|e| (e, self.get(e)));
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }

    /// The weighted mean of several score vectors. No items, or weights that
    /// sum to zero, give [`Scores::UNIFORM`].
    pub fn mean(items: impl IntoIterator<Item = (Scores, f32)>) -> Scores {
        let mut sum = [0.0; N_EMOTIONS];
        for (scores, weight) in items {
            for (total, p) in sum.iter_mut().zip(scores.0) {
                *total += weight * p;
            }
        }
        Scores::from_weights(sum)
    }
}

impl Serialize for Scores {
    /// For people an object from class name to probability, in index order; else
    /// the probabilities alone.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        serializer.collect_map(Emotion::ALL.iter().map(|e| (e.name(), self.get(*e))))
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Deserialize::deserialize(deserializer).map(Scores);
        }
        let by_name = std::collections::BTreeMap::<Emotion, f32>::deserialize(deserializer)?;
        let mut weights = [0.0; N_EMOTIONS];
        for (emotion, p) in by_name {
            weights[emotion.index()] = p;
        }
        Ok(Scores(weights))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_round_trip_and_nouns_are_read() {
        for (i, e) in Emotion::ALL.into_iter().enumerate() {
            assert_eq!(e.index(), i);
            assert_eq!(Emotion::from_label(e.name()), Some(e));
        }
        assert_eq!(Emotion::from_label("Fear"), Some(Emotion::Fearful));
        assert_eq!(Emotion::from_label("boredom"), None);
    }

    #[test]
    fn softmax_matches_by_hand() {
        let mut logits = [0.0; N_EMOTIONS];
        logits[3] = (7.0f32).ln();
        let scores = Scores::from_logits(logits);
        assert!((scores.get(Emotion::Sad) - 0.5).abs() < 1e-6);
        assert_eq!(scores.top().0, Emotion::Sad);
        assert_eq!(scores.ranked()[0].0, Emotion::Sad);
    }

    #[test]
    fn serialises_as_an_object_of_names() {
        let json = serde_json::to_value(Scores::UNIFORM).expect("serialises");
        assert_eq!(json["disgusted"], 0.125);
        let back: Scores = serde_json::from_value(json).expect("reads back");
        assert_eq!(back, Scores::UNIFORM);
    }

    proptest! {
        #[test]
        fn scores_sum_to_one(logits in prop::array::uniform8(prop::num::f32::ANY)) {
            let scores = Scores::from_logits(logits);
            let sum: f32 = scores.as_array().iter().sum();
            prop_assert!((sum - 1.0).abs() < 1e-5);
            prop_assert!(scores.as_array().iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
