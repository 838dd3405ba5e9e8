//! EMOVO (Costantini et al. 2014, Tor Vergata): `emo-speaker-sentence`, the
//! emotion by its Italian initials.

use super::{Grammar, Label, Sex};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "emovo",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let parts: Vec<&str> = stem.split('-').collect();
    let [emotion, speaker, _] = parts[..] else {
        return None;
    };
    let emotion = match emotion {
        "dis" => Emotion::Disgusted,
        "gio" => Emotion::Happy,
        "neu" => Emotion::Neutral,
        "pau" => Emotion::Fearful,
        "rab" => Emotion::Angry,
        "sor" => Emotion::Surprised,
        "tri" => Emotion::Sad,
        _ => return None,
    };
    Some(Label {
        speaker: speaker.to_owned(),
        emotion: Some(emotion),
        sex: Sex::from_letter(&speaker[..1]),
    })
}
