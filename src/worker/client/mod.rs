//! The page's end of the line: starts the worker, queues one job, notices
//! when the worker dies and starts another.

mod cleaning;
mod following;
mod jobs;
mod line;

pub use cleaning::CleanUpdate;
pub use jobs::Sound;

use super::protocol::{Event, JobId, PROTOCOL_VERSION, Partial, Request};
use super::session::version_mismatch;
use crate::analysis::live::Moment;
use crate::analysis::{Analysis, AnalyzeError};
use crate::model::shipped;
use gloo::timers::callback::Timeout;
use jobs::Job;
use line::Line;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;

/// An engine that shows no progress for this long will never be ready,
/// milliseconds.
const DEADLINE_MS: u32 = 30_000;

/// How often a worker that died is replaced without asking.
const N_RESTARTS: u32 = 1;

/// What the engine is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineState {
    /// The worker's program is on its way.
    Starting,
    /// The model is.
    Loading {
        /// How much has arrived, `0..=1`, where it is known.
        fraction: Option<f32>,
    },
    /// It takes work.
    Ready,
    /// It will not, until [`Client::restart`].
    Failed {
        /// Why, for those who want to know.
        reason: String,
    },
}

/// What the client tells the page.
#[derive(Clone, Debug)]
pub enum Update {
    /// The engine's state changed.
    Engine(EngineState),
    /// The model of this name answers from now on.
    Model(String),
    /// The model of this name could not be loaded; the one before stays.
    ModelRefused(String),
    /// How far the job is, `0..=1`.
    Progress(f32),
    /// What is to be said of the voice that is followed.
    Moment(Moment),
    /// The voice is not followed any longer.
    Deaf(AnalyzeError),
    /// What the job has found since it last said so.
    Partial(Box<Partial>),
    /// The job's answer.
    Done(Box<Analysis>),
    /// The job has none.
    Failed(AnalyzeError),
    /// What has become of a sound that is being cleaned.
    Clean(CleanUpdate),
}

/// A model's file in the browser's keeping, once it has been fetched.
#[derive(Clone, Debug)]
pub struct ModelFile {
    name: String,
    file: Blob,
}

/// A handle on the engine. Clones share it.
#[derive(Clone)]
pub struct Client(Rc<RefCell<Inner>>);

struct Inner {
    tell: Rc<dyn Fn(Update)>,
    worker: Option<Line>,
    state: EngineState,
    /// Name of the model that answers, or will.
    model: String,
    /// The file of the last model that was ready: a worker that takes
    /// another's place need not fetch it again.
    model_file: Option<ModelFile>,
    /// Name of the model that is to take its place.
    next_model: Option<String>,
    n_restarts_left: u32,
    last_job: JobId,
    /// The one job there may be.
    job: Option<Job>,
    /// Whether the job is held.
    paused: bool,
    /// The voice that is followed, if one is.
    live: Option<JobId>,
    deadline: Option<Timeout>,
    /// The job that is being broken off, and how long that may take.
    cancelling: Option<(JobId, Timeout)>,
}

impl Client {
    /// Starts the engine with a model of [`shipped::NAMES`]. `tell` hears
    /// everything that happens to it.
    pub fn start(model: &str, tell: impl Fn(Update) + 'static) -> Client {
        let client = Client::idle(model, tell);
        client.spawn();
        client
    }

    /// Starts an engine with a model that another has fetched.
    pub fn start_with(model: ModelFile, tell: impl Fn(Update) + 'static) -> Client {
        let client = Client::idle(&model.name, tell);
        client.0.borrow_mut().model_file = Some(model);
        client.spawn();
        client
    }

    fn idle(model: &str, tell: impl Fn(Update) + 'static) -> Client {
        Client(Rc::new(RefCell::new(Inner {
            tell: Rc::new(tell),
            worker: None,
            state: EngineState::Starting,
            model: model.to_owned(),
            model_file: None,
            next_model: None,
            n_restarts_left: N_RESTARTS,
            last_job: JobId(0),
            job: None,
            paused: false,
            live: None,
            deadline: None,
            cancelling: None,
        })))
    }

    /// The file of the model that answers, once it does.
    pub fn model_file(&self) -> Option<ModelFile> {
        let inner = self.0.borrow();
        let file = inner.model_file.clone();
        file.filter(|file| inner.state == EngineState::Ready && file.name == inner.model)
    }

    /// Ends the worker for good.
    pub fn end(&self) {
        let mut inner = self.0.borrow_mut();
        inner.job = None;
        inner.cancelling = None;
        inner.deadline = None;
        inner.worker = None;
    }

    /// Starts the engine anew after it failed.
    pub fn restart(&self) {
        self.0.borrow_mut().n_restarts_left = N_RESTARTS;
        self.spawn();
    }

    /// Has another model of [`shipped::NAMES`] answer. The one before does
    /// until it is loaded, and goes on if it cannot be.
    pub fn use_model(&self, name: &str) {
        let ready = {
            let mut inner = self.0.borrow_mut();
            let ready = inner.state == EngineState::Ready;
            if ready {
                inner.next_model = Some(name.to_owned());
            } else {
                inner.model = name.to_owned();
                inner.next_model = None;
                inner.n_restarts_left = N_RESTARTS;
            }
            ready
        };
        if ready {
            self.load(name);
        } else {
            self.spawn();
        }
    }

    /// Asks the worker for a model.
    fn load(&self, name: &str) {
        self.enter(EngineState::Loading { fraction: None });
        let kept = self.0.borrow().model_file.clone();
        let kept = kept.filter(|kept| kept.name == name);
        self.post(
            &Request::Start {
                protocol: PROTOCOL_VERSION,
                // Relative to the worker's script.
                model_url: shipped::file(name),
            },
            kept.as_ref().map(|kept| kept.file.as_ref()),
        );
    }

    /// The model that was to take the other's place is given up, if there was
    /// one.
    fn refuse_model(&self) -> bool {
        let refused = self.0.borrow_mut().next_model.take();
        let Some(name) = refused else {
            return false;
        };
        self.tell(Update::ModelRefused(name));
        self.enter(EngineState::Ready);
        self.send_waiting_job();
        true
    }

    fn spawn(&self) {
        {
            let mut inner = self.0.borrow_mut();
            inner.worker = None;
            inner.live = None;
            inner.next_model = None;
            inner.cancelling = None;
        }
        self.enter(EngineState::Starting);
        match self.open_line() {
            Ok(line) => self.0.borrow_mut().worker = Some(line),
            Err(thrown) => self.fail(&format!("{thrown:?}")),
        }
    }

    /// Hears an event and what came beside it.
    fn hear(&self, event: Event, beside: JsValue) {
        match event {
            Event::Hello { protocol } if protocol == PROTOCOL_VERSION => {
                let model = self.0.borrow().model.clone();
                self.load(&model);
            }
            Event::Hello { protocol } => {
                self.fail(&version_mismatch(PROTOCOL_VERSION, protocol).to_string());
            }
            Event::Loading {
                loaded_bytes,
                total_bytes,
            } => {
                let fraction = total_bytes.map(|total| loaded_bytes as f32 / total.max(1) as f32);
                self.enter(EngineState::Loading { fraction });
            }
            Event::Ready { model } => {
                {
                    let mut inner = self.0.borrow_mut();
                    inner.next_model = None;
                    inner.model = model.clone();
                    inner.model_file = beside.dyn_into().ok().map(|file| ModelFile {
                        name: model.clone(),
                        file,
                    });
                }
                self.tell(Update::Model(model));
                self.enter(EngineState::Ready);
                self.send_waiting_job();
            }
            Event::LoadFailed { error } => {
                if !self.refuse_model() {
                    self.fail(&error.to_string());
                }
            }
            Event::Progress { job, fraction } => {
                let update = {
                    let inner = self.0.borrow();
                    let current = inner.job.as_ref().filter(|j| j.id == job);
                    current.map(|job| job.progress(fraction))
                };
                if let Some(update) = update {
                    self.tell(update);
                }
            }
            Event::Moment { job, moment } => {
                if self.0.borrow().live == Some(job) {
                    self.tell(Update::Moment(moment));
                }
            }
            Event::Failed { job, error } if self.0.borrow().live == Some(job) => {
                self.let_go();
                self.tell(Update::Deaf(error));
            }
            Event::Partial { job, partial } => {
                if self.is_current(job) {
                    self.tell(Update::Partial(partial));
                }
            }
            Event::Cleaned { job, last, .. } => self.collect(job, beside, last),
            Event::Done { job, analysis } => self.finish(job, |_| Update::Done(analysis)),
            Event::Failed { job, error } => {
                if !self.try_browser(job, &error) {
                    self.finish(job, |job| job.failed(error));
                }
            }
        }
    }

    /// The worker is gone: its job with it. Another is started once.
    fn die(&self, reason: &str) {
        let (again, lost) = {
            let mut inner = self.0.borrow_mut();
            let again = inner.n_restarts_left > 0;
            inner.n_restarts_left = inner.n_restarts_left.saturating_sub(1);
            // A job whose sound was not handed over yet can still be done.
            let lost = inner.job.take_if(|job| job.sound.is_none());
            (again, lost)
        };
        if let Some(job) = lost {
            self.tell(job.failed(AnalyzeError::Internal {
                reason: reason.to_owned(),
            }));
        }
        if again {
            self.spawn();
        } else {
            self.fail(reason);
        }
    }

    fn fail(&self, reason: &str) {
        let job = {
            let mut inner = self.0.borrow_mut();
            inner.worker = None;
            inner.job.take()
        };
        self.enter(EngineState::Failed {
            reason: reason.to_owned(),
        });
        if let Some(job) = job {
            self.tell(job.failed(AnalyzeError::Model {
                reason: reason.to_owned(),
            }));
        }
    }

    /// Changes state; while the engine is on its way the deadline starts anew.
    fn enter(&self, state: EngineState) {
        let on_its_way = matches!(state, EngineState::Starting | EngineState::Loading { .. });
        let deadline = on_its_way.then(|| {
            let client = self.clone();
            Timeout::new(DEADLINE_MS, move || {
                if !client.refuse_model() {
                    client.fail("the engine did not start in time");
                }
            })
        });
        {
            let mut inner = self.0.borrow_mut();
            inner.deadline = deadline;
            inner.state = state.clone();
        }
        self.tell(Update::Engine(state));
    }

    fn tell(&self, update: Update) {
        let tell = self.0.borrow().tell.clone();
        tell(update);
    }
}
