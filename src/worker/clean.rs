//! A sound without its noise, as 16-bit samples, part by part.

use crate::analysis::AnalyzeError;
use crate::audio::{DecodeError, Denoiser};

/// Samples of a part: 1 MiB, 33 s. Neither side holds more at once, however
/// long the sound.
const PART_SAMPLES: usize = 1 << 19;

/// Takes samples as they come and gives cleaned parts.
pub(super) struct Cleaner {
    denoiser: Denoiser,
    cleaned: Vec<f32>,
    part: Vec<i16>,
}

impl Cleaner {
    /// Before the first sample.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the noise reduction cannot be planned.
    pub fn new() -> Result<Cleaner, AnalyzeError> {
        Ok(Cleaner {
            denoiser: Denoiser::new().map_err(DecodeError::from)?,
            cleaned: Vec::new(),
            part: Vec::new(),
        })
    }

    /// Takes the next samples, mono at 16 kHz, full scale ±1; gives a part once
    /// there is one, mono at 16 kHz in 16 bits.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the noise reduction fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<Option<Vec<i16>>, AnalyzeError> {
        let pushed = self.denoiser.push(samples, &mut self.cleaned);
        pushed.map_err(DecodeError::from)?;
        self.part.extend(self.cleaned.drain(..).map(in_16_bits));
        let full = self.part.len() >= PART_SAMPLES;
        Ok(full.then(|| std::mem::take(&mut self.part)))
    }

    /// Ends the sound and gives what is left; all parts together are as long as
    /// what was taken.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the noise reduction fails.
    pub fn finish(mut self) -> Result<Vec<i16>, AnalyzeError> {
        let finished = self.denoiser.finish(&mut self.cleaned);
        finished.map_err(DecodeError::from)?;
        self.part.extend(self.cleaned.drain(..).map(in_16_bits));
        Ok(self.part)
    }
}

/// What is louder than full scale is cut off there.
fn in_16_bits(sample: f32) -> i16 {
    // `as` goes no further than the ends of the range.
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::denoise::denoise;

    #[test]
    fn the_parts_are_the_cleaned_whole() {
        let tone: Vec<f32> = (0..PART_SAMPLES * 5 / 4)
            .map(|i| 0.4 * (i as f32 * 0.1).sin() * (i as f32 * 0.0003).sin())
            .collect();
        let mut cleaner = Cleaner::new().expect("plans");
        let mut parts = Vec::new();
        for piece in tone.chunks(16_000) {
            parts.extend(cleaner.push(piece).expect("cleans"));
        }
        parts.push(cleaner.finish().expect("cleans"));
        assert_eq!(parts.len(), 2);
        assert!(parts[0].len() < PART_SAMPLES + 17_000);
        let whole: Vec<i16> = denoise(&tone)
            .expect("cleans")
            .into_iter()
            .map(in_16_bits)
            .collect();
        assert_eq!(parts.concat(), whole);
    }

    #[test]
    fn full_scale_is_the_end_of_the_range() {
        let given = [0.0, 0.5, -1.0, 1.0, 7.0, -7.0];
        let expected = [0, 16_384, -32_768, 32_767, 32_767, -32_768];
        assert_eq!(given.map(in_16_bits), expected);
    }
}
