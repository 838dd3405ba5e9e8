//! Many recordings at once: what the page knows of them and what it does.

mod actions;
mod order;
mod row;
pub(super) mod words;

pub use order::{Column, Sort};
pub use row::{Row, RowState, Tally};

use crate::web::{NameOrder, view};
use crate::worker::pace::Pace;
use crate::worker::pool::Pool;
use crate::worker::schedule::TaskId;
use leptos::prelude::*;
use row::overall;
use std::cell::LazyCell;

/// The files of the table, one copy of handles.
#[derive(Clone, Copy)]
pub struct Batch {
    /// In the order in which they came.
    pub rows: RwSignal<Vec<Row>>,
    /// Whether the table is shown; what was opened from it may be instead.
    pub shown: RwSignal<bool>,
    /// How many are how far.
    pub tally: RwSignal<Tally>,
    /// Whether everything is held.
    pub paused: RwSignal<bool>,
    /// How much of all is over, `0..=1`.
    pub fraction: RwSignal<f64>,
    /// Time left, milliseconds, where something can be said.
    pub remaining_ms: RwSignal<Option<f64>>,
    /// The order of the rows.
    pub sort: RwSignal<Option<Sort>>,
    /// The row that has the keyboard, or had it last.
    pub current: RwSignal<TaskId>,
    pool: StoredValue<Option<Pool>, LocalStorage>,
    pace: StoredValue<Pace>,
}

impl Batch {
    /// No files.
    pub fn new() -> Batch {
        Batch {
            rows: RwSignal::new(Vec::new()),
            shown: RwSignal::new(false),
            tally: RwSignal::new(Tally::default()),
            paused: RwSignal::new(false),
            fraction: RwSignal::new(0.0),
            remaining_ms: RwSignal::new(None),
            sort: RwSignal::new(None),
            current: RwSignal::new(0),
            pool: StoredValue::new_local(None),
            pace: StoredValue::new(Pace::default()),
        }
    }

    /// The rows in the order shown. Values that come in stand where they
    /// belong at once.
    pub fn ordered(self) -> Vec<Row> {
        self.tally.track();
        let sort = self.sort.get();
        self.rows.with(|rows| {
            let facts: Vec<_> = rows
                .iter()
                .map(|row| (row.file.name(), row.state.get_untracked()))
                .collect();
            // Asked for only where names are compared.
            let names = LazyCell::new(NameOrder::of_reader);
            let places = order::order(&facts, sort, |a, b| names.compare(a, b));
            places.into_iter().map(|i| rows[i].clone()).collect()
        })
    }

    fn pool(self) -> Option<Pool> {
        self.pool.get_value()
    }

    fn row(self, id: TaskId) -> Option<Row> {
        self.rows.with_untracked(|rows| rows.get(id).cloned())
    }

    fn set(self, id: TaskId, state: RowState) {
        if let Some(row) = self.row(id) {
            row.state.set(state);
        }
    }

    fn count(self) {
        self.rows.with_untracked(|rows| {
            let states: Vec<_> = rows.iter().map(|row| row.state.get_untracked()).collect();
            self.tally.set(Tally::of(&states));
            let sizes = rows.iter().map(|row| row.file.n_bytes());
            self.fraction.set(overall(sizes.zip(&states)));
        });
        self.pace.update_value(|pace| {
            pace.reach(view::now_ms(), self.fraction.get_untracked());
            self.remaining_ms.set(pace.remaining_ms());
        });
    }

    fn hold(self, paused: bool) {
        self.paused.set(paused);
        self.pace
            .update_value(|pace| pace.hold(view::now_ms(), paused));
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new()
    }
}

/// The row's element that takes the keyboard.
pub(super) fn row_element_id(id: TaskId) -> String {
    format!("recording-{id}")
}
