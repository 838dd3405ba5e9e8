//! What the worker does with each request: a state machine that knows nothing
//! of the browser, so it is tested natively.

use super::job::{Job, Step};
use super::live::Listener;
use super::protocol::{Event, Given, JobId, PROTOCOL_VERSION, Request};
use crate::analysis::{AnalyzeError, Options};
use crate::audio::{DecodeError, SampleReader, Sound};
use crate::model::EmotionModel;

/// Audio that came beside a request.
pub enum Audio {
    /// None came.
    None,
    /// A file, to be decoded as it is needed, or why it cannot be.
    File(Result<Box<dyn Sound>, DecodeError>),
    /// Mono samples, full scale ±1.
    Samples(Vec<f32>),
}

/// What is to be done after a request has been heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: wait for another.
    Wait,
    /// Fetch the model from this address and hand it to
    /// [`Session::model_arrived`].
    Fetch(String),
    /// Call [`Session::work`] until it says that there is no more, and hear
    /// requests in between.
    Work,
}

/// One worker's life, from [`Session::hello`] to its end.
#[derive(Default)]
pub struct Session {
    model: Option<EmotionModel>,
    job: Option<Job>,
    paused: bool,
}

impl Session {
    /// What a worker says first.
    pub fn hello() -> Event {
        Event::Hello {
            protocol: PROTOCOL_VERSION,
        }
    }

    /// Takes a request and tells every event that answers it at once.
    pub fn receive(&mut self, request: Request, audio: Audio, tell: &mut dyn FnMut(Event)) -> Next {
        match request {
            Request::Start {
                protocol,
                model_url,
            } => {
                if protocol == PROTOCOL_VERSION {
                    return Next::Fetch(model_url);
                }
                tell(Event::LoadFailed {
                    error: version_mismatch(protocol, PROTOCOL_VERSION),
                });
            }
            Request::Begin { job, sound, work } => {
                self.break_off(tell);
                let model = self.model.as_ref().ok_or_else(no_model);
                let begun =
                    model.and_then(|model| Job::new(job, open(&sound, audio)?, work, model));
                match begun {
                    Ok(begun) => {
                        self.job = Some(begun);
                        tell(Event::Progress { job, fraction: 0.0 });
                        return Next::Work;
                    }
                    Err(error) => tell(Event::Failed { job, error }),
                }
            }
            Request::Cancel { job } => {
                if self.has(job) {
                    self.break_off(tell);
                }
            }
            Request::Pause { job } => self.paused |= self.has(job),
            Request::Resume { job } => {
                if self.has(job) && std::mem::take(&mut self.paused) {
                    return Next::Work;
                }
            }
            // These concern the line from the microphone, which is not of
            // this world; see `Session::listener`.
            Request::Listen { .. } | Request::Smooth { .. } => {}
        }
        Next::Wait
    }

    fn has(&self, job: JobId) -> bool {
        self.job.as_ref().is_some_and(|current| current.id() == job)
    }

    fn break_off(&mut self, tell: &mut dyn FnMut(Event)) {
        self.paused = false;
        if let Some(job) = self.job.take() {
            tell(Event::Failed {
                job: job.id(),
                error: AnalyzeError::Cancelled,
            });
        }
    }

    /// Works on the job for a moment and tells what came of it. Returns
    /// whether there is more to do; a paused job has none.
    pub fn work(&mut self, tell: &mut dyn FnMut(Event)) -> bool {
        if self.paused {
            return false;
        }
        let Some(job) = self.job.take() else {
            return false;
        };
        let id = job.id();
        match job.step(tell) {
            Ok(Step::More(job)) => {
                self.job = Some(*job);
                return true;
            }
            Ok(Step::Done(answer)) => tell(answer),
            Err(error) => tell(Event::Failed { job: id, error }),
        }
        false
    }

    /// What follows a voice of this rate with the model that is loaded.
    ///
    /// # Errors
    /// [`AnalyzeError::Model`] before there is one; else as [`Listener::new`].
    pub fn listener(
        &self,
        sample_rate_hz: u32,
        options: Options,
        smoothing_s: f64,
    ) -> Result<Listener, AnalyzeError> {
        let model = self.model.as_ref().ok_or_else(no_model)?;
        Listener::new(model, sample_rate_hz, options, smoothing_s)
    }

    /// Takes the model file, or the reason why it could not be had.
    pub fn model_arrived(&mut self, bytes: Result<Vec<u8>, String>, tell: &mut dyn FnMut(Event)) {
        let model =
            bytes.and_then(|bytes| EmotionModel::load(&bytes).map_err(|error| error.to_string()));
        tell(match model {
            Ok(model) => {
                let name = model.header().name.clone();
                self.model = Some(model);
                Event::Ready { model: name }
            }
            Err(reason) => Event::LoadFailed {
                error: AnalyzeError::Model { reason },
            },
        });
    }
}

/// A reader of what came.
fn open(sound: &Given, audio: Audio) -> Result<Box<dyn Sound>, AnalyzeError> {
    match (sound, audio) {
        (Given::File { .. }, Audio::File(file)) => Ok(file?),
        (Given::Samples { sample_rate_hz }, Audio::Samples(samples)) => {
            Ok(Box::new(SampleReader::new(samples, *sample_rate_hz)?))
        }
        _ => Err(wrong_audio()),
    }
}

/// Why page and worker do not understand each other.
pub fn version_mismatch(page: u32, worker: u32) -> AnalyzeError {
    AnalyzeError::Model {
        reason: format!("the page speaks protocol {page} and the worker {worker}; reload the page"),
    }
}

fn no_model() -> AnalyzeError {
    AnalyzeError::Model {
        reason: "no model has been loaded yet".to_owned(),
    }
}

fn wrong_audio() -> AnalyzeError {
    AnalyzeError::Internal {
        reason: "the request came without its audio".to_owned(),
    }
}

#[cfg(test)]
mod tests;
