//! One JSON object a file.

use crate::analysis::{Analysis, Notice, Utterance, Window};
use crate::emotion::{Emotion, Scores};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

#[derive(Serialize)]
struct Document<'a> {
    file: &'a str,
    duration_s: f64,
    scores: &'a Scores,
    label: Emotion,
    confidence: f32,
    sure: bool,
    utterances: Vec<Row<'a>>,
    windows: &'a [Window],
    model: &'a str,
    denoised: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<Remark>,
}

/// A notice, which says of itself what it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Remark {
    Truncated {
        read_s: f64,
        expected_s: Option<f64>,
    },
    Unfamiliar,
}

impl From<&Notice> for Remark {
    fn from(notice: &Notice) -> Remark {
        match *notice {
            Notice::Truncated { read_s, expected_s } => Remark::Truncated { read_s, expected_s },
            Notice::Unfamiliar => Remark::Unfamiliar,
        }
    }
}

/// An utterance; what it carries is `null` where it is too short to judge.
#[derive(Serialize)]
struct Row<'a> {
    start_s: f64,
    end_s: f64,
    label: Option<Emotion>,
    confidence: Option<f32>,
    sure: Option<bool>,
    scores: Option<&'a Scores>,
}

impl Row<'_> {
    fn of(utterance: &Utterance) -> Row<'_> {
        let verdict = utterance.verdict.as_ref();
        Row {
            start_s: utterance.start_s,
            end_s: utterance.end_s,
            label: verdict.map(|v| v.label),
            confidence: verdict.map(|v| v.confidence),
            sure: verdict.map(|v| v.sure),
            scores: verdict.map(|v| &v.scores),
        }
    }
}

/// One line of JSON without a line break: `file`, `duration_s`, `scores`
/// (class → probability), `label`, `confidence`, `sure`, `utterances` (each
/// `start_s`, `end_s`, `label`, `confidence`, `sure`, `scores`; all but the
/// times are `null` where it is too short to judge), `windows` (each `start_s`,
/// `end_s`, `scores`), `model`, `denoised` (whether noise was reduced before
/// anything was judged), and `notices` where there are any.
pub fn to_json(file: &str, analysis: &Analysis) -> String {
    let document = Document {
        file,
        duration_s: analysis.duration_s,
        scores: &analysis.scores,
        label: analysis.label,
        confidence: analysis.confidence,
        sure: analysis.sure,
        utterances: analysis.utterances.iter().map(Row::of).collect(),
        windows: &analysis.windows,
        model: &analysis.model,
        denoised: analysis.options.denoise,
        notices: analysis.notices.iter().map(Remark::from).collect(),
    };
    let mut line = Vec::new();
    let mut writer = Serializer::with_formatter(&mut line, PlainNumbers);
    let written = document.serialize(&mut writer);
    written.expect("strings, numbers and lists always serialise");
    String::from_utf8(line).expect("JSON is UTF-8")
}

/// Numbers as the standard library writes them: the page has that anyway, and
/// the tables of a second way would be a twentieth of it.
struct PlainNumbers;

impl Formatter for PlainNumbers {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        write!(writer, "{value:?}")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{value:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, Verdict, Waveform};

    #[test]
    fn holds_what_was_promised() {
        let scores = Scores::from_logits([0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
        let mut analysis = Analysis {
            duration_s: 1.5,
            scores,
            label: Emotion::Sad,
            confidence: scores.top().1,
            sure: true,
            utterances: vec![
                Utterance {
                    start_s: 0.0,
                    end_s: 1.0,
                    verdict: Some(Verdict {
                        scores,
                        label: Emotion::Sad,
                        confidence: scores.top().1,
                        sure: true,
                    }),
                },
                Utterance {
                    start_s: 1.4,
                    end_s: 1.5,
                    verdict: None,
                },
            ],
            windows: vec![Window {
                start_s: 0.0,
                end_s: 1.5,
                scores,
            }],
            waveform: Waveform::default(),
            model: "lstm".into(),
            options: Options { denoise: true },
            notices: Vec::new(),
        };
        let line = to_json("a \"b\".wav", &analysis);
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        assert_eq!(value["file"], "a \"b\".wav");
        assert_eq!(value["label"], "sad");
        assert_eq!(value["denoised"], true);
        assert_eq!(value["utterances"][0]["label"], "sad");
        assert!(value["utterances"][1]["label"].is_null());
        assert_eq!(value["utterances"][1]["end_s"], 1.5);
        assert_eq!(value["windows"][0]["end_s"], 1.5);
        assert_eq!(value["scores"].as_object().expect("object").len(), 8);
        assert!(value.get("waveform").is_none() && value.get("notices").is_none());
        analysis.notices.push(Notice::Truncated {
            read_s: 1.5,
            expected_s: None,
        });
        analysis.notices.push(Notice::Unfamiliar);
        let line = to_json("a.wav", &analysis);
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        let expected = serde_json::json!({"kind": "truncated", "read_s": 1.5, "expected_s": null});
        assert_eq!(value["notices"][0], expected);
        let expected = serde_json::json!({"kind": "unfamiliar"});
        assert_eq!(value["notices"][1], expected);
    }
}
