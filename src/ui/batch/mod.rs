//! Many recordings at once: what the page knows of them and what it does.

mod order;
pub(super) mod words;

pub use order::{Column, Sort};

use super::actions::RECORD_ID;
use super::state::{Fault, Origin, Outcome, Page};
use crate::analysis::{Analysis, AnalyzeError};
use crate::export;
use crate::web::{NameOrder, SoundFile, download, view};
use crate::worker::pace::Pace;
use crate::worker::pool::{Pool, TaskUpdate};
use crate::worker::schedule::{TaskId, n_workers};
use leptos::prelude::*;
use std::cell::LazyCell;
use std::sync::Arc;

/// What has become of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum RowState {
    /// Nothing yet.
    Waiting,
    /// A worker is at it; how far, `0..=1`.
    Working(f32),
    /// Its answer.
    Done(Arc<Analysis>),
    /// It has none.
    Failed(AnalyzeError),
    /// It was cancelled before it had one.
    Stopped,
}

impl RowState {
    /// The value of `data-state`.
    pub fn name(&self) -> &'static str {
        match self {
            RowState::Waiting => "waiting",
            RowState::Working(_) => "working",
            RowState::Done(_) => "done",
            RowState::Failed(_) => "failed",
            RowState::Stopped => "stopped",
        }
    }

    /// Its place when rows are ordered by state.
    fn rank(&self) -> usize {
        match self {
            RowState::Working(_) => 0,
            RowState::Waiting => 1,
            RowState::Done(_) => 2,
            RowState::Failed(_) => 3,
            RowState::Stopped => 4,
        }
    }

    /// How much of it is over, `0..=1`.
    pub fn fraction(&self) -> f64 {
        match self {
            RowState::Waiting => 0.0,
            RowState::Working(fraction) => f64::from(*fraction),
            _ => 1.0,
        }
    }
}

/// A file of the table.
#[derive(Clone)]
pub struct Row {
    /// Its name, in the order in which files came.
    pub id: TaskId,
    /// The file.
    pub file: SoundFile,
    /// What has become of it.
    pub state: RwSignal<RowState>,
}

/// How many files are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Waiting or under way.
    pub n_left: usize,
    /// With an answer.
    pub n_done: usize,
    /// Of these, heard without their noise.
    pub n_denoised: usize,
    /// Without one.
    pub n_failed: usize,
    /// Cancelled.
    pub n_stopped: usize,
}

impl Tally {
    fn of<'a>(states: impl IntoIterator<Item = &'a RowState>) -> Tally {
        let mut tally = Tally::default();
        for state in states {
            if matches!(state, RowState::Done(analysis) if analysis.options.denoise) {
                tally.n_denoised += 1;
            }
            *match state {
                RowState::Waiting | RowState::Working(_) => &mut tally.n_left,
                RowState::Done(_) => &mut tally.n_done,
                RowState::Failed(_) => &mut tally.n_failed,
                RowState::Stopped => &mut tally.n_stopped,
            } += 1;
        }
        tally
    }

    /// How many there are.
    pub fn n_all(self) -> usize {
        self.n_left + self.n_done + self.n_failed + self.n_stopped
    }
}

/// How much of all is over, `0..=1`, each file weighing its bytes.
fn overall<'a>(files: impl IntoIterator<Item = (f64, &'a RowState)>) -> f64 {
    let (mut over, mut all) = (0.0, 0.0);
    for (n_bytes, state) in files {
        // Opening a file costs something however small it is.
        let weight = n_bytes.max(10_000.0);
        over += weight * state.fraction();
        all += weight;
    }
    if all > 0.0 { over / all } else { 0.0 }
}

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

impl Page {
    /// Has files analysed beside each other, and shows the table of them.
    pub(super) fn take_many(self, files: Vec<SoundFile>) {
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
    pub(super) fn feed_pool(self) {
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
    pub(super) fn toggle_batch(self) {
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
    pub(super) fn cancel_batch(self) {
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
    pub(super) fn continue_batch(self) {
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
    pub(super) fn close_batch(self) {
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
    pub(super) fn open_row(self, id: TaskId) {
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
    pub(super) fn return_to_batch(self) {
        self.pause();
        self.batch.shown.set(true);
        let id = row_element_id(self.batch.current.get_untracked());
        request_animation_frame(move || view::focus(&id));
    }

    /// Saves every answer as JSON, a list with an object a file.
    pub(super) fn save_batch_json(self) {
        self.save_batch("json", "application/json", |answers| {
            let objects: Vec<String> = answers
                .iter()
                .map(|(file, analysis)| export::to_json(file, analysis))
                .collect();
            format!("[\n{}\n]\n", objects.join(",\n"))
        });
    }

    /// Saves every answer as one CSV table.
    pub(super) fn save_batch_csv(self) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, Waveform};
    use crate::emotion::{Emotion, Scores};

    pub(super) fn analysis(duration_s: f64, confidence: f32) -> Arc<Analysis> {
        Arc::new(Analysis {
            duration_s,
            scores: Scores::UNIFORM,
            label: Emotion::Sad,
            confidence,
            sure: true,
            utterances: Vec::new(),
            windows: Vec::new(),
            waveform: Waveform::default(),
            model: "m".into(),
            options: Options::default(),
            notices: Vec::new(),
        })
    }

    #[test]
    fn every_row_is_counted_once() {
        let states = [
            RowState::Waiting,
            RowState::Working(0.5),
            RowState::Done(analysis(1.0, 0.5)),
            RowState::Failed(AnalyzeError::NotAudio),
            RowState::Stopped,
        ];
        let tally = Tally::of(&states);
        assert_eq!(
            (tally.n_left, tally.n_done, tally.n_failed, tally.n_stopped),
            (2, 1, 1, 1)
        );
        assert_eq!((tally.n_all(), tally.n_denoised), (5, 0));
    }

    #[test]
    fn large_files_are_more_of_the_whole_than_small_ones() {
        let (waiting, over) = (RowState::Waiting, RowState::Stopped);
        assert_eq!(overall([(1e6, &over), (3e6, &waiting)]), 0.25);
        assert_eq!(overall([(1e6, &RowState::Working(0.5))]), 0.5);
        assert_eq!(overall([(0.0, &over)]), 1.0);
        assert_eq!(overall([]), 0.0);
    }
}
