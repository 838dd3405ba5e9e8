//! Noisy VCTK (Valentini-Botinhao 2017, Edinburgh DataShare 2791):
//! `p000_number`; read aloud, not acted, so neutral.

use super::{Grammar, Label};
use crate::emotion::Emotion;

pub(super) const GRAMMAR: Grammar = Grammar {
    corpus: "vctk_noisy",
    parse,
};

fn parse(stem: &str) -> Option<Label> {
    let (speaker, number) = stem.split_once('_')?;
    let digits = speaker.strip_prefix('p')?;
    if digits.len() != 3 || digits.parse::<u32>().is_err() || number.parse::<u32>().is_err() {
        return None;
    }
    Some(Label {
        speaker: speaker.to_owned(),
        emotion: Some(Emotion::Neutral),
        sex: None,
    })
}
