//! A fitted model on examples, under everything that may be known of a speaker.

use super::examples::{Corpus, Example};
use super::metrics::Outcome;
use crate::emotion::Emotion;
use crate::model::baseline::{Baseline, BaselineKind};
use crate::model::calibration::restrict;
use crate::model::{EmotionModel, ModelError};
use serde::Serialize;
use std::collections::BTreeMap;

/// Most ordinary talk that a baseline is learnt from, seconds.
pub const ORDINARY_S: f64 = 30.0;

/// What is known of a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knowledge {
    /// Nothing.
    Stranger,
    /// At most [`ORDINARY_S`] of neutral clips, which are then not judged.
    Ordinary,
    /// All that is judged, as one session.
    Session,
    /// All of one emotion, as a session each: what gathering unasked costs when
    /// the session does not vary.
    OneEmotion,
}

impl Knowledge {
    /// All of them.
    pub const ALL: [Knowledge; 4] = [
        Knowledge::Stranger,
        Knowledge::Ordinary,
        Knowledge::Session,
        Knowledge::OneEmotion,
    ];

    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Knowledge::Stranger => "nothing known",
            Knowledge::Ordinary => "30 s of neutral talk known",
            Knowledge::Session => "the session known",
            Knowledge::OneEmotion => "a session of one emotion known",
        }
    }
}

/// What belongs to one speaker: what the baseline is learnt from, and what is
/// judged by it.
pub struct Sitting<'a, T> {
    /// Heard before.
    pub known: Vec<&'a T>,
    /// Judged.
    pub judged: Vec<&'a T>,
}

/// One speaker's clips as sittings. `emotion` and `duration_s` tell of a clip.
pub fn sittings<'a, T>(
    clips: Vec<&'a T>,
    knowledge: Knowledge,
    emotion: impl Fn(&T) -> Emotion,
    duration_s: impl Fn(&T) -> f64,
) -> Vec<Sitting<'a, T>> {
    match knowledge {
        Knowledge::Stranger => vec![Sitting {
            known: Vec::new(),
            judged: clips,
        }],
        Knowledge::Session => vec![Sitting {
            known: clips.clone(),
            judged: clips,
        }],
        Knowledge::Ordinary => {
            let mut total_s = 0.0;
            let (known, judged) = clips.into_iter().partition(|clip| {
                let taken =
                    emotion(clip) == Emotion::Neutral && total_s + duration_s(clip) <= ORDINARY_S;
                if taken {
                    total_s += duration_s(clip);
                }
                taken
            });
            vec![Sitting { known, judged }]
        }
        Knowledge::OneEmotion => {
            let mut by_emotion: BTreeMap<Emotion, Vec<&T>> = BTreeMap::new();
            for clip in clips {
                by_emotion.entry(emotion(clip)).or_default().push(clip);
            }
            let groups = by_emotion.into_values();
            groups
                .map(|group| Sitting {
                    known: group.clone(),
                    judged: group,
                })
                .collect()
        }
    }
}

/// The kind of baseline that goes with what is known.
pub fn baseline_kind(knowledge: Knowledge) -> BaselineKind {
    match knowledge {
        Knowledge::Ordinary => BaselineKind::Ordinary,
        _ => BaselineKind::Session,
    }
}

/// Outcomes by corpus, the scores restricted to the corpus's classes.
///
/// # Errors
/// If the examples are not the model's.
pub fn judge(
    model: &mut EmotionModel,
    examples: &[&Example],
    corpora: &[Corpus],
    knowledge: Knowledge,
) -> Result<BTreeMap<String, Vec<Outcome>>, ModelError> {
    let mut people: BTreeMap<&str, Vec<&Example>> = BTreeMap::new();
    for example in examples {
        people.entry(&example.person).or_default().push(example);
    }
    let mut outcomes: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for clips in people.into_values() {
        for sitting in sittings(clips, knowledge, |e| e.emotion, |e| e.duration_s) {
            let mut baseline = Baseline::new(baseline_kind(knowledge));
            for example in sitting.known {
                baseline.add(example.whole().into_owned());
            }
            model.compare_with(Some(&baseline))?;
            for example in sitting.judged {
                let corpus = &corpora[example.corpus];
                let classes: Vec<Emotion> = Emotion::ALL
                    .into_iter()
                    .filter(|e| corpus.classes[e.index()])
                    .collect();
                let scores = model
                    .prediction(&example.whole(), example.duration_s)?
                    .scores;
                outcomes
                    .entry(corpus.name.clone())
                    .or_default()
                    .push(Outcome {
                        truth: example.emotion,
                        scores: restrict(&scores, &classes),
                        sex: example.sex,
                    });
            }
        }
    }
    model.compare_with(None)?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_talk_is_neutral_short_and_not_judged() {
        let clips: Vec<(Emotion, f64)> = [
            (Emotion::Sad, 5.0),
            (Emotion::Neutral, 20.0),
            (Emotion::Neutral, 15.0),
            (Emotion::Neutral, 8.0),
        ]
        .to_vec();
        let all: Vec<&(Emotion, f64)> = clips.iter().collect();
        let of = |knowledge| sittings(all.clone(), knowledge, |c| c.0, |c| c.1);
        let ordinary = of(Knowledge::Ordinary);
        assert_eq!(ordinary[0].known, [&clips[1], &clips[3]]);
        assert_eq!(ordinary[0].judged, [&clips[0], &clips[2]]);
        assert_eq!(of(Knowledge::OneEmotion).len(), 2);
        assert!(of(Knowledge::Stranger)[0].known.is_empty());
        assert_eq!(of(Knowledge::Session)[0].known.len(), 4);
    }
}
