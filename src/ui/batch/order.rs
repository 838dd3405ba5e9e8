//! In which order the rows of the table stand.

use super::RowState;
use crate::emotion::Emotion;
use std::cmp::Ordering;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The file's name.
    File,
    /// The recording's length.
    Length,
    /// The leading emotion.
    Emotion,
    /// Its probability.
    Confidence,
    /// What has become of it.
    State,
}

impl Column {
    /// All, from left to right.
    pub const ALL: [Column; 5] = [
        Column::File,
        Column::Length,
        Column::Emotion,
        Column::Confidence,
        Column::State,
    ];

    /// The value of `data-column`.
    pub fn name(self) -> &'static str {
        match self {
            Column::File => "file",
            Column::Length => "length",
            Column::Emotion => "emotion",
            Column::Confidence => "confidence",
            Column::State => "state",
        }
    }
}

/// By which column, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

impl Sort {
    /// What a press on a column's head makes of the order: up, down, and back
    /// to the order in which the files came.
    pub fn pressed(now: Option<Sort>, column: Column) -> Option<Sort> {
        match now {
            Some(sort) if sort.column == column && sort.descending => None,
            Some(sort) if sort.column == column => Some(Sort {
                column,
                descending: true,
            }),
            _ => Some(Sort {
                column,
                descending: false,
            }),
        }
    }
}

/// The places of the rows, `(name, state)`, in the wanted order. Rows that
/// have no such value stand last either way; equal ones as they came.
pub fn order(rows: &[(&str, RowState)], sort: Option<Sort>) -> Vec<usize> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    let Some(Sort { column, descending }) = sort else {
        return places;
    };
    let turned = |ordering: Ordering| match descending {
        true => ordering.reverse(),
        false => ordering,
    };
    places.sort_by(|a, b| {
        let ((name_a, state_a), (name_b, state_b)) = (&rows[*a], &rows[*b]);
        match column {
            Column::File => turned(natural(name_a, name_b)),
            Column::State => turned(state_a.rank().cmp(&state_b.rank())),
            _ => match (figure(state_a, column), figure(state_b, column)) {
                (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                (a, b) => b.is_some().cmp(&a.is_some()),
            },
        }
    });
    places
}

fn figure(state: &RowState, column: Column) -> Option<f64> {
    let RowState::Done(analysis) = state else {
        return None;
    };
    Some(match column {
        Column::Length => analysis.duration_s,
        Column::Confidence => f64::from(analysis.confidence),
        // What is not sure stands behind what is.
        _ if !analysis.sure => (Emotion::ALL.len() + analysis.label.index()) as f64,
        _ => analysis.label.index() as f64,
    })
}

/// Names as people order them: without regard to case, and numbers by value.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let (Some(x), Some(y)) = (a.peek().copied(), b.peek().copied()) else {
            return a.peek().is_some().cmp(&b.peek().is_some());
        };
        let ordering = if x.is_ascii_digit() && y.is_ascii_digit() {
            let number = |chars: &mut std::iter::Peekable<std::str::Chars>| {
                let mut digits = String::new();
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let digits = digits.trim_start_matches('0').to_owned();
                (digits.len(), digits)
            };
            number(&mut a).cmp(&number(&mut b))
        } else {
            a.next();
            b.next();
            x.to_lowercase().cmp(y.to_lowercase())
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::AnalyzeError;

    #[test]
    fn names_are_ordered_as_people_do() {
        let mut names = [
            "clip10.wav",
            "Clip2.wav",
            "clip02b.wav",
            "a.wav",
            "clip2.wav",
        ];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            [
                "a.wav",
                "Clip2.wav",
                "clip2.wav",
                "clip02b.wav",
                "clip10.wav"
            ]
        );
        assert_eq!(natural("7", "007"), Ordering::Equal);
        assert_eq!(natural("", "x"), Ordering::Less);
    }

    #[test]
    fn rows_without_a_value_stand_last_either_way() {
        let failed = || RowState::Failed(AnalyzeError::NotAudio);
        let done = |duration_s| RowState::Done(super::super::tests::analysis(duration_s, 0.9));
        let rows = [
            ("a", failed()),
            ("b", done(3.0)),
            ("c", RowState::Waiting),
            ("d", done(1.0)),
        ];
        let by = |descending| {
            let column = Column::Length;
            order(&rows, Some(Sort { column, descending }))
        };
        assert_eq!(by(false), [3, 1, 0, 2]);
        assert_eq!(by(true), [1, 3, 0, 2]);
        assert_eq!(order(&rows, None), [0, 1, 2, 3]);
    }

    #[test]
    fn three_presses_come_back_to_the_beginning() {
        let once = Sort::pressed(None, Column::File);
        let twice = Sort::pressed(once, Column::File);
        assert!(twice.is_some_and(|s| s.descending));
        assert_eq!(Sort::pressed(twice, Column::File), None);
        let other = Sort::pressed(twice, Column::Length);
        assert!(other.is_some_and(|s| s.column == Column::Length && !s.descending));
    }
}
