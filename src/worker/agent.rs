//! The worker's end of the line: hears the page, fetches the model, answers.

use super::live_line::{self, LiveLine};
use super::protocol::{Event, Given, Request};
use super::session::{Audio, Next, Session};
use crate::audio::DecodeError;
use crate::web::ForeignDecoder;
use crate::wire;
use js_sys::{Array, ArrayBuffer, Float32Array, Int16Array, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort, Response,
};

/// Runs the worker until the page ends it.
///
/// # Errors
/// What the browser throws if it has no message channels.
pub fn run() -> Result<(), JsValue> {
    console_error_panic_hook::set_once();
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let agent = Rc::new(Agent {
        session: RefCell::default(),
        turns: MessageChannel::new()?,
        working: Cell::new(false),
        line: RefCell::new(None),
        decoder: RefCell::new(None),
        waiting: RefCell::new(None),
        scope: scope.clone(),
    });
    let heard = {
        let agent = agent.clone();
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| agent.hear(message))
    };
    let turn = {
        let agent = agent.clone();
        Closure::<dyn FnMut()>::new(move || agent.work())
    };
    scope.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    agent
        .turns
        .port1()
        .set_onmessage(Some(turn.as_ref().unchecked_ref()));
    // The worker lives until it is ended, and its ears with it.
    heard.forget();
    turn.forget();
    post(&scope, &Session::hello());
    Ok(())
}

/// The session and its place in the browser.
struct Agent {
    session: RefCell<Session>,
    /// Between two steps of work the worker writes to itself, and so hears
    /// what the page has sent meanwhile. A timer would wait 4 ms every time.
    turns: MessageChannel,
    /// Whether such a letter is under way.
    working: Cell<bool>,
    /// The line from the microphone, while a voice is followed.
    line: RefCell<Option<LiveLine>>,
    /// What decodes files, from the first one on.
    decoder: RefCell<Option<ForeignDecoder>>,
    /// While it is loaded: what the page has said since.
    waiting: RefCell<Option<Vec<MessageEvent>>>,
    scope: DedicatedWorkerGlobalScope,
}

impl Agent {
    fn hear(self: &Rc<Agent>, message: MessageEvent) {
        if let Some(waiting) = &mut *self.waiting.borrow_mut() {
            waiting.push(message);
            return;
        }
        let decodes = |d: &ForeignDecoder| !d.is_broken();
        if self.decoder.borrow().as_ref().is_some_and(decodes) || !brings_a_file(&message) {
            self.answer(&message, None);
            return;
        }
        *self.waiting.borrow_mut() = Some(Vec::new());
        let agent = self.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let loaded = ForeignDecoder::load().await;
            // A later file tries again.
            let fault = loaded.map(|d| agent.decoder.replace(Some(d))).err();
            let waiting = agent.waiting.take().unwrap_or_default();
            agent.answer(&message, fault);
            for message in waiting {
                agent.hear(message);
            }
        });
    }

    /// Answers a message; `fault` says why nothing can decode.
    fn answer(self: &Rc<Agent>, message: &MessageEvent, fault: Option<DecodeError>) {
        let Some((request, audio)) = read(message, self.decoder.borrow().as_ref(), fault) else {
            web_sys::console::error_1(&"the page sent what is no request".into());
            return;
        };
        let Some(request) = self.receive_live(request, message) else {
            return;
        };
        let next = self
            .session
            .borrow_mut()
            .receive(request, audio, &mut |event| post(&self.scope, &event));
        match next {
            Next::Wait => {}
            Next::Work => self.take_turn(),
            Next::Fetch(url) => {
                let agent = self.clone();
                let file = beside(message).dyn_into::<Blob>().ok();
                wasm_bindgen_futures::spawn_local(async move {
                    let arrived = match file {
                        Some(file) => unpack(&file).await.map(|bytes| (bytes, file)),
                        None => fetch(&agent.scope, &url).await,
                    };
                    agent.model_arrived(arrived);
                });
            }
        }
    }

    /// The model's file goes back to the page, which gives it to other workers.
    fn model_arrived(&self, arrived: Result<(Vec<u8>, Blob), JsValue>) {
        let (bytes, file) = match arrived {
            Ok((bytes, file)) => (Ok(bytes), Some(file)),
            Err(thrown) => (Err(words(&thrown)), None),
        };
        self.session
            .borrow_mut()
            .model_arrived(bytes, &mut |event| match (&event, &file) {
                (Event::Ready { .. }, Some(file)) => post_beside(&self.scope, &event, Some(file)),
                _ => post(&self.scope, &event),
            });
    }

    /// Gives back what does not concern the line from the microphone.
    fn receive_live(&self, request: Request, message: &MessageEvent) -> Option<Request> {
        let port = beside(message).dyn_into::<MessagePort>().ok();
        let scope = self.scope.clone();
        live_line::receive(
            &mut self.line.borrow_mut(),
            &self.session.borrow(),
            request,
            port,
            move |event: Event| post(&scope, &event),
        )
    }

    fn take_turn(&self) {
        if self.working.replace(true) {
            return;
        }
        if let Err(thrown) = self.turns.port2().post_message(&JsValue::UNDEFINED) {
            web_sys::console::error_1(&thrown);
        }
    }

    fn work(&self) {
        self.working.set(false);
        let more = self
            .session
            .borrow_mut()
            .work(&mut |event| post(&self.scope, &event));
        if more {
            self.take_turn();
        }
    }
}

/// A message is `[request as bytes, file, buffer or port?]`.
fn read(
    message: &MessageEvent,
    decoder: Option<&ForeignDecoder>,
    fault: Option<DecodeError>,
) -> Option<(Request, Audio)> {
    let request = request(message)?;
    let beside = beside(message);
    // What did not come as it should is not there, and the answer says so.
    let audio = match &request {
        Request::Begin {
            sound: Given::File { name },
            ..
        } => match (fault, decoder, beside.dyn_into::<Blob>()) {
            (Some(fault), ..) => Audio::File(Err(fault)),
            (None, Some(decoder), Ok(file)) => Audio::File(decoder.open(&file, name)),
            _ => Audio::None,
        },
        Request::Begin {
            sound: Given::Samples { .. },
            ..
        } => beside
            .dyn_into::<ArrayBuffer>()
            .map_or(Audio::None, |buffer| {
                Audio::Samples(Float32Array::new(&buffer).to_vec())
            }),
        _ => Audio::None,
    };
    Some((request, audio))
}

fn request(message: &MessageEvent) -> Option<Request> {
    let parts = message.data().dyn_into::<Array>().ok()?;
    let bytes = parts.get(0).dyn_into::<Uint8Array>().ok()?;
    wire::from_bytes(&bytes.to_vec())
}

fn brings_a_file(message: &MessageEvent) -> bool {
    matches!(
        request(message),
        Some(Request::Begin {
            sound: Given::File { .. },
            ..
        })
    )
}

/// What came beside a request; undefined where nothing did.
fn beside(message: &MessageEvent) -> JsValue {
    message
        .data()
        .dyn_into::<Array>()
        .map_or(JsValue::UNDEFINED, |parts| parts.get(1))
}

fn post(scope: &DedicatedWorkerGlobalScope, event: &Event) {
    match event {
        Event::Cleaned { samples, .. } => {
            let buffer = Int16Array::from(&samples[..]).buffer();
            post_beside(scope, event, Some(&buffer));
        }
        _ => post_beside(scope, event, None),
    }
}

/// Sends `[event as bytes, file or buffer?]`; a buffer is handed over.
fn post_beside(scope: &DedicatedWorkerGlobalScope, event: &Event, beside: Option<&JsValue>) {
    let message = Array::of1(&Uint8Array::from(&wire::to_bytes(event)[..]));
    let handed_over = Array::new();
    if let Some(beside) = beside {
        message.push(beside);
        if beside.is_instance_of::<ArrayBuffer>() {
            handed_over.push(beside);
        }
    }
    if let Err(thrown) = scope.post_message_with_transfer(&message, &handed_over) {
        web_sys::console::error_1(&thrown);
    }
}

async fn unpack(file: &Blob) -> Result<Vec<u8>, JsValue> {
    let bytes = JsFuture::from(file.array_buffer()).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}

/// Fetches a file piece by piece and tells how much has arrived.
async fn fetch(scope: &DedicatedWorkerGlobalScope, url: &str) -> Result<(Vec<u8>, Blob), JsValue> {
    let response: Response = JsFuture::from(scope.fetch_with_str(url))
        .await?
        .dyn_into()?;
    if !response.ok() {
        return Err(format!("the server answered {} for {url}", response.status()).into());
    }
    let total_bytes = response
        .headers()
        .get("content-length")?
        .and_then(|length| length.parse().ok());
    let mut bytes = Vec::new();
    let body = response.body().ok_or("the answer is empty")?;
    let reader: web_sys::ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            let parts = Array::of1(&Uint8Array::from(&bytes[..]));
            let file = Blob::new_with_u8_array_sequence(&parts)?;
            return Ok((bytes, file));
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into())?.dyn_into()?;
        let filled = bytes.len();
        bytes.resize(filled + piece.length() as usize, 0);
        piece.copy_to(&mut bytes[filled..]);
        let loaded_bytes = bytes.len() as u64;
        post(
            scope,
            &Event::Loading {
                loaded_bytes,
                // A compressed answer states its length on the wire, which
                // says nothing of what arrives.
                total_bytes: total_bytes.filter(|total| *total >= loaded_bytes),
            },
        );
    }
}

fn words(thrown: &JsValue) -> String {
    thrown
        .as_string()
        .or_else(|| Reflect::get(thrown, &"message".into()).ok()?.as_string())
        .unwrap_or_else(|| format!("{thrown:?}"))
}
