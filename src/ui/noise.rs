//! Noise reduction: whether it is wanted, and listening to the cleaned sound.

use super::state::{Page, Phase};
use super::text;
use crate::analysis::Options;
use crate::web::{SoundFile, storage};
use crate::worker::client::CleanUpdate;
use leptos::prelude::*;

/// Where the choice is kept across visits.
const REDUCE_NOISE: &str = "undertone.reduce-noise";

/// Which of the two sounds of a result is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// As it was given.
    Original,
    /// Without its noise; until that is made, the original plays.
    Cleaned,
}

impl Version {
    /// The value of `data-version`.
    pub fn name(self) -> &'static str {
        match self {
            Version::Original => "original",
            Version::Cleaned => "cleaned",
        }
    }
}

/// Signals about noise reduction, one copy of handles.
#[derive(Clone, Copy)]
pub struct Noise {
    /// Whether it is to be reduced before anything is judged.
    pub reduce: RwSignal<bool>,
    /// Which version of the result's sound is chosen.
    pub version: RwSignal<Version>,
    /// How far the cleaned sound is, `0..=1`; only while it is being made.
    pub progress: RwSignal<Option<f32>>,
    /// Why there is no cleaned sound, in words.
    pub trouble: RwSignal<Option<String>>,
    /// The result's sound.
    original: StoredValue<Option<SoundFile>, LocalStorage>,
    /// The same without its noise, once it has been made.
    cleaned: StoredValue<Option<SoundFile>, LocalStorage>,
}

impl Noise {
    /// Noise is left as it is, and there is no sound.
    pub fn new() -> Noise {
        Noise {
            reduce: RwSignal::new(false),
            version: RwSignal::new(Version::Original),
            progress: RwSignal::new(None),
            trouble: RwSignal::new(None),
            original: StoredValue::new_local(None),
            cleaned: StoredValue::new_local(None),
        }
    }
}

impl Default for Noise {
    fn default() -> Noise {
        Noise::new()
    }
}

impl Page {
    /// How sounds are to be heard from now on.
    pub(super) fn options(self) -> Options {
        Options {
            denoise: self.noise.reduce.get_untracked(),
        }
    }

    /// Takes up the choice of the last visit.
    pub(super) fn recall_noise(self) {
        let kept = storage::get(REDUCE_NOISE);
        self.noise.reduce.set(kept.as_deref() == Some("true"));
    }

    /// Has noise reduced from now on, or left, also for the result that is
    /// shown.
    pub fn reduce_noise(self, reduce: bool) {
        self.noise.reduce.set(reduce);
        storage::set(REDUCE_NOISE, &reduce.to_string());
        self.judge_anew();
    }

    /// The sound of the result that is shown.
    pub(super) fn sound(self) -> Option<SoundFile> {
        self.noise.original.get_value()
    }

    /// Another result is shown: the cleaned sound of the last is let go.
    pub(super) fn hold_sound(self, sound: &SoundFile) {
        self.stop_cleaning();
        self.noise.version.set(Version::Original);
        self.noise.trouble.set(None);
        self.noise.original.set_value(Some(sound.clone()));
        self.noise.cleaned.set_value(None);
    }

    /// Has this version of the result's sound play on where the other is. The
    /// cleaned one is made when it is first wanted, and not while the engine is
    /// at an analysis.
    pub fn listen_to(self, version: Version) {
        let noise = self.noise;
        if self.phase.get_untracked() == Phase::Analyzing {
            return;
        }
        if noise.progress.get_untracked().is_some() {
            // What plays is the original.
            return self.stop_cleaning();
        }
        noise.trouble.set(None);
        noise.version.set(version);
        let sound = match version {
            Version::Original => noise.original.get_value(),
            Version::Cleaned => noise.cleaned.get_value(),
        };
        match sound {
            Some(sound) => self.play_instead(&sound),
            None => self.start_cleaning(),
        }
    }

    fn start_cleaning(self) {
        if let (Some(client), Some(sound)) = (self.client(), self.noise.original.get_value()) {
            self.noise.progress.set(Some(0.0));
            self.say(text::SAID_CLEANING);
            client.clean(sound);
        }
    }

    /// Something else is wanted of the engine: a cleaned sound that is being
    /// made is given up, and the original plays on.
    pub(super) fn stop_cleaning(self) {
        if self.noise.progress.get_untracked().is_none() {
            return;
        }
        self.noise.progress.set(None);
        self.noise.version.set(Version::Original);
        if let Some(client) = self.client() {
            client.cancel();
        }
    }

    /// Hears of the cleaned sound that is being made.
    pub(super) fn hear_of_cleaning(self, update: CleanUpdate) {
        let noise = self.noise;
        let trouble = match update {
            CleanUpdate::Progress(fraction) => return noise.progress.set(Some(fraction)),
            CleanUpdate::Done(sound) => {
                noise.progress.set(None);
                self.say(text::SAID_CLEANED);
                self.play_instead(&sound);
                return noise.cleaned.set_value(Some(sound));
            }
            CleanUpdate::Failed(error) => text::not_cleaned(&error),
            CleanUpdate::NoRoom => text::NO_ROOM_FOR_CLEANED.to_owned(),
        };
        noise.progress.set(None);
        noise.version.set(Version::Original);
        self.say(trouble.clone());
        noise.trouble.set(Some(trouble));
    }

    fn play_instead(self, sound: &SoundFile) {
        self.devices.update_value(|devices| {
            if let Some(player) = &mut devices.player {
                player.play_instead(sound);
            }
        });
    }
}
