//! A sound that is being cleaned: the parts that the worker sends become one
//! file in the browser's keeping, however long it is.

use super::{Client, Job, Sound, Update};
use crate::analysis::AnalyzeError;
use crate::audio::SAMPLE_RATE_HZ;
use crate::web::{Buffer, SoundFile};
use crate::worker::protocol::{JobId, Work};
use wasm_bindgen::{JsCast, JsValue};

/// The file's name, which nobody reads.
const NAME: &str = "cleaned.wav";

/// What the client tells of a sound that is being cleaned.
#[derive(Clone, Debug)]
pub enum CleanUpdate {
    /// How far it is, `0..=1`.
    Progress(f32),
    /// The cleaned sound, a WAV file as long as the sound itself.
    Done(SoundFile),
    /// There is none.
    Failed(AnalyzeError),
    /// The browser has no room for it.
    NoRoom,
}

impl Client {
    /// Has the noise of a sound reduced, as soon as the engine is ready. A job
    /// under way is broken off.
    pub fn clean(&self, sound: SoundFile) {
        self.begin(Sound::File(sound), Work::Clean);
    }

    /// Takes the next part of a cleaned sound, which came beside an event.
    pub(super) fn collect(&self, id: JobId, part: JsValue, last: bool) {
        let kept = {
            let mut inner = self.0.borrow_mut();
            let job = inner.job.as_mut().filter(|job| job.id == id);
            job.is_none_or(|job| {
                let part = part.dyn_into().map(Buffer::from_js);
                part.is_ok_and(|part| job.parts.push(&part).is_ok())
            })
        };
        if last {
            self.finish(id, |job| {
                let made = job.parts.finish(NAME, SAMPLE_RATE_HZ);
                Update::Clean(match made {
                    Ok(made) if kept => CleanUpdate::Done(made),
                    _ => CleanUpdate::NoRoom,
                })
            });
        } else if !kept {
            self.cancel();
            self.tell(Update::Clean(CleanUpdate::NoRoom));
        }
    }
}

impl Job {
    /// How far it is, `0..=1`.
    pub(super) fn progress(&self, fraction: f32) -> Update {
        match self.work {
            Work::Analyze { .. } => Update::Progress(fraction),
            Work::Clean => Update::Clean(CleanUpdate::Progress(fraction)),
        }
    }

    /// Why it has no answer.
    pub(super) fn failed(&self, error: AnalyzeError) -> Update {
        match self.work {
            Work::Analyze { .. } => Update::Failed(error),
            Work::Clean => Update::Clean(CleanUpdate::Failed(error)),
        }
    }
}
