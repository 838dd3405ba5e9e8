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

/// The places of the rows, `(name, state)`, in the wanted order, names in that of
/// `by_name`. Rows that have no such value stand last either way; equal ones as
/// they came.
pub fn order(
    rows: &[(&str, RowState)],
    sort: Option<Sort>,
    by_name: impl Fn(&str, &str) -> Ordering,
) -> Vec<usize> {
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
            Column::File => turned(by_name(name_a, name_b)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::AnalyzeError;

    #[test]
    fn rows_without_a_value_stand_last_either_way() {
        let failed = || RowState::Failed(AnalyzeError::NotAudio);
        let done = |duration_s| RowState::Done(super::super::row::tests::analysis(duration_s, 0.9));
        let rows = [
            ("a", failed()),
            ("b", done(3.0)),
            ("c", RowState::Waiting),
            ("d", done(1.0)),
        ];
        let by = |descending| {
            let column = Column::Length;
            order(&rows, Some(Sort { column, descending }), str::cmp)
        };
        assert_eq!(by(false), [3, 1, 0, 2]);
        assert_eq!(by(true), [1, 3, 0, 2]);
        assert_eq!(order(&rows, None, str::cmp), [0, 1, 2, 3]);
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
