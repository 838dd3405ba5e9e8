//! The browser: microphone, files, playback, downloads. Bytes, samples and
//! errors only; it knows no emotion. Raw JavaScript values never leave it.

mod blob_source;
pub mod buffer;
pub mod capture;
pub mod decode;
pub mod download;
pub mod drops;
pub mod files;
mod foreign_sound;
pub mod microphones;
mod names;
pub mod playback;
pub mod storage;
pub mod view;
pub mod wav;

pub use blob_source::BlobSource;
pub use buffer::Buffer;
pub use capture::{CaptureError, Feed, Recorder};
pub use decode::Recording;
pub use files::{FileError, SoundFile};
pub use foreign_sound::ForeignDecoder;
pub use microphones::Microphone;
pub use names::NameOrder;
pub use playback::Player;

use wasm_bindgen::JsValue;

/// The words of a thrown value, for logs and reports.
fn reason(thrown: &JsValue) -> String {
    js_sys::Reflect::get(thrown, &"message".into())
        .ok()
        .and_then(|message| message.as_string())
        .unwrap_or_else(|| format!("{thrown:?}"))
}
