//! The files of the table, and how far they are.

use crate::analysis::{Analysis, AnalyzeError};
use crate::web::SoundFile;
use crate::worker::schedule::TaskId;
use leptos::prelude::*;
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
    pub(super) fn rank(&self) -> usize {
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
    pub(super) fn of<'a>(states: impl IntoIterator<Item = &'a RowState>) -> Tally {
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
pub(super) fn overall<'a>(files: impl IntoIterator<Item = (f64, &'a RowState)>) -> f64 {
    let (mut over, mut all) = (0.0, 0.0);
    for (n_bytes, state) in files {
        // Opening a file costs something however small it is.
        let weight = n_bytes.max(10_000.0);
        over += weight * state.fraction();
        all += weight;
    }
    if all > 0.0 { over / all } else { 0.0 }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::analysis::{Options, Waveform};
    use crate::emotion::{Emotion, Scores};

    pub(in crate::ui) fn analysis(duration_s: f64, confidence: f32) -> Arc<Analysis> {
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
