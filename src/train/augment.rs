//! The same words from another throat, at another tempo, in another place.

use super::noise::mix;
use crate::audio::SAMPLE_RATE_HZ;
use crate::audio::resample::{ResampleError, Resampler};
use rand::Rng;
use std::f32::consts::TAU;

/// Samples of an overlapped piece in time stretching: 32 ms hold two periods
/// of the lowest voice.
const N_PIECE: usize = 512;
/// How far a piece may move to fit its neighbour, samples.
const N_SEARCH: usize = 128;

/// A random altered view of mono samples at 16 kHz: tempo ×0.85–1.18, pitch
/// ±2 semitones, gain −9…+6 dB, and for some noise at 5–30 dB or a telephone's
/// band.
///
/// # Errors
/// If the resampler fails.
pub fn altered(samples: &[f32], rng: &mut impl Rng) -> Result<Vec<f32>, ResampleError> {
    let semitones: f32 = rng.random_range(-2.0..2.0);
    let tempo: f32 = rng.random_range(0.85..1.18);
    let mut out = pitch_shifted(samples, semitones, tempo)?;
    if rng.random_bool(0.15) {
        telephone(&mut out);
    }
    if rng.random_bool(0.3) {
        let snr_db = rng.random_range(5.0..30.0);
        add_noise(&mut out, snr_db, rng);
    }
    let gain = 10f32.powf(rng.random_range(-9.0..6.0) / 20.0);
    out.iter_mut().for_each(|s| *s *= gain);
    Ok(out)
}

/// Raises the pitch by `semitones` and speaks `tempo` times as fast: plays the
/// samples faster, then stretches them back.
fn pitch_shifted(samples: &[f32], semitones: f32, tempo: f32) -> Result<Vec<f32>, ResampleError> {
    let factor = 2f32.powf(semitones / 12.0);
    // Whole hundreds of hertz keep the resampler's blocks short.
    let rate_hz = 100 * (factor * SAMPLE_RATE_HZ as f32 / 100.0).round() as u32;
    let mut shifted = Vec::with_capacity(samples.len() * 5 / 4);
    let mut resampler = Resampler::new(rate_hz)?;
    resampler.push(samples, &mut shifted)?;
    resampler.finish(&mut shifted)?;
    let played = rate_hz as f32 / SAMPLE_RATE_HZ as f32;
    Ok(stretched(&shifted, tempo / played))
}

/// Plays `tempo` times as fast at the same pitch: waveform similarity
/// overlap-add (Verhelst & Roelands 1993), pieces overlapping by half.
pub fn stretched(samples: &[f32], tempo: f32) -> Vec<f32> {
    const HOP: usize = N_PIECE / 2;
    if samples.len() <= 2 * N_PIECE + 2 * N_SEARCH {
        return samples.to_vec();
    }
    let window: Vec<f32> = (0..N_PIECE)
        .map(|i| 0.5 - 0.5 * (TAU * i as f32 / N_PIECE as f32).cos())
        .collect();
    let n_out = (samples.len() as f32 / tempo) as usize;
    let mut out = vec![0.0; n_out + N_PIECE];
    let last = samples.len() - N_PIECE - HOP;
    let mut piece_at = 0;
    for at in (0..n_out).step_by(HOP) {
        if at > 0 {
            let wanted = ((at as f32 * tempo) as usize).min(last);
            // What would follow the last piece undisturbed.
            let natural = (piece_at + HOP).min(last);
            let from = wanted.saturating_sub(N_SEARCH);
            let to = (wanted + N_SEARCH).min(last);
            let likeness = |start: usize| -> f32 {
                (0..HOP)
                    .step_by(2)
                    .map(|i| samples[natural + i] * samples[start + i])
                    .sum()
            };
            piece_at = (from..=to)
                .step_by(2)
                .map(|start| (start, likeness(start)))
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .map_or(wanted, |best| best.0);
        }
        for (i, w) in window.iter().enumerate() {
            // The first half-piece has no neighbour to fade from.
            let w = if at == 0 && i < HOP { 1.0 } else { *w };
            out[at + i] += w * samples[piece_at + i];
        }
    }
    out.truncate(n_out);
    out
}

/// Adds noise whose spectrum lies between white and pink, at a
/// signal-to-noise ratio in decibels over the whole clip.
pub fn add_noise(samples: &mut [f32], snr_db: f32, rng: &mut impl Rng) {
    let colour: f32 = rng.random_range(0.0..0.97);
    let mut low = 0.0;
    let noise: Vec<f32> = samples
        .iter()
        .map(|_| {
            let white: f32 = rng.random_range(-1.0..1.0);
            low = colour * low + (1.0 - colour) * white;
            low
        })
        .collect();
    mix(samples, &noise, snr_db);
}

/// Keeps roughly 300–3,400 Hz: first-order slopes twice on either side.
fn telephone(samples: &mut [f32]) {
    let pole = |hz: f32| (-TAU * hz / SAMPLE_RATE_HZ as f32).exp();
    let (high, low) = (pole(300.0), pole(3_400.0));
    for _ in 0..2 {
        let (mut rumble, mut band) = (0.0, 0.0);
        for s in samples.iter_mut() {
            rumble = high * rumble + (1.0 - high) * *s;
            band = low * band + (1.0 - low) * (*s - rumble);
            *s = band;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn tone(hz: f32) -> Vec<f32> {
        (0..16_000)
            .map(|i| 0.5 * (TAU * hz * i as f32 / 16_000.0).sin())
            .collect()
    }

    /// Rising zero crossings a second of the middle half.
    fn pitch_hz(samples: &[f32]) -> f32 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let n = middle
            .windows(2)
            .filter(|p| p[0] < 0.0 && p[1] >= 0.0)
            .count();
        n as f32 * 16_000.0 / middle.len() as f32
    }

    #[test]
    fn stretching_changes_the_length_and_not_the_pitch() {
        for tempo in [0.85, 1.0, 1.18] {
            let out = stretched(&tone(200.0), tempo);
            assert!((out.len() as f32 - 16_000.0 / tempo).abs() < 2.0);
            assert!(
                (pitch_hz(&out) - 200.0).abs() < 5.0,
                "{tempo}: {}",
                pitch_hz(&out)
            );
        }
    }

    #[test]
    fn shifting_changes_the_pitch_and_not_the_length() {
        let out = pitch_shifted(&tone(200.0), 2.0, 1.0).expect("shifts");
        assert!((out.len() as f32 - 16_000.0).abs() < 20.0, "{}", out.len());
        assert!((pitch_hz(&out) - 224.5).abs() < 5.0, "{}", pitch_hz(&out));
    }

    #[test]
    fn noise_has_the_ratio_asked_for() {
        let clean = tone(200.0);
        let mut noisy = clean.clone();
        add_noise(&mut noisy, 10.0, &mut StdRng::seed_from_u64(1));
        let energy = |x: &mut dyn Iterator<Item = f32>| x.map(|v| v * v).sum::<f32>();
        let signal = energy(&mut clean.iter().copied());
        let noise = energy(&mut noisy.iter().zip(&clean).map(|(a, b)| a - b));
        assert!((10.0 * (signal / noise).log10() - 10.0).abs() < 0.1);
    }

    #[test]
    fn a_telephone_keeps_the_voice_and_drops_the_rest() {
        let level = |hz: f32| {
            let mut s = tone(hz);
            telephone(&mut s);
            s[8_000..].iter().fold(0.0f32, |m, v| m.max(v.abs()))
        };
        assert!(level(1_000.0) > 3.0 * level(60.0) && level(1_000.0) > 1.5 * level(7_000.0));
    }
}
