//! RAVDESS (Livingstone & Russo 2018, Zenodo 1188976):
//! `03-01-EE-II-SS-RR-AA`; EE the emotion, AA the actor. 03-01 is speech
//! without a picture.

use super::{Grammar, Label, Sex};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "ravdess",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let parts: Vec<&str> = stem.split('-').collect();
    let [modality, channel, emotion, _, _, _, actor] = parts[..] else {
        return None;
    };
    if (modality, channel) != ("03", "01") || actor.len() != 2 {
        return None;
    }
    let code: usize = emotion.parse().ok()?;
    Some(Label {
        speaker: actor.to_owned(),
        emotion: Some(*Emotion::ALL.get(code.checked_sub(1)?)?),
        sex: Some(if actor.parse::<u8>().ok()? % 2 == 0 {
            Sex::Female
        } else {
            Sex::Male
        }),
    })
}
