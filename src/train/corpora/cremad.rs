//! CREMA-D (Cao et al. 2014): `actor_sentence_EMO_level`, the actor in four
//! digits.

use super::{Grammar, Label};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "cremad",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let parts: Vec<&str> = stem.split('_').collect();
    let [actor, _, emotion, _] = parts[..] else {
        return None;
    };
    if actor.len() != 4 || !actor.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let emotion = match emotion {
        "ANG" => Emotion::Angry,
        "DIS" => Emotion::Disgusted,
        "FEA" => Emotion::Fearful,
        "HAP" => Emotion::Happy,
        "NEU" => Emotion::Neutral,
        "SAD" => Emotion::Sad,
        _ => return None,
    };
    Some(Label {
        speaker: actor.to_owned(),
        emotion: Some(emotion),
        sex: None,
    })
}
