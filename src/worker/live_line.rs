//! The line from the microphone's thread to the worker, past the page.

use super::live::Listener;
use super::protocol::{Event, JobId, Request};
use super::session::Session;
use crate::analysis::AnalyzeError;
use gloo::timers::callback::Timeout;
use js_sys::Float32Array;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

/// Does what a request about the line asks; every other request is given back.
pub fn receive(
    line: &mut Option<LiveLine>,
    session: &Session,
    request: Request,
    port: Option<MessagePort>,
    tell: impl Fn(Event) + Clone + 'static,
) -> Option<Request> {
    match request {
        Request::Listen {
            job,
            sample_rate_hz,
            options,
            smoothing_s,
        } => {
            *line = None;
            let listener = session.listener(sample_rate_hz, options, smoothing_s);
            match (listener, port) {
                (Ok(listener), Some(port)) => {
                    *line = Some(LiveLine::open(port, listener, job, tell));
                }
                (Err(error), _) => tell(Event::Failed { job, error }),
                (Ok(_), None) => tell(Event::Failed {
                    job,
                    error: AnalyzeError::Internal {
                        reason: "the request came without its port".to_owned(),
                    },
                }),
            }
            None
        }
        Request::Smooth { smoothing_s } => {
            if let Some(line) = line {
                line.smooth_over(smoothing_s);
            }
            None
        }
        other => Some(other),
    }
}

/// Listens until it is dropped, the microphone ends, or the engine fails.
pub struct LiveLine {
    ear: Rc<RefCell<Ear>>,
    port: MessagePort,
    _on_block: Closure<dyn FnMut(MessageEvent)>,
}

struct Ear {
    /// Absent once it is over.
    listener: Option<Listener>,
    /// The question to be asked when the blocks that have come are all heard:
    /// a slow device asks less often instead of falling behind.
    question: Option<Timeout>,
}

impl LiveLine {
    /// Hears the blocks of `port`; `tell` hears every moment, or why there are
    /// no more.
    pub fn open(
        port: MessagePort,
        listener: Listener,
        job: JobId,
        tell: impl Fn(Event) + Clone + 'static,
    ) -> LiveLine {
        let ear = Rc::new(RefCell::new(Ear {
            listener: Some(listener),
            question: None,
        }));
        let on_block = {
            let ear = ear.clone();
            Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
                let data = message.data();
                match (data.as_f64(), data.dyn_into::<Float32Array>()) {
                    (Some(n_samples), _) => Ear::begin_at(&ear, n_samples),
                    (None, block) => Ear::hear(&ear, block.ok(), job, tell.clone()),
                }
            })
        };
        // Setting the ear also starts the port.
        port.set_onmessage(Some(on_block.as_ref().unchecked_ref()));
        LiveLine {
            ear,
            port,
            _on_block: on_block,
        }
    }

    /// Changes the time constant of what is shown, seconds.
    pub fn smooth_over(&self, smoothing_s: f64) {
        if let Some(listener) = &mut self.ear.borrow_mut().listener {
            listener.smooth_over(smoothing_s);
        }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
        self.ear.borrow_mut().question = None;
    }
}

impl Ear {
    /// Hears how much was recorded before.
    fn begin_at(this: &RefCell<Ear>, n_samples: f64) {
        if let Some(listener) = &mut this.borrow_mut().listener {
            listener.begin_at(n_samples);
        }
    }

    /// Takes a block, or hears that it was the last.
    fn hear(
        this: &Rc<RefCell<Ear>>,
        block: Option<Float32Array>,
        job: JobId,
        tell: impl Fn(Event) + 'static,
    ) {
        let mut ear = this.borrow_mut();
        let Some(listener) = &mut ear.listener else {
            return;
        };
        let Some(block) = block else {
            ear.listener = None;
            return;
        };
        if let Err(error) = listener.hear(&block.to_vec()) {
            ear.listener = None;
            tell(Event::Failed { job, error });
        } else if ear.question.is_none() {
            let this = this.clone();
            ear.question = Some(Timeout::new(0, move || {
                if let Some(event) = this.borrow_mut().ask(job) {
                    tell(event);
                }
            }));
        }
    }

    fn ask(&mut self, job: JobId) -> Option<Event> {
        self.question = None;
        let answer: Result<_, AnalyzeError> = self.listener.as_mut()?.moment();
        match answer {
            Ok(moment) => moment.map(|moment| Event::Moment { job, moment }),
            Err(error) => {
                self.listener = None;
                Some(Event::Failed { job, error })
            }
        }
    }
}
