//! Memory that can change hands.

use js_sys::{ArrayBuffer, Float32Array};

/// Audio outside the program's own memory. Sending it to the worker hands it
/// over without a copy and leaves nothing behind.
#[derive(Clone, Debug)]
pub struct Buffer(ArrayBuffer);

impl Buffer {
    /// Copies samples out of the program's memory, 32-bit floats.
    pub fn from_samples(samples: &[f32]) -> Buffer {
        Buffer(Float32Array::from(samples).buffer())
    }

    /// How many bytes there are; none once it has been handed over.
    pub fn n_bytes(&self) -> usize {
        self.0.byte_length() as usize
    }

    pub(crate) fn from_js(buffer: ArrayBuffer) -> Buffer {
        Buffer(buffer)
    }

    pub(crate) fn as_js(&self) -> &ArrayBuffer {
        &self.0
    }
}
