//! TESS (Pichora-Fuller & Dupuis 2020, Toronto): `OAF_word_emotion`, where
//! `ps` is pleasant surprise. One file is misspelt `OA_…`.

use super::{Grammar, Label, Sex};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "tess",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let parts: Vec<&str> = stem.split('_').collect();
    let [speaker, _, emotion] = parts[..] else {
        return None;
    };
    let speaker = match speaker {
        "OAF" | "OA" => "OAF",
        "YAF" => "YAF",
        _ => return None,
    };
    let emotion = match emotion {
        "ps" => Emotion::Surprised,
        other => Emotion::from_label(other)?,
    };
    Some(Label {
        speaker: speaker.to_owned(),
        emotion: Some(emotion),
        sex: Some(Sex::Female),
    })
}
