//! The microphone, as it is: no echo cancellation, no noise suppression, no
//! automatic gain, at the device's own rate.
//!
//! The audio thread keeps the recording and hands it over when it is stopped;
//! until then this thread hears the level alone. The samples can go on a line
//! of their own to whoever has the other end.

use super::microphones::media_devices;
use super::{SoundFile, reason, wav};
use gloo::timers::future::TimeoutFuture;
use js_sys::Array;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use thiserror::Error;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AudioContext, AudioWorkletNode, MediaStream, MediaStreamTrack, MessageChannel, MessageEvent,
    MessagePort,
};

/// A recording ends by itself after this long, seconds; its samples lie in
/// the audio thread's memory, some 6 MB a minute.
pub const MAXIMUM_S: f64 = 3_600.0;

/// Lowest level told, decibels relative to full scale.
pub const FLOOR_DBFS: f32 = -60.0;

/// How long the recording may take to arrive, milliseconds. It is handed over,
/// not copied, so only an audio thread that is gone takes so long.
const HANDOVER_MS: u32 = 5_000;

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

/// The other end of the samples' own line.
#[derive(Debug)]
pub struct Feed {
    port: MessagePort,
    /// Rate of the samples, hertz.
    pub sample_rate_hz: u32,
}

impl Feed {
    pub(crate) fn as_js(&self) -> &MessagePort {
        &self.port
    }
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
    kept: Rc<RefCell<Kept>>,
    _on_block: Closure<dyn FnMut(MessageEvent)>,
    _on_ended: Closure<dyn FnMut()>,
}

/// What the audio thread has told.
#[derive(Default)]
struct Kept {
    n_samples: u32,
    /// Whether anything but zeros was heard.
    sounded: bool,
    /// 16-bit samples in stretches, once they were handed over.
    stretches: Option<Array>,
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
    /// Asks for the microphone of this id, or the usual one, and starts. `tell`
    /// hears the level about twenty times a second.
    ///
    /// # Errors
    /// Every [`CaptureError`] but [`CaptureError::Silent`].
    pub async fn start(
        microphone: Option<&str>,
        tell: impl Fn(CaptureEvent) + 'static,
    ) -> Result<Recorder, CaptureError> {
        let unsupported = |thrown: JsValue| CaptureError::Unsupported {
            reason: reason(&thrown),
        };
        // Created while the person's click is still fresh, or the browser
        // would keep it suspended.
        let mut line = Line {
            context: AudioContext::new().map_err(unsupported)?,
            stream: None,
        };
        let stream: &MediaStream = line.stream.insert(open_microphone(microphone).await?);
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
        let kept: Rc<RefCell<Kept>> = Rc::default();
        let ended = {
            let (tell, told) = (tell.clone(), Cell::new(false));
            Rc::new(move || {
                if !told.replace(true) {
                    tell(CaptureEvent::Ended);
                }
            })
        };
        let on_block = {
            let (kept, ended) = (kept.clone(), ended.clone());
            let rate_hz = f64::from(line.context.sample_rate());
            Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
                let Ok(parts) = message.data().dyn_into::<Array>() else {
                    return;
                };
                let told = (parts.get(0).as_f64(), parts.get(1).as_f64());
                let (Some(power), Some(n_samples)) = told else {
                    kept.borrow_mut().stretches = Some(parts);
                    return;
                };
                {
                    let mut kept = kept.borrow_mut();
                    kept.n_samples = n_samples as u32;
                    kept.sounded |= power > 0.0;
                }
                let elapsed_s = n_samples / rate_hz;
                tell(CaptureEvent::Heard {
                    level_dbfs: level_dbfs(power as f32),
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
            kept,
            _on_block: on_block,
            _on_ended: on_ended,
        })
    }

    /// Sends the samples from now on, in blocks of mono 32-bit floats, over a
    /// line of their own; it takes the place of the one before. Its last
    /// message is `null`.
    ///
    /// # Errors
    /// [`CaptureError::Unsupported`] if the browser refuses.
    pub fn feed(&self) -> Result<Feed, CaptureError> {
        let connect = || {
            let channel = MessageChannel::new()?;
            let (near, far) = (channel.port1(), channel.port2());
            let port = self.node.port()?;
            port.post_message_with_transferable(&near, &Array::of1(&near))?;
            Ok(far)
        };
        let port = connect().map_err(|thrown: JsValue| CaptureError::Unsupported {
            reason: reason(&thrown),
        })?;
        Ok(Feed {
            port,
            sample_rate_hz: self.line.context.sample_rate() as u32,
        })
    }

    /// Ends the recording, releases the microphone and gives what was recorded
    /// as a file of this name.
    ///
    /// # Errors
    /// [`CaptureError::Silent`]; [`CaptureError::Busy`] if the recording cannot
    /// be had.
    pub async fn stop(self, name: &str) -> Result<SoundFile, CaptureError> {
        let busy = |reason: String| CaptureError::Busy { reason };
        self.node
            .port()
            .and_then(|port| port.post_message(&JsValue::from_str("stop")))
            .map_err(|thrown| busy(reason(&thrown)))?;
        let mut waited_ms = 0;
        while self.kept.borrow().stretches.is_none() && waited_ms < HANDOVER_MS {
            TimeoutFuture::new(10).await;
            waited_ms += 10;
        }
        let kept = self.kept.take();
        if kept.n_samples > 0 && !kept.sounded {
            return Err(CaptureError::Silent);
        }
        let stretches = kept
            .stretches
            .ok_or_else(|| busy("the audio thread is gone".to_owned()))?;
        let rate_hz = self.line.context.sample_rate() as u32;
        let header = wav::header(kept.n_samples, rate_hz);
        stretches.unshift(&js_sys::Uint8Array::from(&header[..]));
        SoundFile::from_parts(name, &stretches, "audio/wav")
            .map_err(|error| busy(error.to_string()))
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
async fn open_microphone(id: Option<&str>) -> Result<MediaStream, CaptureError> {
    let unsupported = |reason: &str| CaptureError::Unsupported {
        reason: reason.to_owned(),
    };
    let devices =
        media_devices().ok_or_else(|| unsupported("the page needs https or localhost"))?;
    let wishes = js_sys::Object::new();
    for wish in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&wishes, &wish.into(), &JsValue::FALSE);
    }
    if let Some(id) = id {
        let exactly = js_sys::Object::new();
        let _ = js_sys::Reflect::set(&exactly, &"exact".into(), &id.into());
        let _ = js_sys::Reflect::set(&wishes, &"deviceId".into(), &exactly);
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

/// A mean square as decibels relative to full scale, [`FLOOR_DBFS`]`..=0`.
fn level_dbfs(power: f32) -> f32 {
    (10.0 * power.max(1e-10).log10()).clamp(FLOOR_DBFS, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_decibels_within_the_meter() {
        assert_eq!(level_dbfs(0.0), FLOOR_DBFS);
        assert_eq!(level_dbfs(9.0), 0.0);
        assert!((level_dbfs(0.01) + 20.0).abs() < 1e-3);
    }
}
