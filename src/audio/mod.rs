//! From bytes or a microphone to a [`Clip`]: mono `f32` at 16 000 Hz, with
//! its loudness kept.

pub mod decode;
pub mod denoise;
mod metered;
pub mod resample;
mod sound;

pub use decode::{ClipReader, DecodeError, Decoded, Truncation, load};
pub use denoise::Denoiser;
pub use sound::{SampleReader, Sound};

/// The rate every clip has after this floor, in hertz.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// Mono speech at [`SAMPLE_RATE_HZ`]; full scale is ±1, louder is kept as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clip {
    samples: Vec<f32>,
}

impl Clip {
    /// Wraps samples that are already mono at [`SAMPLE_RATE_HZ`].
    pub fn new(samples: Vec<f32>) -> Clip {
        Clip { samples }
    }

    /// The samples, full scale ±1.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Length in seconds.
    pub fn duration_s(&self) -> f64 {
        self.samples.len() as f64 / f64::from(SAMPLE_RATE_HZ)
    }

    /// Unwraps the samples.
    pub fn into_samples(self) -> Vec<f32> {
        self.samples
    }
}
