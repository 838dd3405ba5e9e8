//! The decoders, a program of its own that the engine loads with the first file:
//! who speaks into the microphone never waits for it.

use js_sys::Uint8Array;
use undertone::audio::{ClipReader, DecodeError, SAMPLE_RATE_HZ};
use undertone::web::BlobSource;
use undertone::wire;
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
    /// A [`DecodeError`] as bytes.
    pub fn open(file: Blob, name: &str) -> Result<Decoder, Uint8Array> {
        let source = BlobSource::new(file).map_err(|reason| DecodeError::Unreadable { reason });
        let reader = source.and_then(|source| ClipReader::open(Box::new(source), name));
        Ok(Decoder {
            reader: reader.map_err(thrown)?,
            more: true,
        })
    }

    /// About the next second, mono at 16 kHz.
    ///
    /// # Errors
    /// A [`DecodeError`] as bytes.
    pub fn read(&mut self) -> Result<Vec<f32>, Uint8Array> {
        let mut block = Vec::new();
        while self.more && block.len() < N_AT_ONCE {
            self.more = self.reader.next_block(&mut block).map_err(thrown)?;
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

    /// A [`undertone::audio::Truncation`] as bytes, where the file ended early.
    #[wasm_bindgen(getter)]
    pub fn truncation(&self) -> Option<Vec<u8>> {
        self.reader.truncation().as_ref().map(wire::to_bytes)
    }
}

fn thrown(error: DecodeError) -> Uint8Array {
    Uint8Array::from(&wire::to_bytes(&error)[..])
}

fn main() {
    console_error_panic_hook::set_once();
}
