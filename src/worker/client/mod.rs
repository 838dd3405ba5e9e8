//! The page's end of the line: starts the worker, queues one job, notices
//! when the worker dies and starts another.

mod cleaning;

pub use cleaning::CleanUpdate;

use super::protocol::{Event, Given, JobId, PROTOCOL_VERSION, Partial, Request, Work};
use super::session::version_mismatch;
use crate::analysis::live::Moment;
use crate::analysis::{Analysis, AnalyzeError, Options};
use crate::model::shipped;
use crate::web::{Buffer, Feed, SoundFile, decode, wav};
use crate::wire;
use gloo::timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// The worker's first script, relative to the page.
const WORKER_URL: &str = "worker-loader.js";

/// An engine that shows no progress for this long will never be ready,
/// milliseconds.
const DEADLINE_MS: u32 = 30_000;

/// A worker that was asked to break a job off and has not done so after this
/// long hangs, milliseconds; it listens every few tenths of a second.
const CANCEL_DEADLINE_MS: u32 = 8_000;

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

/// What is under way.
struct Job {
    id: JobId,
    work: Work,
    /// Its sound, until that is handed over.
    sound: Option<Sound>,
    /// The file, until the browser's own decoder has been asked about it.
    file: Option<SoundFile>,
    /// What has come of a sound that is being cleaned.
    parts: wav::Parts,
}

/// A worker and the ears on it, which must live as long.
struct Line {
    worker: Worker,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
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

    /// Has a sound analysed, as soon as the engine is ready. A job under way
    /// is broken off.
    pub fn analyze(&self, sound: Sound, options: Options) {
        self.begin(sound, Work::Analyze { options });
    }

    fn begin(&self, sound: Sound, work: Work) {
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

    /// Has a voice followed; says nothing if the engine is not ready. A voice
    /// followed before is let go.
    pub fn listen(&self, feed: &Feed, options: Options, smoothing_s: f64) {
        let job = {
            let mut inner = self.0.borrow_mut();
            if inner.state != EngineState::Ready {
                return;
            }
            inner.last_job.0 += 1;
            inner.live = Some(inner.last_job);
            inner.last_job
        };
        let request = Request::Listen {
            job,
            sample_rate_hz: feed.sample_rate_hz,
            options,
            smoothing_s,
        };
        self.post(&request, Some(feed.as_js()));
    }

    /// Changes the time constant of what is shown of the voice, seconds.
    pub fn smooth_over(&self, smoothing_s: f64) {
        if self.0.borrow().live.is_some() {
            self.post(&Request::Smooth { smoothing_s }, None);
        }
    }

    /// Hears no more of the voice that is followed.
    pub fn let_go(&self) {
        self.0.borrow_mut().live = None;
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

    fn open_line(&self) -> Result<Line, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(WORKER_URL, &options)?;
        let client = self.clone();
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            let parts: Array = message.data().unchecked_into();
            let event = parts.get(0).dyn_into::<Uint8Array>();
            let event = event.map(|bytes| wire::from_bytes::<Event>(&bytes.to_vec()));
            match event {
                Ok(Some(event)) => client.hear(event, parts.get(1)),
                _ => client.fail("the worker speaks another language; reload the page"),
            }
        });
        let client = self.clone();
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |error: ErrorEvent| {
            error.prevent_default();
            // A script that cannot be had fires an event without a message.
            let message = js_sys::Reflect::get(&error, &"message".into())
                .ok()
                .and_then(|message| message.as_string())
                .unwrap_or_else(|| "its program could not be loaded".to_owned());
            client.die(&message);
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Line {
            worker,
            _on_message: on_message,
            _on_error: on_error,
        })
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

    fn is_current(&self, job: JobId) -> bool {
        self.0.borrow().job.as_ref().is_some_and(|j| j.id == job)
    }

    /// Has the browser decode what the engine cannot read, once a file.
    fn try_browser(&self, id: JobId, error: &AnalyzeError) -> bool {
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
    fn finish(&self, id: JobId, answer: impl FnOnce(Job) -> Update) {
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

    fn send_waiting_job(&self) {
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

    /// Sends `[request as bytes, file, buffer or port?]`; all but a file is handed
    /// over.
    fn post(&self, request: &Request, beside: Option<&JsValue>) {
        let message = Array::of1(&Uint8Array::from(&wire::to_bytes(request)[..]));
        let handed_over = Array::new();
        if let Some(beside) = beside {
            message.push(beside);
            if !beside.is_instance_of::<web_sys::Blob>() {
                handed_over.push(beside);
            }
        }
        let sent = match &self.0.borrow().worker {
            Some(line) => line
                .worker
                .post_message_with_transfer(&message, &handed_over),
            None => Err("there is no worker".into()),
        };
        if let Err(thrown) = sent {
            self.die(&format!("{thrown:?}"));
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
