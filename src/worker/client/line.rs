//! The wire to a worker: opened, listened on, written to.

use super::Client;
use crate::wire;
use crate::worker::protocol::{Event, Request};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// The worker's first script, relative to the page.
const WORKER_URL: &str = "worker-loader.js";

/// A worker and the ears on it, which must live as long.
pub(super) struct Line {
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
    pub(super) fn open_line(&self) -> Result<Line, JsValue> {
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

    /// Sends `[request as bytes, file, buffer or port?]`; all but a file is handed
    /// over.
    pub(super) fn post(&self, request: &Request, beside: Option<&JsValue>) {
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
}
