//! Any rate to 16 kHz, or from one to another, without aliasing, in a stream.
//!
//! The filter is rubato's synchronous FFT resampler: band-limited, with a
//! fixed ratio that is exact for every pair of integer rates.

use super::SAMPLE_RATE_HZ;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Slowest rate accepted: below it no speech is left.
pub const MIN_RATE_HZ: u32 = 4_000;
/// Fastest rate accepted.
pub const MAX_RATE_HZ: u32 = 768_000;

/// Why a rate cannot be converted.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum ResampleError {
    /// Outside [`MIN_RATE_HZ`]`..=`[`MAX_RATE_HZ`].
    #[error("a sample rate of {rate_hz} Hz is outside {MIN_RATE_HZ}–{MAX_RATE_HZ} Hz")]
    UnsupportedRate {
        /// The rate asked for.
        rate_hz: u32,
    },
    /// The library refused; says why.
    #[error("the resampler failed: {0}")]
    Library(String),
}

/// Converts a mono stream from one rate to another. The output lines up with
/// the input (the filter's delay is trimmed) and lasts exactly as long.
pub struct Resampler {
    /// `None` where both rates are the same.
    filter: Option<Filter>,
}

struct Filter {
    fft: Fft<f32>,
    ratio: f64,
    pending: Vec<f32>,
    block: Vec<f32>,
    delay_left: usize,
    n_in: u64,
    n_out: u64,
}

/// Wanted block length, in source samples, up to 48 kHz; above, the same time.
/// The filter is as long as the block, so this also sets its steepness: at
/// 48 kHz and above the pass band ends within 3 % of 8 kHz, and the delay stays
/// near 10 ms.
const BLOCK_SAMPLES: usize = 1_024;

/// The block for two rates, in source samples: an even number of periods of the
/// ratio, at least [`BLOCK_SAMPLES`]. The filter's delay is half a block, and
/// even periods make that a whole number of samples on both sides, so that
/// the output lines up with the input.
fn block_samples(source_rate_hz: u32, rate_hz: u32) -> usize {
    let wanted = BLOCK_SAMPLES.max(BLOCK_SAMPLES * source_rate_hz as usize / 48_000);
    let period = (source_rate_hz / gcd(source_rate_hz, rate_hz)) as usize;
    period * wanted.div_ceil(period).next_multiple_of(2)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Resampler {
    /// Plans the conversion from `source_rate_hz` to [`SAMPLE_RATE_HZ`].
    ///
    /// # Errors
    /// [`ResampleError::UnsupportedRate`] outside 4–768 kHz.
    pub fn new(source_rate_hz: u32) -> Result<Resampler, ResampleError> {
        Resampler::between(source_rate_hz, SAMPLE_RATE_HZ)
    }

    /// Plans the conversion from `source_rate_hz` to `rate_hz`.
    ///
    /// # Errors
    /// [`ResampleError::UnsupportedRate`] if either lies outside 4–768 kHz.
    pub fn between(source_rate_hz: u32, rate_hz: u32) -> Result<Resampler, ResampleError> {
        for rate_hz in [source_rate_hz, rate_hz] {
            if !(MIN_RATE_HZ..=MAX_RATE_HZ).contains(&rate_hz) {
                return Err(ResampleError::UnsupportedRate { rate_hz });
            }
        }
        if source_rate_hz == rate_hz {
            return Ok(Resampler { filter: None });
        }
        let fft = Fft::<f32>::new_custom(
            source_rate_hz as usize,
            rate_hz as usize,
            block_samples(source_rate_hz, rate_hz),
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|e| ResampleError::Library(e.to_string()))?;
        Ok(Resampler {
            filter: Some(Filter {
                ratio: f64::from(rate_hz) / f64::from(source_rate_hz),
                pending: Vec::new(),
                block: vec![0.0; fft.output_frames_max()],
                delay_left: fft.output_delay(),
                n_in: 0,
                n_out: 0,
                fft,
            }),
        })
    }

    /// Takes the next samples and appends what is ready to `out`.
    ///
    /// # Errors
    /// [`ResampleError::Library`] if the filter fails.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        match &mut self.filter {
            None => {
                out.extend_from_slice(samples);
                Ok(())
            }
            Some(filter) => filter.push(samples, out),
        }
    }

    /// Ends the stream: appends what the filter still holds, so that the
    /// output lasts as long as the input, to the nearest sample.
    ///
    /// # Errors
    /// [`ResampleError::Library`] if the filter fails.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let Some(filter) = &mut self.filter else {
            return Ok(());
        };
        let wanted = (filter.n_in as f64 * filter.ratio).round() as u64;
        let silence = vec![0.0; filter.fft.input_frames_next()];
        let start = out.len();
        let before = filter.n_out;
        while filter.n_out < wanted {
            filter.push(&silence, out)?;
        }
        out.truncate(start + wanted.saturating_sub(before) as usize);
        Ok(())
    }
}

impl Filter {
    fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), ResampleError> {
        let library = |e: String| ResampleError::Library(e);
        self.n_in += samples.len() as u64;
        self.pending.extend_from_slice(samples);
        let mut used = 0;
        loop {
            let needed = self.fft.input_frames_next();
            if self.pending.len() - used < needed {
                break;
            }
            let room = self.block.len();
            let input = InterleavedSlice::new(&self.pending[used..used + needed], 1, needed)
                .map_err(|e| library(e.to_string()))?;
            let mut output = InterleavedSlice::new_mut(&mut self.block, 1, room)
                .map_err(|e| library(e.to_string()))?;
            let (_, n) = self
                .fft
                .process_into_buffer(&input, &mut output, None)
                .map_err(|e| library(e.to_string()))?;
            used += needed;
            let skipped = n.min(self.delay_left);
            self.delay_left -= skipped;
            out.extend_from_slice(&self.block[skipped..n]);
            self.n_out += (n - skipped) as u64;
        }
        self.pending.drain(..used);
        Ok(())
    }
}

/// Converts a whole clip at once.
///
/// # Errors
/// As [`Resampler::new`].
pub fn resample(samples: &[f32], source_rate_hz: u32) -> Result<Vec<f32>, ResampleError> {
    let mut resampler = Resampler::new(source_rate_hz)?;
    let mut out = Vec::new();
    resampler.push(samples, &mut out)?;
    resampler.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn sine(rate_hz: u32, frequency_hz: f64, seconds: f64) -> Vec<f32> {
        let n = (f64::from(rate_hz) * seconds) as usize;
        (0..n)
            .map(|i| (0.5 * (TAU * frequency_hz * i as f64 / f64::from(rate_hz)).sin()) as f32)
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_phase_level_and_length_from_every_rate() {
        for rate in [
            8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000,
        ] {
            let input = sine(rate, 1_000.0, 0.5);
            let out = resample(&input, rate).expect("resamples");
            let n_expected = (input.len() as f64 * 16_000.0 / f64::from(rate)).round() as usize;
            assert_eq!(out.len(), n_expected, "length from {rate} Hz");
            let expected = sine(16_000, 1_000.0, 0.5);
            let worst = out[400..7_600]
                .iter()
                .zip(&expected[400..7_600])
                .fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(worst < 1e-3, "{worst} off from {rate} Hz");
        }
    }

    #[test]
    fn what_lies_above_8_khz_does_not_fold_back() {
        for rate in [44_100, 48_000, 96_000] {
            let out = resample(&sine(rate, 10_000.0, 0.5), rate).expect("resamples");
            let peak = out[400..7_600].iter().fold(0.0f32, |p, s| p.max(s.abs()));
            assert!(peak < 5e-4, "alias of {peak} from {rate} Hz");
        }
    }

    #[test]
    fn any_partition_gives_the_same_samples() {
        let input = sine(44_100, 440.0, 0.3);
        let whole = resample(&input, 44_100).expect("resamples");
        let mut resampler = Resampler::new(44_100).expect("plans");
        let mut out = Vec::new();
        for piece in input.chunks(77) {
            resampler.push(piece, &mut out).expect("pushes");
        }
        resampler.finish(&mut out).expect("finishes");
        assert_eq!(out, whole);
    }

    #[test]
    fn odd_rates_work_and_absurd_ones_are_refused() {
        assert_eq!(
            resample(&[0.1; 22_051], 22_051).expect("resamples").len(),
            16_000
        );
        assert_eq!(resample(&[], 48_000).expect("resamples").len(), 0);
        assert_eq!(resample(&[0.1; 3], 48_000).expect("resamples").len(), 1);
        assert!(matches!(
            resample(&[0.0], 0),
            Err(ResampleError::UnsupportedRate { rate_hz: 0 })
        ));
    }
}
