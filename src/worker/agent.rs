//! The worker's end of the line: hears the page, fetches the model, answers.

use super::live_line;
use super::protocol::{Event, Request};
use super::session::{Audio, Session};
use js_sys::{Array, ArrayBuffer, Float32Array, Reflect, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, MessagePort, Response};

/// Runs the worker until the page ends it.
pub fn run() {
    console_error_panic_hook::set_once();
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let session = Rc::new(RefCell::new(Session::default()));
    let mut line = None;
    let heard = {
        let scope = scope.clone();
        Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            let Some((request, audio)) = read(&message) else {
                web_sys::console::error_1(&"the page sent what is no request".into());
                return;
            };
            let port = message
                .data()
                .dyn_into::<Array>()
                .ok()
                .and_then(|parts| parts.get(1).dyn_into::<MessagePort>().ok());
            let live_scope = scope.clone();
            let tell_live = move |event: Event| post(&live_scope, &event);
            let Some(request) =
                live_line::receive(&mut line, &session.borrow(), request, port, tell_live)
            else {
                return;
            };
            let tell = teller(&scope);
            let model_url = session
                .borrow_mut()
                .receive(request, audio, &mut *tell.borrow_mut());
            if let Some(url) = model_url {
                let (scope, session) = (scope.clone(), session.clone());
                wasm_bindgen_futures::spawn_local(async move {
                    let bytes = fetch(&scope, &url).await.map_err(|thrown| words(&thrown));
                    let tell = teller(&scope);
                    session
                        .borrow_mut()
                        .model_arrived(bytes, &mut *tell.borrow_mut());
                });
            }
        })
    };
    scope.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    // The worker lives until it is ended, and its ear with it.
    heard.forget();
    post(&scope, &Session::hello());
}

fn teller(scope: &DedicatedWorkerGlobalScope) -> RefCell<impl FnMut(Event) + use<>> {
    let scope = scope.clone();
    RefCell::new(move |event| post(&scope, &event))
}

/// A message is `[request as JSON, buffer?]`.
fn read(message: &MessageEvent) -> Option<(Request, Audio)> {
    let parts = message.data().dyn_into::<Array>().ok()?;
    let request: Request = serde_json::from_str(&parts.get(0).as_string()?).ok()?;
    let buffer = parts.get(1).dyn_into::<ArrayBuffer>().ok();
    let audio = match (&request, buffer) {
        (Request::AnalyzeFile { .. }, Some(buffer)) => {
            Audio::File(Uint8Array::new(&buffer).to_vec())
        }
        (Request::AnalyzeSamples { .. }, Some(buffer)) => {
            Audio::Samples(Float32Array::new(&buffer).to_vec())
        }
        _ => Audio::None,
    };
    Some((request, audio))
}

fn post(scope: &DedicatedWorkerGlobalScope, event: &Event) {
    let json = serde_json::to_string(event).expect("events are plain data");
    if let Err(thrown) = scope.post_message(&JsValue::from_str(&json)) {
        web_sys::console::error_1(&thrown);
    }
}

/// Fetches a file piece by piece and tells how much has arrived.
async fn fetch(scope: &DedicatedWorkerGlobalScope, url: &str) -> Result<Vec<u8>, JsValue> {
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
    let Some(body) = response.body() else {
        return Ok(bytes);
    };
    let reader: web_sys::ReadableStreamDefaultReader = body.get_reader().dyn_into()?;
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(bytes);
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
