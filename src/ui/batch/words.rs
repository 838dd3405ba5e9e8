//! Every word that a person reads about many recordings.

use super::{Column, RowState, Tally};
use crate::ui::text;

pub const PAUSE: &str = "Pause";
pub const RESUME: &str = "Resume";
pub const CANCEL: &str = "Cancel";
pub const CONTINUE: &str = "Analyse the rest";
pub const CLOSE: &str = "Clear the list";
pub const SAVE_JSON: &str = "Save all as JSON";
pub const SAVE_CSV: &str = "Save all as CSV";
pub const TABLE: &str = "Recordings";
pub const PAUSED: &str = "Paused";
pub const WAITING_FOR_ENGINE: &str = "Waiting for the engine…";

pub const SAID_PAUSED: &str = "Paused.";
pub const SAID_RESUMED: &str = "Going on.";
pub const STALLED: &str = "Paused: the engine did not start.";

/// A column's head.
pub fn column(column: Column) -> &'static str {
    match column {
        Column::File => "Recording",
        Column::Length => "Length",
        Column::Emotion => "Emotion",
        Column::Confidence => "Sure",
        Column::State => "State",
    }
}

/// Characters of a long name's end.
const N_END: usize = 14;

/// A file's name in two: what may be cut short where room is scarce, and the end, by
/// which the recordings of one sitting are told apart. A short name is one piece.
pub fn name_parts(name: &str) -> (&str, &str) {
    let n = name.chars().count();
    let end = name.char_indices().nth(n.saturating_sub(N_END));
    match end {
        Some((at, _)) if n > 2 * N_END => name.split_at(at),
        _ => (name, ""),
    }
}

/// What has become of a row.
pub fn state(state: &RowState) -> String {
    match state {
        RowState::Waiting => "Waiting".to_owned(),
        RowState::Working(fraction) => text::percent(*fraction),
        RowState::Done(analysis) if analysis.options.denoise => text::CLEANED.to_owned(),
        RowState::Done(_) => "Done".to_owned(),
        RowState::Failed(_) => "No result".to_owned(),
        RowState::Stopped => "Cancelled".to_owned(),
    }
}

fn recordings(n: usize) -> String {
    match n {
        1 => "1 recording".to_owned(),
        n => format!("{n} recordings"),
    }
}

/// The table's title.
pub fn title(tally: Tally) -> String {
    recordings(tally.n_all())
}

/// The way back to the table.
pub fn back(tally: Tally) -> String {
    let all = format!("All {}", recordings(tally.n_all()));
    match tally.n_left {
        0 => all,
        n_left => format!("{all} ({n_left} to go)"),
    }
}

/// How many are how far.
pub fn tally(tally: Tally) -> String {
    let mut parts = vec![format!("{} done", tally.n_done)];
    for (n, words) in [
        (tally.n_denoised, "with noise reduced"),
        (tally.n_failed, "without a result"),
        (tally.n_stopped, "cancelled"),
        (tally.n_left, "to go"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    parts.join(", ")
}

/// What screen readers are told when files have come.
pub fn begun(n_files: usize) -> String {
    format!("Analysing {}.", recordings(n_files))
}

/// What they are told when nothing is left to do.
pub fn finished(given: Tally) -> String {
    format!("{}: {}.", recordings(given.n_all()), tally(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_name_stands_by_itself() {
        let long = "interview with Zoë, second sitting, answer 12.wav";
        let (start, end) = name_parts(long);
        assert_eq!(format!("{start}{end}"), long);
        assert_eq!(end, " answer 12.wav");
        assert_eq!(name_parts("short.wav"), ("short.wav", ""));
        assert_eq!(name_parts(""), ("", ""));
        assert_eq!(name_parts(&"é".repeat(40)).1.chars().count(), N_END);
    }

    #[test]
    fn counts_read_well() {
        let given = Tally {
            n_left: 2,
            n_done: 9,
            n_denoised: 3,
            n_failed: 1,
            n_stopped: 0,
        };
        assert_eq!(
            tally(given),
            "9 done, 3 with noise reduced, 1 without a result, 2 to go"
        );
        assert_eq!(title(given), "12 recordings");
        assert_eq!(back(given), "All 12 recordings (2 to go)");
        assert_eq!(begun(1), "Analysing 1 recording.");
    }
}
