//! The browser's own decoders, for formats that the engine does not read
//! (Opus in WebM, as phones and messengers record it).

use super::{SoundFile, reason};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Largest file handed to the browser, bytes. It decodes a file as a whole:
/// an hour of speech is some 30 MB of Opus and over a gigabyte of samples.
pub const MAX_BYTES: f64 = 40e6;

/// Rate asked of the browser, hertz: Opus' own, so nothing is resampled.
const RATE_HZ: u32 = 48_000;

/// Mono samples, full scale ±1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The samples.
    pub samples: Vec<f32>,
    /// Their rate, hertz.
    pub sample_rate_hz: u32,
}

/// Decodes a file to mono.
///
/// # Errors
/// The browser's word if it cannot, or if the file is over [`MAX_BYTES`].
pub async fn decode(file: &SoundFile) -> Result<Recording, String> {
    if file.n_bytes() > MAX_BYTES {
        return Err(format!("{} bytes are too many", file.n_bytes()));
    }
    let bytes = file.read().await.map_err(|error| error.to_string())?;
    let decoded = async {
        // An offline context opens no audio device.
        let context =
            web_sys::OfflineAudioContext::new_with_number_of_channels_and_length_and_sample_rate(
                1,
                1,
                RATE_HZ as f32,
            )?;
        JsFuture::from(context.decode_audio_data(bytes.as_js())?)
            .await?
            .dyn_into::<web_sys::AudioBuffer>()
    };
    let buffer = decoded.await.map_err(|thrown: JsValue| reason(&thrown))?;
    let n_channels = buffer.number_of_channels();
    let mut samples = vec![0.0; buffer.length() as usize];
    for channel in 0..n_channels {
        let data = buffer
            .get_channel_data(channel)
            .map_err(|thrown| reason(&thrown))?;
        for (sum, s) in samples.iter_mut().zip(data) {
            *sum += s / n_channels as f32;
        }
    }
    Ok(Recording {
        samples,
        sample_rate_hz: RATE_HZ,
    })
}
