//! The one job there may be: handed over once the engine is ready, held, broken
//! off, and answered.

use super::{Client, EngineState, N_RESTARTS, Update};
use crate::analysis::{AnalyzeError, Options};
use crate::web::{Buffer, SoundFile, decode, wav};
use crate::worker::protocol::{Given, JobId, Request, Work};
use gloo::timers::callback::Timeout;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// A worker that was asked to break a job off and has not done so after this
/// long hangs, milliseconds; it listens every few tenths of a second.
const CANCEL_DEADLINE_MS: u32 = 8_000;

/// What is to be worked on.
#[derive(Clone, Debug)]
pub enum Sound {
    /// A file, which the worker reads by itself.
    File(SoundFile),
    /// Mono 32-bit float samples.
    Samples {
        /// The samples.
        samples: Buffer,
        /// Their rate, hertz.
        sample_rate_hz: u32,
    },
}

/// What is under way.
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) work: Work,
    /// Its sound, until that is handed over.
    pub(super) sound: Option<Sound>,
    /// The file, until the browser's own decoder has been asked about it.
    file: Option<SoundFile>,
    /// What has come of a sound that is being cleaned.
    pub(super) parts: wav::Parts,
}

impl Client {
    /// Has a sound analysed, as soon as the engine is ready. A job under way
    /// is broken off.
    pub fn analyze(&self, sound: Sound, options: Options) {
        self.begin(sound, Work::Analyze { options });
    }

    pub(super) fn begin(&self, sound: Sound, work: Work) {
        self.cancel();
        let failed = {
            let mut inner = self.0.borrow_mut();
            inner.last_job.0 += 1;
            let file = match &sound {
                Sound::File(file) => Some(file.clone()),
                Sound::Samples { .. } => None,
            };
            inner.job = Some(Job {
                id: inner.last_job,
                work,
                sound: Some(sound),
                file,
                parts: wav::Parts::default(),
            });
            inner.paused = false;
            matches!(inner.state, EngineState::Failed { .. })
        };
        if failed {
            self.restart();
        } else {
            self.send_waiting_job();
        }
    }

    /// Breaks the job off. Nothing more is heard of it from now on; the worker
    /// itself ends it after the step it is at.
    pub fn cancel(&self) {
        let job = self.0.borrow_mut().job.take();
        let Some(Job {
            id: job,
            sound: None,
            ..
        }) = job
        else {
            return;
        };
        let client = self.clone();
        let deadline = Timeout::new(CANCEL_DEADLINE_MS, move || {
            client.die("it did not break the last analysis off");
        });
        self.0.borrow_mut().cancelling = Some((job, deadline));
        self.post(&Request::Cancel { job }, None);
    }

    /// Holds the job, or takes it up again.
    pub fn pause(&self, paused: bool) {
        let handed_over = {
            let mut inner = self.0.borrow_mut();
            inner.paused = paused;
            let job = inner.job.as_ref().filter(|job| job.sound.is_none());
            job.map(|job| job.id)
        };
        if let Some(job) = handed_over {
            self.post(
                &match paused {
                    true => Request::Pause { job },
                    false => Request::Resume { job },
                },
                None,
            );
        }
    }

    pub(super) fn is_current(&self, job: JobId) -> bool {
        self.0.borrow().job.as_ref().is_some_and(|j| j.id == job)
    }

    /// Has the browser decode what the engine cannot read, once a file.
    pub(super) fn try_browser(&self, id: JobId, error: &AnalyzeError) -> bool {
        if !matches!(
            error,
            AnalyzeError::NotAudio | AnalyzeError::UnsupportedCodec { .. }
        ) {
            return false;
        }
        let file = {
            let mut inner = self.0.borrow_mut();
            let job = inner.job.as_mut().filter(|job| job.id == id);
            job.and_then(|job| job.file.take())
        };
        let Some(file) = file else {
            return false;
        };
        let (client, error) = (self.clone(), error.clone());
        spawn_local(async move {
            let decoded = decode::decode(&file).await;
            if !client.is_current(id) {
                return;
            }
            let Ok(recording) = decoded else {
                return client.finish(id, |job| job.failed(error));
            };
            if let Some(job) = &mut client.0.borrow_mut().job {
                job.sound = Some(Sound::Samples {
                    samples: Buffer::from_samples(&recording.samples),
                    sample_rate_hz: recording.sample_rate_hz,
                });
            }
            client.send_waiting_job();
        });
        true
    }

    /// The worker is done with a job; tells its answer if it is still wanted.
    pub(super) fn finish(&self, id: JobId, answer: impl FnOnce(Job) -> Update) {
        let job = {
            let mut inner = self.0.borrow_mut();
            if inner.cancelling.as_ref().is_some_and(|(c, _)| *c == id) {
                inner.cancelling = None;
            }
            let Some(job) = inner.job.take_if(|job| job.id == id) else {
                return;
            };
            // It works, so a later death may be mended again.
            inner.n_restarts_left = N_RESTARTS;
            job
        };
        self.tell(answer(job));
    }

    pub(super) fn send_waiting_job(&self) {
        let ready = {
            let mut inner = self.0.borrow_mut();
            if inner.state != EngineState::Ready {
                return;
            }
            let paused = inner.paused;
            let waiting = |job: &mut Job| Some((job.id, job.work, job.sound.take()?, paused));
            inner.job.as_mut().and_then(waiting)
        };
        let Some((job, work, sound, paused)) = ready else {
            return;
        };
        let (given, beside): (_, &JsValue) = match &sound {
            Sound::File(file) => {
                let name = file.name().to_owned();
                (Given::File { name }, file.as_js())
            }
            Sound::Samples {
                samples,
                sample_rate_hz,
            } => {
                let sample_rate_hz = *sample_rate_hz;
                (Given::Samples { sample_rate_hz }, samples.as_js())
            }
        };
        let request = Request::Begin {
            job,
            sound: given,
            work,
        };
        self.post(&request, Some(beside));
        if paused {
            self.post(&Request::Pause { job }, None);
        }
    }
}
