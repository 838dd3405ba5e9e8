//! A file that another program of this worker decodes.

use super::reason;
use crate::audio::{DecodeError, Sound, Truncation};
use crate::wire;
use js_sys::{Float32Array, Function, Uint8Array};
use std::cell::Cell;
use std::rc::Rc;
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
pub struct ForeignDecoder {
    open: Function,
    health: Health,
}

/// Whether the program has broken down, after which its memory is not to be
/// trusted.
#[derive(Clone, Default)]
struct Health {
    broken: Rc<Cell<bool>>,
}

impl Health {
    /// What was thrown as an error; a program that breaks down throws another thing.
    fn fault(&self, thrown: &JsValue) -> DecodeError {
        let told = thrown.dyn_ref::<Uint8Array>();
        let told = told.and_then(|bytes| wire::from_bytes(&bytes.to_vec()));
        self.broken.set(self.broken.get() || told.is_none());
        told.unwrap_or_else(|| DecodeError::Damaged {
            reason: reason(thrown),
        })
    }
}

impl ForeignDecoder {
    /// Loads it.
    ///
    /// # Errors
    /// If it does not arrive.
    pub async fn load() -> Result<ForeignDecoder, DecodeError> {
        let loaded = load_decoder().await;
        let open = loaded.and_then(|open| open.dyn_into::<Function>());
        match open {
            Ok(open) => Ok(ForeignDecoder {
                open,
                health: Health::default(),
            }),
            Err(thrown) => Err(DecodeError::NoDecoder {
                reason: reason(&thrown),
            }),
        }
    }

    /// Whether it has broken down; another must take its place.
    pub fn is_broken(&self) -> bool {
        self.health.broken.get()
    }

    /// Opens a file; `name` hints at its format.
    ///
    /// # Errors
    /// As [`crate::audio::ClipReader::open`].
    pub fn open(&self, file: &Blob, name: &str) -> Result<Box<dyn Sound>, DecodeError> {
        let decoder = self.open.call2(&JsValue::UNDEFINED, file, &name.into());
        let decoder = decoder.map_err(|thrown| self.health.fault(&thrown))?;
        Ok(Box::new(ForeignSound {
            decoder: decoder.unchecked_into(),
            health: self.health.clone(),
        }))
    }
}

/// A file being decoded there.
struct ForeignSound {
    decoder: Decoder,
    health: Health,
}

impl Sound for ForeignSound {
    fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let block = self.decoder.read();
        let block = block.map_err(|thrown| self.health.fault(&thrown))?;
        let start = out.len();
        out.resize(start + block.length() as usize, 0.0);
        block.copy_to(&mut out[start..]);
        Ok(self.decoder.more())
    }

    fn fraction(&self) -> Option<f32> {
        self.decoder.fraction()
    }

    fn expected_s(&self) -> Option<f64> {
        self.decoder.expected_s()
    }

    fn truncation(&self) -> Option<Truncation> {
        wire::from_bytes(&self.decoder.truncation()?)
    }
}

impl Drop for ForeignSound {
    fn drop(&mut self) {
        // A program that has broken down has nothing left to give back.
        let _ = self.decoder.free();
    }
}
