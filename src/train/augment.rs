//! The same words from another throat, at another tempo, in another place.

use super::noise::{NoiseKind, Talkers, mix};
use super::throats::Throat;
use crate::audio::SAMPLE_RATE_HZ;
use crate::audio::resample::{ResampleError, Resampler};
use rand::Rng;
use std::f32::consts::TAU;

/// Samples of an overlapped piece in time stretching: 32 ms hold two periods
/// of the lowest voice.
const N_PIECE: usize = 512;
/// How far a piece may move to fit its neighbour, samples.
const N_SEARCH: usize = 128;

/// Raised whenever a recording is altered differently.
pub const VERSION: u32 = 3;

/// A random altered view of mono samples at 16 kHz: pitch and tempo of a `throat`, or a pitch
/// of ±2 semitones and a tempo of ×0.85–1.18, gain −9…+6 dB, for most another microphone and
/// noise at 0–25 dB, babble of `talkers` among it, and for some a room or a telephone's band.
///
/// # Errors
/// If the resampler fails.
pub fn altered(
    samples: &[f32],
    talkers: &Talkers,
    throat: Option<Throat>,
    rng: &mut impl Rng,
) -> Result<Vec<f32>, ResampleError> {
    let (semitones, tempo) = match throat {
        None => (rng.random_range(-2.0..2.0), rng.random_range(0.85..1.18)),
        Some(throat) => {
            let mut about = || rng.random_range(-throat.jitter..throat.jitter);
            let semitones = throat.semitones + about();
            (semitones, throat.tempo * (1.0 + 0.08 * about()))
        }
    };
    let mut out = pitch_shifted(samples, semitones, tempo)?;
    if rng.random_bool(0.7) {
        another_microphone(&mut out, rng);
    }
    if rng.random_bool(0.25) {
        out = in_room(&out, rng);
    }
    if rng.random_bool(0.75) {
        let kind = NoiseKind::ALL[rng.random_range(0..NoiseKind::ALL.len())];
        let noise = kind.samples(out.len(), "", talkers, rng);
        mix(&mut out, &noise, rng.random_range(0.0..25.0));
    }
    if rng.random_bool(0.15) {
        telephone(&mut out);
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

/// Adds a small room's echo: sparse impulses of either sign, about 1,500 a
/// second, under an exponential decay by 60 dB in 0.15–0.6 s (velvet noise:
/// Järveläinen & Karjalainen 2007, "Reverberation modeling using velvet
/// noise"), 3–15 dB below the voice.
fn in_room(samples: &[f32], rng: &mut impl Rng) -> Vec<f32> {
    let rate = SAMPLE_RATE_HZ as f32;
    let decay_s: f32 = rng.random_range(0.15..0.6);
    let n_cell = (rate / 1_500.0) as usize;
    let impulses: Vec<(usize, f32)> = (1..(decay_s * rate) as usize / n_cell)
        .map(|cell| {
            let at = cell * n_cell + rng.random_range(0..n_cell);
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            (at, sign * 10f32.powf(-3.0 * at as f32 / (decay_s * rate)))
        })
        .collect();
    let energy: f32 = impulses.iter().map(|(_, a)| a * a).sum();
    let below_db: f32 = rng.random_range(3.0..15.0);
    let gain = 10f32.powf(-below_db / 20.0) / energy.max(1e-12).sqrt();
    let mut out = samples.to_vec();
    for (at, amplitude) in impulses {
        let echo = samples.iter().map(|s| gain * amplitude * s);
        for (o, e) in out.iter_mut().skip(at).zip(echo) {
            *o += e;
        }
    }
    out
}

/// Another microphone, mouth and wall: lows and highs ±9 dB and two bands in between
/// ±6 dB.
fn another_microphone(samples: &mut [f32], rng: &mut impl Rng) {
    let mut between = |low_hz: f32, high_hz: f32, most_db: f32| {
        let hz = rng.random_range(low_hz.ln()..high_hz.ln()).exp();
        (hz, rng.random_range(-most_db..most_db))
    };
    let shapes = [
        (Shape::LowShelf, between(80.0, 500.0, 9.0)),
        (Shape::Bell, between(200.0, 1_500.0, 6.0)),
        (Shape::Bell, between(1_000.0, 5_000.0, 6.0)),
        (Shape::HighShelf, between(2_000.0, 6_000.0, 9.0)),
    ];
    for (shape, (hz, gain_db)) in shapes {
        equalise(samples, shape, hz, gain_db);
    }
}

/// What a filter raises or lowers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    /// Everything below.
    LowShelf,
    /// Everything above.
    HighShelf,
    /// An octave and a half about.
    Bell,
}

/// Raises a part of the spectrum by `gain_db`: second-order filters of
/// Bristow-Johnson's "Cookbook formulae for audio equalizer biquad filter
/// coefficients", shelves of slope one, bells of quality 0.9.
fn equalise(samples: &mut [f32], shape: Shape, hz: f32, gain_db: f32) {
    let a = 10f32.powf(gain_db / 40.0);
    let (sin, cos) = (TAU * hz / SAMPLE_RATE_HZ as f32).sin_cos();
    // A low shelf seen in the mirror is a high one.
    let side = if shape == Shape::HighShelf { -1.0 } else { 1.0 };
    let (b, a) = match shape {
        Shape::Bell => {
            let alpha = sin / (2.0 * 0.9);
            (
                [1.0 + alpha * a, -2.0 * cos, 1.0 - alpha * a],
                [1.0 + alpha / a, -2.0 * cos, 1.0 - alpha / a],
            )
        }
        Shape::LowShelf | Shape::HighShelf => {
            let cos = side * cos;
            let root = a.sqrt() * sin * std::f32::consts::SQRT_2;
            let (more, less) = (a + 1.0, a - 1.0);
            (
                [
                    a * (more - less * cos + root),
                    side * 2.0 * a * (less - more * cos),
                    a * (more - less * cos - root),
                ],
                [
                    more + less * cos + root,
                    side * -2.0 * (less + more * cos),
                    more + less * cos - root,
                ],
            )
        }
    };
    let [b, a] = [b, [0.0, a[1], a[2]]].map(|c| c.map(|v| v / a[0]));
    // Transposed direct form II.
    let mut kept = [0.0; 2];
    for s in samples {
        let x = *s;
        *s = b[0] * x + kept[0];
        kept = [b[1] * x - a[1] * *s + kept[1], b[2] * x - a[2] * *s];
    }
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
    fn a_room_rings_after_the_sound_and_no_louder() {
        let mut click = vec![0.0; 16_000];
        click[0] = 1.0;
        let out = in_room(&click, &mut StdRng::seed_from_u64(1));
        let echo = out[1..].iter().map(|s| s * s).sum::<f32>();
        let below_db = -10.0 * echo.log10();
        assert!((2.9..15.1).contains(&below_db), "{below_db}");
        assert_eq!(out[0], 1.0);
    }

    #[test]
    fn an_equaliser_raises_what_it_is_told_to_and_nothing_else() {
        let level_db = |shape: Shape, hz: f32| {
            let mut s = tone(hz);
            equalise(&mut s, shape, 800.0, 6.0);
            20.0 * (s[8_000..].iter().fold(0.0f32, |m, v| m.max(v.abs())) / 0.5).log10()
        };
        for (shape, expected) in [
            (Shape::LowShelf, [6.0, 3.0, 0.0]),
            (Shape::HighShelf, [0.0, 3.0, 6.0]),
            (Shape::Bell, [0.0, 6.0, 0.0]),
        ] {
            for (hz, expected) in [40.0, 800.0, 7_000.0].into_iter().zip(expected) {
                let actual = level_db(shape, hz);
                assert!((actual - expected).abs() < 0.3, "{shape:?} {hz}: {actual}");
            }
        }
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
