//! Noise reduction: RNNoise (Valin 2018, "A Hybrid DSP/Deep Learning Approach
//! to Real-Time Full-Band Speech Enhancement") as the crate nnnoiseless has it.
//!
//! It knows voices and noise at 48 kHz, so the stream goes up to that rate and
//! back.

use super::SAMPLE_RATE_HZ;
use super::resample::{ResampleError, Resampler};
use nnnoiseless::DenoiseState;

/// The rate that RNNoise was trained at, hertz.
const INNER_RATE_HZ: u32 = 48_000;

/// Full scale within RNNoise: that of 16-bit samples.
const FULL_SCALE: f32 = 32_768.0;

/// Reduces the noise of a mono stream at 16 kHz. The output lines up with the
/// input, lasts exactly as long, and is the same however the input comes in
/// pieces.
pub struct Denoiser {
    up: Resampler,
    state: Box<DenoiseState<'static>>,
    down: Resampler,
    /// Samples at 48 kHz that do not fill a frame yet.
    pending: Vec<f32>,
    cleaned: Vec<f32>,
    /// The first frame given back comes from before the recording.
    begun: bool,
    n_in: usize,
    n_out: usize,
}

impl Denoiser {
    /// Plans the conversions.
    ///
    /// # Errors
    /// [`ResampleError::Library`] if the resampler cannot be planned.
    pub fn new() -> Result<Denoiser, ResampleError> {
        Ok(Denoiser {
            up: Resampler::between(SAMPLE_RATE_HZ, INNER_RATE_HZ)?,
            state: DenoiseState::new(),
            down: Resampler::between(INNER_RATE_HZ, SAMPLE_RATE_HZ)?,
            pending: Vec::new(),
            cleaned: Vec::new(),
            begun: false,
            n_in: 0,
            n_out: 0,
        })
    }

    /// Takes the next samples and appends what is clean to `out`: about 0.1 s
    /// is held back.
    ///
    /// # Errors
    /// [`ResampleError::Library`] if the resampler fails.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        self.n_in += samples.len();
        self.up.push(samples, &mut self.pending)?;
        self.clean();
        let before = out.len();
        self.down.push(&self.cleaned, out)?;
        self.cleaned.clear();
        self.n_out += out.len() - before;
        Ok(())
    }

    /// Ends the stream: appends what was held back.
    ///
    /// # Errors
    /// [`ResampleError::Library`] if the resampler fails.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let up = std::mem::replace(&mut self.up, Resampler::new(SAMPLE_RATE_HZ)?);
        up.finish(&mut self.pending)?;
        // One frame is always under way, and the last may not be full.
        let n_frames = self.pending.len().div_ceil(DenoiseState::FRAME_SIZE) + 1;
        self.pending
            .resize(n_frames * DenoiseState::FRAME_SIZE, 0.0);
        self.clean();
        let before = out.len();
        self.down.push(&self.cleaned, out)?;
        self.down.finish(out)?;
        out.truncate(before + self.n_in - self.n_out);
        Ok(())
    }

    /// Turns whole frames of `pending` into `cleaned`.
    fn clean(&mut self) {
        let mut given = [0.0; DenoiseState::FRAME_SIZE];
        let n_whole = self.pending.len() - self.pending.len() % DenoiseState::FRAME_SIZE;
        for frame in self.pending.chunks_exact_mut(DenoiseState::FRAME_SIZE) {
            frame.iter_mut().for_each(|s| *s *= FULL_SCALE);
            self.state.process_frame(&mut given, frame);
            if self.begun {
                self.cleaned.extend(given.iter().map(|s| s / FULL_SCALE));
            }
            self.begun = true;
        }
        self.pending.drain(..n_whole);
    }
}

/// Reduces the noise of a whole recording.
///
/// # Errors
/// As [`Denoiser`].
pub fn denoise(samples: &[f32]) -> Result<Vec<f32>, ResampleError> {
    let mut denoiser = Denoiser::new()?;
    let mut out = Vec::with_capacity(samples.len());
    denoiser.push(samples, &mut out)?;
    denoiser.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise whose like nobody speaks.
    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.05
            })
            .collect()
    }

    /// The fixture with a voice in it, 16 kHz.
    fn voice() -> Vec<f32> {
        let bytes = include_bytes!("../../tests/data/speech.wav").to_vec();
        let decoded = crate::audio::load(bytes, "speech.wav").expect("decodes");
        decoded.clip.into_samples()
    }

    fn energy(samples: &[f32]) -> f32 {
        samples.iter().map(|s| s * s).sum()
    }

    #[test]
    fn noise_goes_and_the_voice_stays_in_its_place() {
        let hiss = noise(48_000);
        let cleaned = denoise(&hiss).expect("cleans");
        assert_eq!(cleaned.len(), hiss.len());
        // The first second may pass while the noise is being learnt.
        let left = energy(&cleaned[16_000..]) / energy(&hiss[16_000..]);
        assert!(left < 0.05, "{left} of the noise is left");

        let clear = voice();
        let cleaned = denoise(&clear).expect("cleans");
        assert_eq!(cleaned.len(), clear.len());
        let product: f32 = cleaned.iter().zip(&clear).map(|(a, b)| a * b).sum();
        let alike = product / (energy(&cleaned) * energy(&clear)).sqrt();
        assert!(alike > 0.9, "{alike} alike");
        let kept = energy(&cleaned) / energy(&clear);
        assert!((0.5..1.2).contains(&kept), "{kept} of the voice is left");
    }

    #[test]
    fn any_partition_gives_the_same_samples() {
        let input = noise(20_000);
        let whole = denoise(&input).expect("cleans");
        let mut denoiser = Denoiser::new().expect("plans");
        let mut out = Vec::new();
        for piece in input.chunks(777) {
            denoiser.push(piece, &mut out).expect("pushes");
        }
        denoiser.finish(&mut out).expect("finishes");
        assert_eq!(out, whole);
        assert!(denoise(&[]).expect("cleans").is_empty());
    }
}
