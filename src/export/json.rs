//! One JSON object a file.

use crate::analysis::{Analysis, Notice, Window};
use crate::emotion::{Emotion, Scores};
use serde::Serialize;

#[derive(Serialize)]
struct Document<'a> {
    file: &'a str,
    duration_s: f64,
    scores: &'a Scores,
    label: Emotion,
    confidence: f32,
    sure: bool,
    windows: &'a [Window],
    model: &'a str,
    #[serde(skip_serializing_if = "<[Notice]>::is_empty")]
    notices: &'a [Notice],
}

/// One line of JSON without a line break: `file`, `duration_s`, `scores`
/// (class → probability), `label`, `confidence`, `sure`, `windows` (each
/// `start_s`, `end_s`, `scores`), `model`, and `notices` where there are any.
pub fn to_json(file: &str, analysis: &Analysis) -> String {
    let document = Document {
        file,
        duration_s: analysis.duration_s,
        scores: &analysis.scores,
        label: analysis.label,
        confidence: analysis.confidence,
        sure: analysis.sure,
        windows: &analysis.windows,
        model: &analysis.model,
        notices: &analysis.notices,
    };
    serde_json::to_string(&document).expect("strings, numbers and lists always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Waveform;

    #[test]
    fn holds_what_was_promised() {
        let scores = Scores::from_logits([0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
        let analysis = Analysis {
            duration_s: 1.5,
            scores,
            label: Emotion::Sad,
            confidence: scores.top().1,
            sure: true,
            windows: vec![Window {
                start_s: 0.0,
                end_s: 1.5,
                scores,
            }],
            waveform: Waveform::default(),
            model: "lstm".into(),
            notices: Vec::new(),
        };
        let line = to_json("a \"b\".wav", &analysis);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        assert_eq!(value["file"], "a \"b\".wav");
        assert_eq!(value["label"], "sad");
        assert_eq!(value["windows"][0]["end_s"], 1.5);
        assert_eq!(value["scores"].as_object().expect("object").len(), 8);
        assert!(value.get("waveform").is_none() && value.get("notices").is_none());
    }
}
