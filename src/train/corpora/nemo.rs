//! nEMO (Christop 2024): `speaker_emotion_number`, the emotion in English.

use super::{Grammar, Label};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "nemo",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let parts: Vec<&str> = stem.split('_').collect();
    let [speaker, emotion, number] = parts[..] else {
        return None;
    };
    number.parse::<u32>().ok()?;
    Some(Label {
        speaker: speaker.to_owned(),
        emotion: Some(Emotion::from_label(emotion)?),
        sex: None,
    })
}
