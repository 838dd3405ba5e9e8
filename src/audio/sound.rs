//! A sound of any kind, read block by block as mono samples at 16 kHz.

use super::decode::Truncation;
use super::resample::Resampler;
use super::{ClipReader, DecodeError};

/// Samples of a source that are converted at once.
const BLOCK_SAMPLES: usize = 1 << 14;

/// What can be read so: a file that is decoded, here or elsewhere, or samples
/// from a microphone or another decoder.
pub trait Sound {
    /// Appends the next samples, mono at 16 kHz, to `out`. Returns `false` at
    /// the end, after the last samples.
    ///
    /// # Errors
    /// As [`ClipReader::next_block`].
    fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError>;

    /// How much has been read, `0..=1`, where the length is known.
    fn fraction(&self) -> Option<f32>;

    /// The whole length, seconds, where it is known.
    fn expected_s(&self) -> Option<f64>;

    /// Whether a file ended early; meaningful after the last block.
    fn truncation(&self) -> Option<Truncation>;
}

/// Samples at any rate that are in memory already, read block by block.
pub struct SampleReader {
    samples: Vec<f32>,
    /// How many have been read.
    at: usize,
    sample_rate_hz: u32,
    resampler: Option<Resampler>,
}

impl SampleReader {
    /// Takes mono samples, full scale ±1.
    ///
    /// # Errors
    /// [`DecodeError::NotFinite`]: a sample that is no number would spread
    /// through the filter, where nobody could tell whose fault it was.
    /// [`DecodeError::Resample`] on a rate that cannot be converted.
    pub fn new(samples: Vec<f32>, sample_rate_hz: u32) -> Result<SampleReader, DecodeError> {
        if let Some(index) = samples.iter().position(|s| !s.is_finite()) {
            return Err(DecodeError::NotFinite {
                index: index as u64,
            });
        }
        Ok(SampleReader {
            resampler: Some(Resampler::new(sample_rate_hz)?),
            samples,
            at: 0,
            sample_rate_hz,
        })
    }
}

impl Sound for SampleReader {
    fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        let end = (self.at + BLOCK_SAMPLES).min(self.samples.len());
        if let Some(resampler) = &mut self.resampler {
            resampler.push(&self.samples[self.at..end], out)?;
        }
        self.at = end;
        if end < self.samples.len() {
            return Ok(true);
        }
        if let Some(resampler) = self.resampler.take() {
            resampler.finish(out)?;
        }
        Ok(false)
    }

    fn fraction(&self) -> Option<f32> {
        Some(self.at as f32 / self.samples.len().max(1) as f32)
    }

    fn expected_s(&self) -> Option<f64> {
        Some(self.samples.len() as f64 / f64::from(self.sample_rate_hz))
    }

    fn truncation(&self) -> Option<Truncation> {
        None
    }
}

impl Sound for ClipReader {
    fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        ClipReader::next_block(self, out)
    }

    fn fraction(&self) -> Option<f32> {
        ClipReader::fraction(self)
    }

    fn expected_s(&self) -> Option<f64> {
        ClipReader::expected_s(self)
    }

    fn truncation(&self) -> Option<Truncation> {
        ClipReader::truncation(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::resample::resample;

    #[test]
    fn blocks_of_samples_are_the_whole_and_progress_reaches_the_end() {
        let samples: Vec<f32> = (0..100_000).map(|i| (i as f32 * 0.01).sin()).collect();
        let whole = resample(&samples, 48_000).expect("resamples");
        let mut reader = SampleReader::new(samples, 48_000).expect("a valid rate");
        let mut read = Vec::new();
        let mut fractions = vec![0.0];
        while reader.next_block(&mut read).expect("reads") {
            fractions.push(reader.fraction().expect("the length is known"));
        }
        assert_eq!(read, whole);
        assert!(
            fractions.is_sorted() && fractions.len() == 7,
            "{fractions:?}"
        );
        assert_eq!(reader.fraction(), Some(1.0));
        assert!((reader.expected_s().expect("known") - 2.083).abs() < 1e-3);
    }

    #[test]
    fn what_is_no_number_is_refused_by_its_place() {
        assert_eq!(
            SampleReader::new(vec![0.0, f32::NAN], 16_000).err(),
            Some(DecodeError::NotFinite { index: 1 })
        );
    }
}
