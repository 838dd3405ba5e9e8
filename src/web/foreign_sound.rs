//! A file that another program of this worker decodes.

use super::reason;
use crate::audio::{DecodeError, Sound, Truncation};
use crate::wire;
use js_sys::{Float32Array, Function, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

#[wasm_bindgen]
extern "C" {
    /// `src/bin/decoder.rs` has the other end.
    type Decoder;

    #[wasm_bindgen(method, catch)]
    fn read(this: &Decoder) -> Result<Float32Array, JsValue>;
    #[wasm_bindgen(method, getter)]
    fn more(this: &Decoder) -> bool;
    #[wasm_bindgen(method, getter)]
    fn fraction(this: &Decoder) -> Option<f32>;
    #[wasm_bindgen(method, getter)]
    fn expected_s(this: &Decoder) -> Option<f64>;
    #[wasm_bindgen(method, getter)]
    fn truncation(this: &Decoder) -> Option<Vec<u8>>;
    #[wasm_bindgen(method, catch)]
    fn free(this: &Decoder) -> Result<(), JsValue>;

    /// `public/worker-loader.js` has it.
    #[wasm_bindgen(catch, js_name = loadDecoder)]
    async fn load_decoder() -> Result<JsValue, JsValue>;
}

/// The program that decodes files.
#[derive(Clone)]
pub struct ForeignDecoder(Function);

impl ForeignDecoder {
    /// Loads it.
    ///
    /// # Errors
    /// If it does not arrive.
    pub async fn load() -> Result<ForeignDecoder, DecodeError> {
        let loaded = load_decoder().await;
        let open = loaded.and_then(|open| open.dyn_into::<Function>());
        open.map(ForeignDecoder)
            .map_err(|thrown| DecodeError::NoDecoder {
                reason: reason(&thrown),
            })
    }

    /// Opens a file; `name` hints at its format.
    ///
    /// # Errors
    /// As [`crate::audio::ClipReader::open`].
    pub fn open(&self, file: &Blob, name: &str) -> Result<Box<dyn Sound>, DecodeError> {
        let decoder = self.0.call2(&JsValue::UNDEFINED, file, &name.into());
        let decoder = decoder.map_err(|thrown| fault(&thrown))?;
        Ok(Box::new(ForeignSound(decoder.unchecked_into())))
    }
}

/// A file being decoded there.
struct ForeignSound(Decoder);

impl Sound for ForeignSound {
    fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let block = self.0.read().map_err(|thrown| fault(&thrown))?;
        let start = out.len();
        out.resize(start + block.length() as usize, 0.0);
        block.copy_to(&mut out[start..]);
        Ok(self.0.more())
    }

    fn fraction(&self) -> Option<f32> {
        self.0.fraction()
    }

    fn expected_s(&self) -> Option<f64> {
        self.0.expected_s()
    }

    fn truncation(&self) -> Option<Truncation> {
        wire::from_bytes(&self.0.truncation()?)
    }
}

impl Drop for ForeignSound {
    fn drop(&mut self) {
        // A program that has broken down has nothing left to give back.
        let _ = self.0.free();
    }
}

/// What was thrown as an error; a program that breaks down throws another thing.
fn fault(thrown: &JsValue) -> DecodeError {
    let told = thrown.dyn_ref::<Uint8Array>();
    let told = told.and_then(|bytes| wire::from_bytes(&bytes.to_vec()));
    told.unwrap_or_else(|| DecodeError::Damaged {
        reason: reason(thrown),
    })
}
