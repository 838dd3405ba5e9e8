//! The decoders, a program of its own that the engine loads with the first file:
//! who speaks into the microphone never waits for it.

use undertone::audio::{ClipReader, DecodeError, SAMPLE_RATE_HZ};
use undertone::web::BlobSource;
use wasm_bindgen::prelude::*;
use web_sys::Blob;

/// Samples that are decoded at once, at least: a second.
const N_AT_ONCE: usize = SAMPLE_RATE_HZ as usize;

/// A file being decoded.
#[wasm_bindgen]
pub struct Decoder {
    reader: ClipReader,
    more: bool,
}

#[wasm_bindgen]
impl Decoder {
    /// Opens a file; `name` hints at its format.
    ///
    /// # Errors
    /// A [`DecodeError`] as JSON.
    pub fn open(file: Blob, name: &str) -> Result<Decoder, String> {
        let source = BlobSource::new(file).map_err(|reason| DecodeError::Unreadable { reason });
        let reader = source.and_then(|source| ClipReader::open(Box::new(source), name));
        Ok(Decoder {
            reader: reader.map_err(json)?,
            more: true,
        })
    }

    /// About the next second, mono at 16 kHz.
    ///
    /// # Errors
    /// A [`DecodeError`] as JSON.
    pub fn read(&mut self) -> Result<Vec<f32>, String> {
        let mut block = Vec::new();
        while self.more && block.len() < N_AT_ONCE {
            self.more = self.reader.next_block(&mut block).map_err(json)?;
        }
        Ok(block)
    }

    /// Whether there is more to read.
    #[wasm_bindgen(getter)]
    pub fn more(&self) -> bool {
        self.more
    }

    /// How much has been read, `0..=1`, where the length is known.
    #[wasm_bindgen(getter)]
    pub fn fraction(&self) -> Option<f32> {
        self.reader.fraction()
    }

    /// The whole length, seconds, where it is known.
    #[wasm_bindgen(getter)]
    pub fn expected_s(&self) -> Option<f64> {
        self.reader.expected_s()
    }

    /// A [`undertone::audio::Truncation`] as JSON, where the file ended early.
    #[wasm_bindgen(getter)]
    pub fn truncation(&self) -> Option<String> {
        self.reader.truncation().as_ref().map(json)
    }
}

fn json(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).expect("errors are plain data")
}

fn main() {
    console_error_panic_hook::set_once();
}
