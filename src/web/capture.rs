//! The microphone, as it is: no echo cancellation, no noise suppression, no
//! automatic gain, at the device's own rate.

use super::reason;
use gloo::timers::future::TimeoutFuture;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AudioContext, AudioWorkletNode, MediaStream, MediaStreamTrack, MessageEvent};

/// A recording ends by itself after this long, seconds; its samples lie in
/// the page's memory, some 12 MB a minute.
pub const MAXIMUM_S: f64 = 900.0;

/// Lowest level told, decibels relative to full scale.
pub const FLOOR_DBFS: f32 = -60.0;

/// How long the last samples may take to arrive, milliseconds.
const LAST_SAMPLES_MS: u32 = 400;

/// Why there is no recording.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CaptureError {
    /// The person or a policy said no.
    #[error("the microphone was denied")]
    Denied,
    /// There is none.
    #[error("no microphone was found")]
    Missing,
    /// There is one, and it does not work: another program holds it, or it
    /// was unplugged.
    #[error("the microphone cannot be used: {reason}")]
    Busy {
        /// The browser's word.
        reason: String,
    },
    /// Every sample was zero: muted by a switch or by the system.
    #[error("the microphone gave nothing but zeros")]
    Silent,
    /// The browser cannot record, or not on a page without a secure address.
    #[error("this browser cannot record here: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
    },
}

/// Mono samples at the device's rate, full scale ±1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The samples.
    pub samples: Vec<f32>,
    /// Their rate, hertz.
    pub sample_rate_hz: u32,
}

/// What a running recorder tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CaptureEvent {
    /// The latest block has this level, and so much has been recorded.
    Heard {
        /// Root mean square, decibels relative to full scale,
        /// [`FLOOR_DBFS`]`..=0`.
        level_dbfs: f32,
        /// Length so far, seconds.
        elapsed_s: f64,
    },
    /// Time is up or the microphone is gone; stop now. Told once.
    Ended,
}

/// A recording under way. The microphone is released when it is stopped or
/// dropped.
pub struct Recorder {
    line: Line,
    node: AudioWorkletNode,
    samples: Rc<RefCell<Vec<f32>>>,
    finished: Rc<Cell<bool>>,
    _on_block: Closure<dyn FnMut(MessageEvent)>,
    _on_ended: Closure<dyn FnMut()>,
}

/// What must be released whatever happens: the microphone and the context.
struct Line {
    context: AudioContext,
    stream: Option<MediaStream>,
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            for track in stream.get_tracks() {
                track.unchecked_into::<MediaStreamTrack>().stop();
            }
        }
        // Closing a context that is closed already is no error to anyone.
        if let Ok(promise) = self.context.close() {
            wasm_bindgen_futures::spawn_local(async move {
                let _ = JsFuture::from(promise).await;
            });
        }
    }
}

impl Recorder {
    /// Asks for the microphone and starts. `tell` hears the level about
    /// twenty times a second.
    ///
    /// # Errors
    /// Every [`CaptureError`] but [`CaptureError::Silent`].
    pub async fn start(tell: impl Fn(CaptureEvent) + 'static) -> Result<Recorder, CaptureError> {
        let unsupported = |thrown: JsValue| CaptureError::Unsupported {
            reason: reason(&thrown),
        };
        // Created while the person's click is still fresh, or the browser
        // would keep it suspended.
        let mut line = Line {
            context: AudioContext::new().map_err(unsupported)?,
            stream: None,
        };
        let stream: &MediaStream = line.stream.insert(open_microphone().await?);
        // Missing on pages without a secure address.
        let worklet = line.context.audio_worklet().map_err(unsupported)?;
        let module = worklet
            .add_module("capture-worklet.js")
            .map_err(unsupported)?;
        JsFuture::from(module).await.map_err(unsupported)?;
        let node =
            AudioWorkletNode::new(&line.context, "undertone-capture").map_err(unsupported)?;
        let resumed = line.context.resume().map_err(unsupported)?;
        JsFuture::from(resumed).await.map_err(unsupported)?;

        let tell = Rc::new(tell);
        let samples: Rc<RefCell<Vec<f32>>> = Rc::default();
        let finished = Rc::new(Cell::new(false));
        let ended = {
            let (tell, told) = (tell.clone(), Cell::new(false));
            Rc::new(move || {
                if !told.replace(true) {
                    tell(CaptureEvent::Ended);
                }
            })
        };
        let on_block = {
            let (samples, finished, ended) = (samples.clone(), finished.clone(), ended.clone());
            let rate_hz = f64::from(line.context.sample_rate());
            Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
                let Ok(block) = message.data().dyn_into::<js_sys::Float32Array>() else {
                    finished.set(true);
                    return;
                };
                let block = block.to_vec();
                let elapsed_s = {
                    let mut samples = samples.borrow_mut();
                    samples.extend_from_slice(&block);
                    samples.len() as f64 / rate_hz
                };
                tell(CaptureEvent::Heard {
                    level_dbfs: level_dbfs(&block),
                    elapsed_s,
                });
                if elapsed_s >= MAXIMUM_S {
                    ended();
                }
            })
        };
        node.port()
            .map_err(unsupported)?
            .set_onmessage(Some(on_block.as_ref().unchecked_ref()));
        let on_ended = Closure::<dyn FnMut()>::new(move || ended());
        for track in stream.get_tracks() {
            track
                .unchecked_into::<MediaStreamTrack>()
                .set_onended(Some(on_ended.as_ref().unchecked_ref()));
        }
        // The node is not connected on to the loudspeaker; browsers run it
        // for its input's sake.
        line.context
            .create_media_stream_source(stream)
            .and_then(|source| source.connect_with_audio_node(&node))
            .map_err(unsupported)?;
        Ok(Recorder {
            line,
            node,
            samples,
            finished,
            _on_block: on_block,
            _on_ended: on_ended,
        })
    }

    /// Ends the recording and releases the microphone.
    ///
    /// # Errors
    /// [`CaptureError::Silent`].
    pub async fn stop(self) -> Result<Recording, CaptureError> {
        let asked = self
            .node
            .port()
            .and_then(|port| port.post_message(&JsValue::from_str("stop")));
        if asked.is_ok() {
            let mut waited_ms = 0;
            while !self.finished.get() && waited_ms < LAST_SAMPLES_MS {
                TimeoutFuture::new(10).await;
                waited_ms += 10;
            }
        }
        let samples = self.samples.take();
        if !samples.is_empty() && samples.iter().all(|s| *s == 0.0) {
            return Err(CaptureError::Silent);
        }
        Ok(Recording {
            samples,
            sample_rate_hz: self.line.context.sample_rate() as u32,
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The closures go with the recorder; nothing may call them after.
        if let Ok(port) = self.node.port() {
            port.set_onmessage(None);
        }
        if let Some(stream) = &self.line.stream {
            for track in stream.get_tracks() {
                track.unchecked_into::<MediaStreamTrack>().set_onended(None);
            }
        }
    }
}

/// Asks for a microphone without the browser's improvements, which change
/// what a voice reveals.
async fn open_microphone() -> Result<MediaStream, CaptureError> {
    let unsupported = |reason: &str| CaptureError::Unsupported {
        reason: reason.to_owned(),
    };
    let navigator = web_sys::window()
        .ok_or_else(|| unsupported("no window"))?
        .navigator();
    // Absent on pages without a secure address, which the binding cannot say.
    let devices = js_sys::Reflect::get(&navigator, &"mediaDevices".into())
        .ok()
        .and_then(|devices| devices.dyn_into::<web_sys::MediaDevices>().ok())
        .ok_or_else(|| unsupported("the page needs https or localhost"))?;
    let wishes = js_sys::Object::new();
    for wish in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&wishes, &wish.into(), &JsValue::FALSE);
    }
    let constraints = web_sys::MediaStreamConstraints::new();
    constraints.set_audio(&wishes);
    let promise = devices
        .get_user_media_with_constraints(&constraints)
        .map_err(|thrown| refusal(&thrown))?;
    JsFuture::from(promise)
        .await
        .and_then(|stream| stream.dyn_into())
        .map_err(|thrown| refusal(&thrown))
}

/// What the browser's refusal means.
/// <https://www.w3.org/TR/mediacapture-streams/#dom-mediadevices-getusermedia>
fn refusal(thrown: &JsValue) -> CaptureError {
    let name = thrown
        .dyn_ref::<web_sys::DomException>()
        .map(web_sys::DomException::name)
        .unwrap_or_default();
    match name.as_str() {
        "NotAllowedError" | "SecurityError" => CaptureError::Denied,
        "NotFoundError" | "OverconstrainedError" => CaptureError::Missing,
        "NotReadableError" | "AbortError" => CaptureError::Busy {
            reason: reason(thrown),
        },
        _ => CaptureError::Unsupported {
            reason: reason(thrown),
        },
    }
}

/// Root mean square of a block, decibels relative to full scale,
/// [`FLOOR_DBFS`]`..=0`.
fn level_dbfs(block: &[f32]) -> f32 {
    let power = block.iter().map(|s| s * s).sum::<f32>() / block.len().max(1) as f32;
    (10.0 * power.max(1e-10).log10()).clamp(FLOOR_DBFS, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_decibels_within_the_meter() {
        assert_eq!(level_dbfs(&[]), FLOOR_DBFS);
        assert_eq!(level_dbfs(&[0.0; 8]), FLOOR_DBFS);
        assert_eq!(level_dbfs(&[3.0; 8]), 0.0);
        assert!((level_dbfs(&[0.1, -0.1]) + 20.0).abs() < 1e-3);
    }
}
