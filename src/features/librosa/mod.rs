//! librosa 0.11's own defaults, for people who compare.
//!
//! What [`super::Extractor`] computes is causal, so that live and file agree;
//! librosa's defaults are not: decibels end 80 below the *recording's* maximum
//! and chroma is tuned over the whole recording. Here every feature is as the
//! librosa function of its name gives it for a recording at 16 kHz with
//! nothing but `sr=16000` said: `n_fft` 2048, `hop_length` 512, 128 mel bands,
//! 20 coefficients, frames centred, zeros beyond the ends. `yin` and `pyin`,
//! which have no default range, search C2 to C7 (65.4–2093.0 Hz), as librosa's
//! documentation recommends.
//!
//! | columns | librosa |
//! | --- | --- |
//! | `log_mel_*_db` | `power_to_db(feature.melspectrogram(y))` |
//! | `mfcc_*_db` | `feature.mfcc` |
//! | `mfcc_delta_*_db_per_frame`, `mfcc_delta2_*_db_per_frame2` | `feature.delta(mfcc, order=1 or 2)` |
//! | `chroma_*` | `feature.chroma_stft` |
//! | `contrast_*_db` | `feature.spectral_contrast` |
//! | `zero_crossing_rate`, `rms_fs` | the same |
//! | `f0_yin_hz` | `yin` |
//! | `f0_pyin_hz`, `voiced`, `voicing_probability` | `pyin`; 0 Hz where unvoiced |
//! | `centroid_hz` … `flatness` | `feature.spectral_centroid` … |
//! | `onset_strength_db` | `onset.onset_strength` |

mod decibels;
mod pitch;
mod slopes;
mod tuning;

use super::chroma::Chroma;
use super::config::PITCH_CLASSES;
use super::contrast::{Contrast, N_BANDS};
use super::spectral::flux_db;
use super::{Extractor, FeatureConfig, FeatureError, FeatureGroup, FeatureMatrix, MAX_AMPLITUDE};
use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{Dct, Spectrum};
use tuning::Tuning;

/// Step between frames, samples at 16 kHz.
pub const HOP_SAMPLES: usize = 512;
const N_FFT: usize = 2_048;
const N_MELS: usize = 128;
const N_MFCC: usize = 20;
/// Frames by which `onset_strength` comes late: one that it looks back, and
/// half a window.
const ONSET_SHIFT: usize = 1 + N_FFT / (2 * HOP_SAMPLES);

/// A name with its unit for every column of [`extract`], in order.
pub fn names() -> Vec<String> {
    let numbered = |stem: &str, n: usize, unit: &str| {
        let names = (0..n).map(|i| format!("{stem}_{i}{unit}"));
        names.collect::<Vec<String>>()
    };
    let mut names = numbered("log_mel", N_MELS, "_db");
    for (stem, unit) in [
        ("mfcc", "_db"),
        ("mfcc_delta", "_db_per_frame"),
        ("mfcc_delta2", "_db_per_frame2"),
    ] {
        names.extend(numbered(stem, N_MFCC, unit));
    }
    names.extend(PITCH_CLASSES.map(|c| format!("chroma_{c}")));
    names.extend(numbered("contrast", N_BANDS, "_db"));
    let single = [
        "zero_crossing_rate",
        "rms_fs",
        "centroid_hz",
        "bandwidth_hz",
        "rolloff_hz",
        "flatness",
        "f0_yin_hz",
        "f0_pyin_hz",
        "voiced",
        "voicing_probability",
        "onset_strength_db",
    ];
    names.extend(single.map(str::to_owned));
    names
}

/// Features of a whole recording, `[1 + n / 512, 218]`, all finite: mono,
/// 16 kHz, full scale ±1. An empty recording has no frames. Where librosa
/// refuses slopes, under nine frames, the first and last frames are repeated.
///
/// # Errors
/// [`FeatureError::NotFinite`].
pub fn extract(samples: &[f32]) -> Result<FeatureMatrix, FeatureError> {
    let alone = Extractor::new(&frame_groups())?.extract(samples)?;
    let mut padded = vec![0.0; samples.len() + N_FFT];
    for (p, s) in padded[N_FFT / 2..].iter_mut().zip(samples) {
        *p = s.clamp(-MAX_AMPLITUDE, MAX_AMPLITUDE);
    }
    let mut frames: Vec<&[f32]> = padded.windows(N_FFT).step_by(HOP_SAMPLES).collect();
    frames.truncate(alone.n_frames());
    let mut log_mel = alone.columns(0..N_MELS);
    decibels::limit(log_mel.as_mut_slice());
    let mfcc = cepstra(&log_mel);
    let (contrast, tuning) = contrast_and_tuning(&frames);
    Ok(FeatureMatrix::side_by_side(&[
        &log_mel,
        &mfcc,
        &slopes::first(&mfcc),
        &slopes::second(&mfcc),
        &chroma(&frames, tuning),
        &contrast,
        &alone.columns(N_MELS..alone.n_features()),
        &pitch::track(&frames),
        &onset_strength(&log_mel),
    ]))
}

/// What needs nothing of the whole recording, and the mel bands under what
/// does.
fn frame_groups() -> FeatureConfig {
    FeatureConfig {
        n_fft: N_FFT,
        hop_samples: HOP_SAMPLES,
        n_mels: N_MELS,
        n_mfcc: N_MFCC,
        groups: vec![
            FeatureGroup::LogMel,
            FeatureGroup::ZeroCrossingRate,
            FeatureGroup::Rms,
            FeatureGroup::Centroid,
            FeatureGroup::Bandwidth,
            FeatureGroup::Rolloff,
            FeatureGroup::Flatness,
        ],
    }
}

fn cepstra(log_mel: &FeatureMatrix) -> FeatureMatrix {
    let mut dct = Dct::new(N_MELS, N_MFCC);
    let mut mfcc = FeatureMatrix::zeros(log_mel.n_frames(), N_MFCC);
    for t in 0..log_mel.n_frames() {
        dct.apply(log_mel.frame(t), mfcc.frame_mut(t));
    }
    mfcc
}

fn contrast_and_tuning(frames: &[&[f32]]) -> (FeatureMatrix, f64) {
    let mut spectrum = Spectrum::new(N_FFT);
    let mut contrast = Contrast::new(N_FFT, SAMPLE_RATE_HZ);
    let mut tuning = Tuning::new(N_FFT, SAMPLE_RATE_HZ);
    let mut power = vec![0.0; spectrum.n_bins()];
    let mut magnitude = power.clone();
    let mut peaks = FeatureMatrix::zeros(frames.len(), N_BANDS);
    let mut valleys = peaks.clone();
    for (t, frame) in frames.iter().enumerate() {
        spectrum.power(frame, &mut power);
        tuning.add(&power);
        for (m, p) in magnitude.iter_mut().zip(&power) {
            *m = p.sqrt();
        }
        contrast.peaks_and_valleys_db(&magnitude, peaks.frame_mut(t), valleys.frame_mut(t));
    }
    decibels::limit(peaks.as_mut_slice());
    decibels::limit(valleys.as_mut_slice());
    for (peak, valley) in peaks.as_mut_slice().iter_mut().zip(valleys.as_slice()) {
        *peak -= valley;
    }
    (peaks, tuning.semitones())
}

fn chroma(frames: &[&[f32]], tuning: f64) -> FeatureMatrix {
    let mut spectrum = Spectrum::new(N_FFT);
    let bank = Chroma::new(N_FFT, SAMPLE_RATE_HZ, tuning);
    let mut power = vec![0.0; spectrum.n_bins()];
    let mut classes = FeatureMatrix::zeros(frames.len(), PITCH_CLASSES.len());
    for (t, frame) in frames.iter().enumerate() {
        spectrum.power(frame, &mut power);
        bank.apply(&power, classes.frame_mut(t));
    }
    classes
}

fn onset_strength(log_mel: &FeatureMatrix) -> FeatureMatrix {
    let mut strength = FeatureMatrix::zeros(log_mel.n_frames(), 1);
    for t in ONSET_SHIFT..log_mel.n_frames() {
        let late = t + 1 - ONSET_SHIFT;
        strength.frame_mut(t)[0] = flux_db(log_mel.frame(late - 1), log_mel.frame(late));
    }
    strength
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_has_its_frames_and_every_column_a_name() {
        for n in [0, 1, 511, 512, 2_047, 9_000] {
            let samples: Vec<f32> = (0..n).map(|i| (0.1 * i as f32).sin()).collect();
            let features = extract(&samples).expect("extracts");
            let n_frames = if n == 0 { 0 } else { 1 + n / HOP_SAMPLES };
            assert_eq!(features.n_frames(), n_frames, "{n} samples");
            assert_eq!(features.n_features(), names().len());
            assert!(features.as_slice().iter().all(|v| v.is_finite()));
        }
        assert_eq!(
            extract(&[0.0, f32::INFINITY]),
            Err(FeatureError::NotFinite { index: 1 })
        );
    }
}
