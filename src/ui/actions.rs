//! What happens when a person does something, or the engine answers.

use super::state::{Fault, Origin, Outcome, Page, Phase, Task};
use super::text;
use crate::analysis::Analysis;
use crate::export;
use crate::web::capture::CaptureEvent;
use crate::web::playback::PlayerEvent;
use crate::web::{FileError, Player, Recorder, SoundFile};
use crate::web::{download, view};
use crate::worker::client::{Client, EngineState, ModelFile, Sound, Update};
use crate::worker::pace::Pace;
use crate::worker::protocol::Partial;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::sync::Arc;

/// A file name for what the microphone gave.
const RECORDING_NAME: &str = "recording.wav";

/// The element that shows the result.
pub(super) const RESULT_ID: &str = "result";
/// Where errors and progress are shown.
pub(super) const STATUS_ID: &str = "status";
/// The voice while it is recorded.
pub(super) const LIVE_ID: &str = "live";
/// The record button.
pub(super) const RECORD_ID: &str = "record";

impl Page {
    /// Starts the engine.
    pub fn start_engine(self) {
        let model = self.recall_model();
        let client = Client::start(&model, move |update| self.hear(update));
        self.devices
            .update_value(|devices| devices.client = Some(client));
    }

    /// Starts it again after it failed.
    pub fn restart_engine(self) {
        if let Some(client) = self.client() {
            client.restart();
        }
    }

    /// The model's file, once the engine has it.
    pub(super) fn model_file(self) -> Option<ModelFile> {
        self.client()?.model_file()
    }

    pub(super) fn client(self) -> Option<Client> {
        self.devices.with_value(|devices| devices.client.clone())
    }

    /// Something new begins: whatever was under way is broken off.
    fn begin(self) -> u32 {
        let (attempt, recorder) = self
            .devices
            .try_update_value(|devices| {
                devices.attempt += 1;
                devices.task = None;
                devices.pace = Pace::default();
                (devices.attempt, devices.recorder.take())
            })
            .unwrap_or_default();
        drop(recorder);
        self.stop_cleaning();
        if let Some(client) = self.client() {
            client.cancel();
        }
        self.asking.set(false);
        self.fault.set(None);
        self.partial.set(None);
        self.remaining_ms.set(None);
        self.batch.shown.set(false);
        attempt
    }

    fn is_current(self, attempt: u32) -> bool {
        self.devices
            .with_value(|devices| devices.attempt == attempt)
    }

    pub(super) fn say(self, words: impl Into<String>) {
        self.announcement.set(words.into());
    }

    /// Back to what was before the last attempt.
    pub(super) fn rest(self) {
        let shown = self.outcome.with_untracked(Option::is_some);
        self.phase
            .set(if shown { Phase::Done } else { Phase::Idle });
    }

    pub(super) fn fail(self, fault: Fault) {
        self.devices.update_value(|devices| devices.task = None);
        self.asking.set(false);
        self.partial.set(None);
        self.say(text::announced_fault(&fault));
        self.fault.set(Some(fault));
        self.phase.set(Phase::Failed);
        request_animation_frame(|| view::reveal(STATUS_ID));
    }

    /// Closes the error.
    pub fn dismiss(self) {
        self.fault.set(None);
        self.rest();
        // The button that had the focus is gone.
        view::focus(RECORD_ID);
    }

    /// Breaks the analysis off.
    pub fn cancel(self) {
        self.begin();
        self.rest();
        self.say(text::SAID_CANCELLED);
        view::focus(RECORD_ID);
    }

    /// The record button: starts, or stops and analyses.
    pub fn toggle_recording(self) {
        if self.phase.get_untracked() == Phase::Recording {
            self.stop_recording();
        } else if !self.asking.get_untracked() {
            self.start_recording();
        }
    }

    fn start_recording(self) {
        let attempt = self.begin();
        self.pause();
        self.rest();
        self.asking.set(true);
        self.elapsed_s.set(0.0);
        self.level_dbfs.set(f32::NEG_INFINITY);
        self.begin_live();
        let microphone = self.live.microphone.get_untracked();
        spawn_local(async move {
            let recorder = Recorder::start(microphone.as_deref(), move |event| match event {
                CaptureEvent::Heard {
                    level_dbfs,
                    elapsed_s,
                } => {
                    self.level_dbfs.set(level_dbfs);
                    self.elapsed_s.set(elapsed_s);
                }
                CaptureEvent::Ended => self.stop_recording(),
            })
            .await;
            if !self.is_current(attempt) {
                return;
            }
            self.asking.set(false);
            match recorder {
                Ok(recorder) => {
                    self.devices
                        .update_value(|devices| devices.recorder = Some(recorder));
                    self.phase.set(Phase::Recording);
                    self.say(text::SAID_RECORDING);
                    self.follow_voice();
                    self.list_microphones();
                    request_animation_frame(|| view::reveal(LIVE_ID));
                }
                Err(error) => self.fail(Fault::Capture(error)),
            }
        });
    }

    fn stop_recording(self) {
        let Some((attempt, recorder)) = self
            .devices
            .try_update_value(|devices| Some((devices.attempt, devices.recorder.take()?)))
            .flatten()
        else {
            return;
        };
        if let Some(client) = self.client() {
            client.let_go();
        }
        self.progress.set(0.0);
        self.phase.set(Phase::Analyzing);
        spawn_local(async move {
            let recording = recorder.stop(RECORDING_NAME).await;
            if !self.is_current(attempt) {
                return;
            }
            match recording {
                Ok(recording) => self.analyze_file(recording, Origin::Microphone),
                Err(error) => self.fail(Fault::Capture(error)),
            }
        });
    }

    /// Takes what was dropped or chosen: one file is analysed and shown, several
    /// become a table. While the microphone is open nothing else is taken, so
    /// that no recording is lost by a slip.
    pub fn take_files(self, files: Result<Vec<SoundFile>, FileError>) {
        if self.phase.get_untracked() == Phase::Recording {
            return;
        }
        self.begin();
        match files {
            Ok(files) if files.len() > 1 => {
                self.rest();
                self.take_many(files);
            }
            Ok(files) => {
                if let Some(file) = files.into_iter().next() {
                    self.analyze_file(file, Origin::File);
                }
            }
            Err(error) => self.fail(Fault::File(error)),
        }
    }

    /// Takes one of the page's own clips.
    pub fn take_sample(self, name: &'static str) {
        if self.phase.get_untracked() == Phase::Recording {
            return;
        }
        let attempt = self.begin();
        self.progress.set(0.0);
        self.phase.set(Phase::Analyzing);
        spawn_local(async move {
            let file = SoundFile::fetch(name, &format!("samples/{name}")).await;
            if self.is_current(attempt) {
                match file {
                    Ok(file) => self.analyze_file(file, Origin::File),
                    Err(error) => self.fail(Fault::File(error)),
                }
            }
        });
    }

    /// A result that is shown is replaced by that of the same sound, judged by
    /// the model and with the options that are chosen now, where these differ.
    pub(super) fn judge_anew(self) {
        let shown = self.phase.get_untracked() == Phase::Done && !self.batch.shown.get_untracked();
        let outcome = self.outcome.get_untracked().filter(|_| shown);
        if let (Some(outcome), Some(sound)) = (outcome, self.sound())
            && (outcome.analysis.options != self.options()
                || outcome.analysis.model != self.model_in_use.get_value())
        {
            self.begin();
            self.pause();
            self.analyze_file(sound, outcome.origin);
        }
    }

    fn analyze_file(self, sound: SoundFile, origin: Origin) {
        self.stop_cleaning();
        self.progress.set(0.0);
        self.phase.set(Phase::Analyzing);
        self.say(text::SAID_ANALYZING);
        let task = Task {
            sound: sound.clone(),
            origin,
        };
        self.devices
            .update_value(|devices| devices.task = Some(task));
        if let Some(client) = self.client() {
            client.analyze(Sound::File(sound), self.options());
        }
    }

    fn hear(self, update: Update) {
        match update {
            Update::Engine(state) => {
                if state == EngineState::Ready && self.phase.get_untracked() == Phase::Idle {
                    self.say(text::SAID_READY);
                }
                let ready = state == EngineState::Ready;
                self.engine.set(state);
                if ready {
                    self.follow_voice();
                    self.feed_pool();
                }
            }
            Update::Model(name) => self.model_answers(name),
            Update::ModelRefused(name) => self.model_is_refused(name),
            Update::Moment(moment) => self.hear_moment(moment),
            Update::Deaf(_) => self.live.deaf.set(true),
            Update::Progress(fraction) => self.reach(fraction),
            Update::Partial(partial) => self.hear_part(*partial),
            Update::Done(analysis) => {
                let task = self
                    .devices
                    .try_update_value(|devices| devices.task.take())
                    .flatten();
                if let Some(task) = task {
                    let file = task.sound.name().to_owned();
                    self.show(Outcome::new(file, task.origin, *analysis), &task.sound);
                }
            }
            Update::Failed(error) => self.fail(Fault::Analyze(error)),
            Update::Clean(update) => self.hear_of_cleaning(update),
        }
    }

    fn reach(self, fraction: f32) {
        self.progress.set(fraction);
        self.devices.update_value(|devices| {
            devices.pace.reach(view::now_ms(), f64::from(fraction));
            self.remaining_ms.set(devices.pace.remaining_ms());
        });
    }

    /// Adds what has been found to what was found before.
    fn hear_part(self, part: Partial) {
        let file = self
            .devices
            .with_value(|devices| Some(devices.task.as_ref()?.sound.name().to_owned()));
        let (Some(file), Some(verdict)) = (file, part.verdict) else {
            return;
        };
        let before = self.partial.get_untracked();
        let mut utterances =
            before.map_or_else(Vec::new, |(before, _)| before.analysis.utterances.clone());
        utterances.extend(part.utterances);
        let duration_s = part.duration_s.unwrap_or(part.heard_s).max(part.heard_s);
        let analysis = Analysis {
            duration_s,
            scores: verdict.scores,
            label: verdict.label,
            confidence: verdict.confidence,
            sure: verdict.sure,
            utterances,
            windows: Vec::new(),
            waveform: part.waveform.lengthened(part.heard_s / duration_s),
            model: self.model.get_untracked(),
            options: self.options(),
            notices: Vec::new(),
        };
        let outcome = Outcome::new(file, Origin::File, analysis);
        self.partial.set(Some((Arc::new(outcome), part.heard_s)));
    }

    pub(super) fn show(self, outcome: Outcome, sound: &SoundFile) {
        let player = Player::new(sound, move |event| match event {
            PlayerEvent::Playable => self.playable.set(true),
            PlayerEvent::NotPlayable => self.playable.set(false),
            PlayerEvent::At(position_s) => self.position_s.set(position_s),
            PlayerEvent::Playing(playing) => self.playing.set(playing),
        });
        self.playable.set(player.is_some());
        self.devices.update_value(|devices| devices.player = player);
        self.hold_sound(sound);
        self.playing.set(false);
        self.position_s.set(0.0);
        self.partial.set(None);
        self.say(text::announced(&outcome));
        self.outcome.set(Some(Arc::new(outcome)));
        self.phase.set(Phase::Done);
        request_animation_frame(|| view::reveal(RESULT_ID));
    }

    /// Plays or pauses.
    pub fn toggle_playing(self) {
        let playing = self.playing.get_untracked();
        self.devices.with_value(|devices| match &devices.player {
            Some(player) if playing => player.pause(),
            Some(player) => player.play(),
            None => {}
        });
    }

    pub(super) fn pause(self) {
        self.devices.with_value(|devices| {
            if let Some(player) = &devices.player {
                player.pause();
            }
        });
    }

    /// Goes to a place, seconds.
    pub fn seek(self, position_s: f64) {
        self.position_s.set(position_s);
        self.devices.with_value(|devices| {
            if let Some(player) = &devices.player {
                player.seek(position_s);
            }
        });
    }

    /// Saves the result as JSON.
    pub fn save_json(self) {
        self.save("json", "application/json", |o| {
            let mut json = export::to_json(&o.file, &o.analysis);
            json.push('\n');
            json
        });
    }

    /// Saves the result as CSV.
    pub fn save_csv(self) {
        self.save("csv", "text/csv", |o| {
            export::to_csv([(o.file.as_str(), &o.analysis)])
        });
    }

    fn save(self, extension: &str, mime: &str, write: impl Fn(&Outcome) -> String) {
        let Some(outcome) = self.outcome.get_untracked() else {
            return;
        };
        let stem = outcome
            .file
            .rsplit_once('.')
            .map_or(outcome.file.as_str(), |(stem, _)| stem);
        let name = format!("{stem}.undertone.{extension}");
        if download::save(&name, &write(&outcome), mime).is_err() {
            self.fail(Fault::Save);
        }
    }
}
