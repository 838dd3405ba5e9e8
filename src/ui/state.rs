//! What the page knows, as signals; plain data inside them.

use super::axis;
use super::batch::Batch;
use super::live::LiveVoice;
use super::noise::Noise;
use super::overview::overview;
use crate::analysis::{Analysis, AnalyzeError, Utterance};
use crate::web::{CaptureError, FileError, Player, Recorder, SoundFile};
use crate::worker::client::{Client, EngineState};
use crate::worker::pace::Pace;
use leptos::prelude::*;
use std::sync::Arc;

/// What the page is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a voice.
    Idle,
    /// The microphone is open.
    Recording,
    /// The engine is at work, or about to be.
    Analyzing,
    /// A result is shown.
    Done,
    /// An error is shown; a result from before may be, too.
    Failed,
}

impl Phase {
    /// The value of `data-phase`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Recording => "recording",
            Phase::Analyzing => "analyzing",
            Phase::Done => "done",
            Phase::Failed => "failed",
        }
    }
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The engine could not judge the sound.
    Analyze(AnalyzeError),
    /// There is no recording.
    Capture(CaptureError),
    /// There is no file.
    File(FileError),
    /// The result could not be saved.
    Save,
}

impl Fault {
    /// The value of `data-kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Analyze(error) => error.kind(),
            Fault::Capture(error) => match error {
                CaptureError::Denied => "mic-denied",
                CaptureError::Missing => "mic-missing",
                CaptureError::Busy { .. } => "mic-busy",
                CaptureError::Silent => "mic-silent",
                CaptureError::Unsupported { .. } => "mic-unsupported",
            },
            Fault::File(error) => match error {
                FileError::Unreadable { .. } => "unreadable",
                FileError::NotFetched { .. } => "not-fetched",
                FileError::NoFile => "no-file",
            },
            Fault::Save => "save",
        }
    }
}

/// Where a sound came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The microphone.
    Microphone,
    /// A file of the person's, or a sample.
    File,
}

/// A result with what is drawn of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Name of the file.
    pub file: String,
    /// Where the sound came from.
    pub origin: Origin,
    /// What the engine said.
    pub analysis: Analysis,
    /// The timeline as it is drawn: of a long recording an overview.
    pub drawn: Vec<Utterance>,
    /// Where the time axis has its marks, seconds.
    pub ticks_s: Vec<f64>,
}

impl Outcome {
    /// Prepares an analysis for drawing.
    pub fn new(file: String, origin: Origin, analysis: Analysis) -> Outcome {
        Outcome {
            drawn: overview(&analysis.utterances, analysis.duration_s),
            ticks_s: axis::ticks(analysis.duration_s),
            file,
            origin,
            analysis,
        }
    }

    /// Which utterance is at a place, seconds; `None` in a pause.
    pub fn utterance_index_at(&self, position_s: f64) -> Option<usize> {
        let utterances = &self.analysis.utterances;
        let next = utterances.partition_point(|u| u.end_s <= position_s);
        (utterances.get(next)?.start_s <= position_s).then_some(next)
    }

    /// The utterance at a place, seconds; `None` in a pause.
    pub fn utterance_at(&self, position_s: f64) -> Option<&Utterance> {
        let index = self.utterance_index_at(position_s)?;
        self.analysis.utterances.get(index)
    }
}

/// A sound under analysis.
pub(super) struct Task {
    pub sound: SoundFile,
    pub origin: Origin,
}

/// What the page holds on to besides signals.
#[derive(Default)]
pub(super) struct Devices {
    pub client: Option<Client>,
    pub recorder: Option<Recorder>,
    pub player: Option<Player>,
    pub task: Option<Task>,
    pub pace: Pace,
    /// Raised by everything a person begins or breaks off, so that what was
    /// awaited for something older is noticed and dropped.
    pub attempt: u32,
}

/// The page's state, one copy of handles in the context.
#[derive(Clone, Copy)]
pub struct Page {
    /// What the page is doing.
    pub phase: RwSignal<Phase>,
    /// What the engine is doing.
    pub engine: RwSignal<EngineState>,
    /// Name of the model in use or on its way.
    pub model: RwSignal<String>,
    /// Name of a model that could not be loaded.
    pub model_refused: RwSignal<Option<String>>,
    /// Name of the model in use.
    pub(super) model_in_use: StoredValue<String>,
    /// How far the analysis is, `0..=1`.
    pub progress: RwSignal<f32>,
    /// Time left, milliseconds, where something can be said.
    pub remaining_ms: RwSignal<Option<f64>>,
    /// What has been found so far, and how much has been heard, seconds.
    pub partial: RwSignal<Option<(Arc<Outcome>, f64)>>,
    /// Whether the browser is asking for the microphone.
    pub asking: RwSignal<bool>,
    /// The microphone's level, dBFS.
    pub level_dbfs: RwSignal<f32>,
    /// Length of the recording, seconds.
    pub elapsed_s: RwSignal<f64>,
    /// The voice that is being recorded.
    pub live: LiveVoice,
    /// Whether a file is held over the window.
    pub hovering: RwSignal<bool>,
    /// The error shown.
    pub fault: RwSignal<Option<Fault>>,
    /// The result shown.
    pub outcome: RwSignal<Option<Arc<Outcome>>>,
    /// Where playback is, seconds.
    pub position_s: RwSignal<f64>,
    /// Whether it plays.
    pub playing: RwSignal<bool>,
    /// Whether the browser can play this sound.
    pub playable: RwSignal<bool>,
    /// Noise reduction, and the cleaned sound.
    pub noise: Noise,
    /// Many recordings at once.
    pub batch: Batch,
    /// What screen readers are told.
    pub announcement: RwSignal<String>,
    pub(super) devices: StoredValue<Devices, LocalStorage>,
}

impl Page {
    /// The page before anything has happened.
    pub fn new() -> Page {
        Page {
            phase: RwSignal::new(Phase::Idle),
            engine: RwSignal::new(EngineState::Starting),
            model: RwSignal::new(String::new()),
            model_refused: RwSignal::new(None),
            model_in_use: StoredValue::new(String::new()),
            progress: RwSignal::new(0.0),
            remaining_ms: RwSignal::new(None),
            partial: RwSignal::new(None),
            asking: RwSignal::new(false),
            level_dbfs: RwSignal::new(f32::NEG_INFINITY),
            elapsed_s: RwSignal::new(0.0),
            live: LiveVoice::new(),
            hovering: RwSignal::new(false),
            fault: RwSignal::new(None),
            outcome: RwSignal::new(None),
            position_s: RwSignal::new(0.0),
            playing: RwSignal::new(false),
            playable: RwSignal::new(true),
            noise: Noise::new(),
            batch: Batch::new(),
            announcement: RwSignal::new(String::new()),
            devices: StoredValue::new_local(Devices::default()),
        }
    }
}

impl Default for Page {
    fn default() -> Page {
        Page::new()
    }
}
