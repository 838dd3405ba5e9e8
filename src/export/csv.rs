//! One row a file, one row an utterance and one row a window.

use crate::analysis::Analysis;
use crate::emotion::{Emotion, N_EMOTIONS, Scores};

/// What stands in `label` where an utterance is too short to judge.
const TOO_SHORT: &str = "too short";

/// A table as RFC 4180 writes it: a header, then for each analysis a row of
/// `part` = `whole`, a row of `part` = `utterance` for each utterance and one of
/// `part` = `window` for each window. Times in seconds, probabilities `0..=1`;
/// `sure` is `true` or `false`, and empty for windows. An utterance too short
/// to judge is labelled so and has no figures. `denoised`, the last column, is
/// `true` where noise was reduced before anything was judged, else `false`.
pub fn to_csv<'a>(analyses: impl IntoIterator<Item = (&'a str, &'a Analysis)>) -> String {
    let mut table = String::from("file,part,start_s,end_s,label,confidence,sure");
    for emotion in Emotion::ALL {
        table.push(',');
        table.push_str(emotion.name());
    }
    table.push_str(",denoised\n");
    for (file, analysis) in analyses {
        let file = quoted(file);
        let whole = Row {
            file: &file,
            part: "whole",
            start_s: 0.0,
            end_s: analysis.duration_s,
            scores: Some(&analysis.scores),
            sure: Some(analysis.sure),
            denoised: analysis.options.denoise,
        };
        let utterances = analysis.utterances.iter().map(|utterance| Row {
            part: "utterance",
            start_s: utterance.start_s,
            end_s: utterance.end_s,
            scores: utterance.verdict.as_ref().map(|v| &v.scores),
            sure: utterance.verdict.map(|v| v.sure),
            ..whole
        });
        let windows = analysis.windows.iter().map(|window| Row {
            part: "window",
            start_s: window.start_s,
            end_s: window.end_s,
            scores: Some(&window.scores),
            sure: None,
            ..whole
        });
        for row in std::iter::once(whole).chain(utterances).chain(windows) {
            row.push_to(&mut table);
        }
    }
    table
}

#[derive(Clone, Copy)]
struct Row<'a> {
    file: &'a str,
    part: &'a str,
    start_s: f64,
    end_s: f64,
    scores: Option<&'a Scores>,
    sure: Option<bool>,
    denoised: bool,
}

impl Row<'_> {
    fn push_to(&self, table: &mut String) {
        let Row {
            file,
            part,
            start_s,
            end_s,
            ..
        } = self;
        table.push_str(&format!("{file},{part},{start_s:.3},{end_s:.3},"));
        match self.scores {
            Some(scores) => {
                let (label, confidence) = scores.top();
                let sure = self.sure.map_or(String::new(), |sure| sure.to_string());
                table.push_str(&format!("{label},{confidence:.4},{sure}"));
                for p in scores.as_array() {
                    table.push_str(&format!(",{p:.4}"));
                }
            }
            None => {
                table.push_str(TOO_SHORT);
                table.push_str(&",".repeat(2 + N_EMOTIONS));
            }
        }
        table.push_str(&format!(",{}\n", self.denoised));
    }
}

/// Quotes a field where it needs it. A leading `=`, `+`, `-` or `@` is
/// preceded by an apostrophe, since spreadsheets run such a field as a formula.
fn quoted(field: &str) -> String {
    let guarded = if field.starts_with(['=', '+', '-', '@']) {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if guarded.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, Utterance, Waveform, Window};

    #[test]
    fn every_row_has_every_column() {
        let scores = Scores::UNIFORM;
        let analysis = Analysis {
            duration_s: 2.0,
            scores,
            label: Emotion::Neutral,
            confidence: 0.125,
            sure: false,
            utterances: vec![Utterance {
                start_s: 0.0,
                end_s: 0.3,
                verdict: None,
            }],
            windows: vec![Window {
                start_s: 0.0,
                end_s: 2.0,
                scores,
            }],
            waveform: Waveform::default(),
            model: "m".into(),
            options: Options { denoise: true },
            notices: Vec::new(),
        };
        let table = to_csv([("plain.wav", &analysis)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].ends_with(",denoised") && lines[1].ends_with(",true"));
        assert!(lines.iter().all(|l| l.split(',').count() == 16), "{table}");
        assert!(lines[1].starts_with("plain.wav,whole,0.000,2.000,neutral,0.1250,false,0.1250"));
        assert_eq!(
            lines[2],
            "plain.wav,utterance,0.000,0.300,too short,,,,,,,,,,,true"
        );
        assert!(lines[3].starts_with("plain.wav,window,0.000,2.000,neutral,0.1250,,0.1250"));
    }

    #[test]
    fn awkward_names_are_quoted() {
        assert_eq!(quoted("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
