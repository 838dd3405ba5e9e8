//! What a person may do with the table, and what the workers report.

use super::{Row, RowState, row_element_id, words};
use crate::analysis::Analysis;
use crate::export;
use crate::ui::actions::RECORD_ID;
use crate::ui::state::{Fault, Origin, Outcome, Page};
use crate::web::{SoundFile, download, view};
use crate::worker::pace::Pace;
use crate::worker::pool::{Pool, TaskUpdate};
use crate::worker::schedule::{TaskId, n_workers};
use leptos::prelude::*;
use std::sync::Arc;

impl Page {
    /// Has files analysed beside each other, and shows the table of them.
    pub(in crate::ui) fn take_many(self, files: Vec<SoundFile>) {
        let batch = self.batch;
        let pool = batch.pool().unwrap_or_else(|| {
            let pool = Pool::new(n_workers(view::n_cores()), move |id, update| {
                self.hear_of_task(id, update);
            });
            batch.pool.set_value(Some(pool.clone()));
            pool
        });
        let n_files = files.len();
        let first = batch.rows.with_untracked(Vec::len);
        batch.rows.update(|rows| {
            rows.extend(files.into_iter().enumerate().map(|(i, file)| Row {
                id: first + i,
                file,
                state: RwSignal::new(RowState::Waiting),
            }));
        });
        if batch.tally.with_untracked(|tally| tally.n_left == 0) {
            batch.pace.set_value(Pace::default());
        }
        batch.count();
        batch.shown.set(true);
        self.say(words::begun(n_files));
        for row in batch.rows.get_untracked().into_iter().skip(first) {
            pool.add(row.file, self.options());
        }
        self.feed_pool();
    }

    /// Gives the pool the model as soon as the page's own engine has it.
    pub(in crate::ui) fn feed_pool(self) {
        if let (Some(pool), Some(model)) = (self.batch.pool(), self.model_file()) {
            pool.provide(model);
        }
    }

    fn hear_of_task(self, id: TaskId, update: TaskUpdate) {
        let batch = self.batch;
        match update {
            TaskUpdate::Begun => batch.set(id, RowState::Working(0.0)),
            TaskUpdate::Progress(fraction) => batch.set(id, RowState::Working(fraction)),
            TaskUpdate::Done(analysis) => batch.set(id, RowState::Done(Arc::new(*analysis))),
            TaskUpdate::Failed(error) => batch.set(id, RowState::Failed(error)),
            TaskUpdate::Stalled(error) => {
                batch.set(id, RowState::Waiting);
                batch.hold(true);
                self.say(words::STALLED);
                self.fault.set(Some(Fault::Analyze(error)));
            }
        }
        batch.count();
        let tally = batch.tally.get_untracked();
        if tally.n_left == 0 {
            self.say(words::finished(tally));
        }
    }

    /// Holds everything, or goes on.
    pub(in crate::ui) fn toggle_batch(self) {
        let paused = !self.batch.paused.get_untracked();
        self.batch.hold(paused);
        if let Some(pool) = self.batch.pool() {
            pool.pause(paused);
        }
        self.say(if paused {
            words::SAID_PAUSED
        } else {
            words::SAID_RESUMED
        });
    }

    /// Gives up what is not done yet.
    pub(in crate::ui) fn cancel_batch(self) {
        let Some(pool) = self.batch.pool() else {
            return;
        };
        for id in pool.cancel() {
            self.batch.set(id, RowState::Stopped);
        }
        self.batch.hold(false);
        self.batch.count();
        self.say(words::finished(self.batch.tally.get_untracked()));
    }

    /// Takes up again what was given up.
    pub(in crate::ui) fn continue_batch(self) {
        let Some(pool) = self.batch.pool() else {
            return;
        };
        self.batch.pace.set_value(Pace::default());
        let rows = self.batch.rows.get_untracked();
        let stopped = |row: &Row| row.state.with_untracked(|s| *s == RowState::Stopped);
        for row in rows.into_iter().filter(stopped) {
            row.state.set(RowState::Waiting);
            pool.add_again(row.id, self.options());
        }
        self.batch.count();
    }

    /// Forgets the files and their answers.
    pub(in crate::ui) fn close_batch(self) {
        if let Some(pool) = self.batch.pool() {
            pool.cancel();
        }
        self.batch.pool.set_value(None);
        self.batch.shown.set(false);
        self.batch.rows.set(Vec::new());
        self.batch.sort.set(None);
        self.batch.current.set(0);
        self.batch.hold(false);
        self.batch.count();
        self.rest();
        view::focus(RECORD_ID);
    }

    /// Shows a row's answer in full.
    pub(in crate::ui) fn open_row(self, id: TaskId) {
        let Some(row) = self.batch.row(id) else {
            return;
        };
        if let RowState::Done(analysis) = row.state.get_untracked() {
            self.batch.current.set(id);
            self.batch.shown.set(false);
            let file = row.file.name().to_owned();
            let outcome = Outcome::new(file, Origin::File, Analysis::clone(&analysis));
            self.show(outcome, &row.file);
        }
    }

    /// Back to the table, where one left it.
    pub(in crate::ui) fn return_to_batch(self) {
        self.pause();
        self.batch.shown.set(true);
        let id = row_element_id(self.batch.current.get_untracked());
        request_animation_frame(move || view::focus(&id));
    }

    /// Saves every answer as JSON, a list with an object a file.
    pub(in crate::ui) fn save_batch_json(self) {
        self.save_batch("json", "application/json", |answers| {
            let objects: Vec<String> = answers
                .iter()
                .map(|(file, analysis)| export::to_json(file, analysis))
                .collect();
            format!("[\n{}\n]\n", objects.join(",\n"))
        });
    }

    /// Saves every answer as one CSV table.
    pub(in crate::ui) fn save_batch_csv(self) {
        self.save_batch("csv", "text/csv", |answers| {
            export::to_csv(answers.iter().map(|(file, a)| (file.as_str(), &**a)))
        });
    }

    fn save_batch(
        self,
        extension: &str,
        mime: &str,
        write: impl Fn(&[(String, Arc<Analysis>)]) -> String,
    ) {
        let rows = self.batch.rows.get_untracked();
        let answers: Vec<_> = rows
            .iter()
            .filter_map(|row| match row.state.get_untracked() {
                RowState::Done(analysis) => Some((row.file.name().to_owned(), analysis)),
                _ => None,
            })
            .collect();
        let name = format!("recordings.undertone.{extension}");
        if download::save(&name, &write(&answers), mime).is_err() {
            self.fail(Fault::Save);
        }
    }
}
