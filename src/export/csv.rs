//! One row a file and one row a window.

use crate::analysis::Analysis;
use crate::emotion::{Emotion, Scores};

/// A table as RFC 4180 writes it: a header, then for each analysis a row of
/// `part` = `whole` and a row of `part` = `window` for each window. Times in
/// seconds, probabilities `0..=1`.
pub fn to_csv<'a>(analyses: impl IntoIterator<Item = (&'a str, &'a Analysis)>) -> String {
    let mut table = String::from("file,part,start_s,end_s,label,confidence");
    for emotion in Emotion::ALL {
        table.push(',');
        table.push_str(emotion.name());
    }
    table.push('\n');
    for (file, analysis) in analyses {
        let file = quoted(file);
        push_row(
            &mut table,
            &file,
            "whole",
            0.0,
            analysis.duration_s,
            &analysis.scores,
        );
        for window in &analysis.windows {
            push_row(
                &mut table,
                &file,
                "window",
                window.start_s,
                window.end_s,
                &window.scores,
            );
        }
    }
    table
}

fn push_row(table: &mut String, file: &str, part: &str, start_s: f64, end_s: f64, scores: &Scores) {
    let (label, confidence) = scores.top();
    table.push_str(&format!(
        "{file},{part},{start_s:.3},{end_s:.3},{label},{confidence:.4}"
    ));
    for p in scores.as_array() {
        table.push_str(&format!(",{p:.4}"));
    }
    table.push('\n');
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
    use crate::analysis::{Waveform, Window};

    #[test]
    fn every_row_has_every_column() {
        let scores = Scores::UNIFORM;
        let analysis = Analysis {
            duration_s: 2.0,
            scores,
            label: Emotion::Neutral,
            confidence: 0.125,
            sure: false,
            windows: vec![Window {
                start_s: 0.0,
                end_s: 2.0,
                scores,
            }],
            waveform: Waveform::default(),
            model: "m".into(),
            notices: Vec::new(),
        };
        let table = to_csv([("plain.wav", &analysis)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|l| l.split(',').count() == 14), "{table}");
        assert!(lines[2].starts_with("plain.wav,window,0.000,2.000,neutral,0.1250,"));
    }

    #[test]
    fn awkward_names_are_quoted() {
        assert_eq!(quoted("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
