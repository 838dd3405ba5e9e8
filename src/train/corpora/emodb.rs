//! Emo-DB (Burkhardt et al. 2005, TU Berlin): two digits of speaker, three of
//! text, a letter of emotion (German initials), a version: `03a01Fa`. Boredom
//! (L) is none of the eight classes.

use super::{Grammar, Label, Sex};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "emodb",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let [s1, s2, kind, t1, t2, emotion, version] = stem.as_bytes() else {
        return None;
    };
    let digits = [s1, s2, t1, t2].iter().all(|b| b.is_ascii_digit());
    if !digits || !matches!(kind, b'a' | b'b') || !version.is_ascii_lowercase() {
        return None;
    }
    let emotion = match emotion {
        b'W' => Some(Emotion::Angry),
        b'L' => None,
        b'E' => Some(Emotion::Disgusted),
        b'A' => Some(Emotion::Fearful),
        b'F' => Some(Emotion::Happy),
        b'T' => Some(Emotion::Sad),
        b'N' => Some(Emotion::Neutral),
        _ => return None,
    };
    Some(Label {
        speaker: stem[..2].to_owned(),
        emotion,
        sex: match &stem[..2] {
            "03" | "10" | "11" | "12" | "15" => Some(Sex::Male),
            "08" | "09" | "13" | "14" | "16" => Some(Sex::Female),
            _ => None,
        },
    })
}
