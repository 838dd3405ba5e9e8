//! How a recording's voice sounds, in figures that people read.

mod irregularity;
mod rhythm;
mod statistics;
mod tilt;

use crate::audio::SAMPLE_RATE_HZ;
use crate::features::pitch::{Boersma, Track};
use crate::features::{Extractor, FeatureConfig, FeatureError, FeatureGroup, MAX_AMPLITUDE};
use serde::{Deserialize, Serialize};
use statistics::quantile;

/// Step between frames, samples at 16 kHz: 10 ms.
const HOP_SAMPLES: usize = 160;
/// The same in seconds.
const HOP_S: f32 = HOP_SAMPLES as f32 / SAMPLE_RATE_HZ as f32;

/// A recording's voice as a whole. What cannot be told, because nothing is
/// voiced or the recording is too short, is `None`. Every share and slope is of
/// 10 ms frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VoiceProfile {
    /// Time with voice, seconds.
    pub voiced_s: f32,
    /// Median pitch, hertz, within 75–600: as Praat's *To Pitch* (Boersma
    /// 1993) with its defaults.
    pub pitch_median_hz: Option<f32>,
    /// Pitch that 5 % of the voiced time lies below, hertz.
    pub pitch_low_hz: Option<f32>,
    /// Pitch that 5 % of the voiced time lies above, hertz.
    pub pitch_high_hz: Option<f32>,
    /// From the low to the high pitch, hertz.
    pub pitch_range_hz: Option<f32>,
    /// From the low to the high pitch, semitones.
    pub pitch_range_semitones: Option<f32>,
    /// Median level of the voiced frames (25 ms), decibels relative to full
    /// scale: of the recording, not of the voice at its source.
    pub loudness_median_dbfs: Option<f32>,
    /// From the 5th to the 95th percentile of that level, decibels.
    pub loudness_range_db: Option<f32>,
    /// Syllable nuclei a second between the first and the last sound, pauses
    /// included: voiced peaks of the level, at least 2 dB above the dips on
    /// either side (after de Jong and Wempe 2009).
    pub speaking_rate_syllables_per_s: Option<f32>,
    /// Share of the time between the first and the last sound that lies in
    /// pauses of 0.3 s or more, `0..=1`.
    pub pause_ratio: Option<f32>,
    /// Beats a minute, 30–300, to which the onsets fit best, with librosa's
    /// preference for tempi about 120; `None` under three seconds.
    pub onset_tempo_per_min: Option<f32>,
    /// Jitter-like: how far a frame's pitch period lies from the mean of its
    /// neighbours', on average, per cent of the mean period. Of frames, not of
    /// single vibrations, so no clinical jitter.
    pub pitch_irregularity_percent: Option<f32>,
    /// Shimmer-like: the same of the frames' amplitude (root mean square), per
    /// cent. Of frames, not of single vibrations, so no clinical shimmer.
    pub loudness_irregularity_percent: Option<f32>,
    /// Slope of the voiced frames' mean spectrum from 100 to 5000 Hz, decibels
    /// an octave; a soft voice falls more steeply than a pressed one.
    pub spectral_tilt_db_per_octave: Option<f32>,
}

impl VoiceProfile {
    /// Describes a whole recording: mono, 16 kHz, full scale ±1. Works on the
    /// recording as a whole, in memory of about twice its size.
    ///
    /// # Errors
    /// [`FeatureError::NotFinite`].
    pub fn of(samples: &[f32]) -> Result<VoiceProfile, FeatureError> {
        let samples = without_mean(samples)?;
        let config = FeatureConfig {
            hop_samples: HOP_SAMPLES,
            groups: vec![FeatureGroup::Rms, FeatureGroup::Flux, FeatureGroup::LogMel],
            ..FeatureConfig::default()
        };
        let features = Extractor::new(&config)?.extract(&samples)?;
        let n = features.n_frames();
        let rms: Vec<f32> = (0..n).map(|t| features.frame(t)[0]).collect();
        let flux: Vec<f32> = (0..n).map(|t| features.frame(t)[1]).collect();
        let track = Boersma::new(SAMPLE_RATE_HZ).track(&samples, HOP_SAMPLES);
        let f0_hz = on_frames(&track, n);
        let voiced = f0_hz.iter().map(Option::is_some).collect::<Vec<bool>>();
        let voiced_mel = (0..n)
            .filter(|t| voiced[*t])
            .map(|t| &features.frame(t)[2..]);
        let mut profile = VoiceProfile {
            voiced_s: HOP_S * voiced.iter().filter(|v| **v).count() as f32,
            onset_tempo_per_min: rhythm::tempo_per_min(&flux),
            pitch_irregularity_percent: irregularity::of_pitch_percent(&f0_hz),
            loudness_irregularity_percent: irregularity::of_level_percent(&rms, &voiced),
            spectral_tilt_db_per_octave: tilt::db_per_octave(voiced_mel),
            ..VoiceProfile::default()
        };
        profile.set_pitch(track.f0_hz.iter().flatten().copied().collect());
        profile.set_loudness(&rms, &voiced);
        if let Some(rhythm) = rhythm::Rhythm::of(&rms, &voiced) {
            profile.speaking_rate_syllables_per_s = Some(rhythm.n_nuclei as f32 / rhythm.span_s);
            profile.pause_ratio = Some(rhythm.paused_s / rhythm.span_s);
        }
        Ok(profile)
    }

    fn set_pitch(&mut self, mut f0_hz: Vec<f32>) {
        f0_hz.sort_unstable_by(f32::total_cmp);
        let (low, high) = (quantile(&f0_hz, 0.05), quantile(&f0_hz, 0.95));
        self.pitch_median_hz = quantile(&f0_hz, 0.5);
        (self.pitch_low_hz, self.pitch_high_hz) = (low, high);
        if let (Some(low), Some(high)) = (low, high) {
            self.pitch_range_hz = Some(high - low);
            self.pitch_range_semitones = Some(12.0 * (high / low).log2());
        }
    }

    fn set_loudness(&mut self, rms: &[f32], voiced: &[bool]) {
        let heard = rms.iter().zip(voiced).filter(|(_, voiced)| **voiced);
        let mut levels: Vec<f32> = heard.map(|(rms, _)| 20.0 * rms.log10()).collect();
        levels.sort_unstable_by(f32::total_cmp);
        self.loudness_median_dbfs = quantile(&levels, 0.5);
        let (low, high) = (quantile(&levels, 0.05), quantile(&levels, 0.95));
        self.loudness_range_db = low.zip(high).map(|(low, high)| high - low);
    }

    /// Every figure with its name and unit, for a table.
    pub fn rows(&self) -> [(&'static str, Option<f32>, &'static str); 14] {
        [
            ("voiced time", Some(self.voiced_s), "s"),
            ("median pitch", self.pitch_median_hz, "Hz"),
            ("low pitch (5 %)", self.pitch_low_hz, "Hz"),
            ("high pitch (95 %)", self.pitch_high_hz, "Hz"),
            ("pitch range", self.pitch_range_hz, "Hz"),
            ("pitch range", self.pitch_range_semitones, "semitones"),
            ("median loudness", self.loudness_median_dbfs, "dBFS"),
            ("loudness range", self.loudness_range_db, "dB"),
            (
                "speaking rate",
                self.speaking_rate_syllables_per_s,
                "syllables/s",
            ),
            ("pause ratio", self.pause_ratio, "of the time"),
            ("onset tempo", self.onset_tempo_per_min, "/min"),
            ("pitch irregularity", self.pitch_irregularity_percent, "%"),
            (
                "loudness irregularity",
                self.loudness_irregularity_percent,
                "%",
            ),
            (
                "spectral tilt",
                self.spectral_tilt_db_per_octave,
                "dB/octave",
            ),
        ]
    }
}

/// The samples less their mean, which is no sound.
fn without_mean(samples: &[f32]) -> Result<Vec<f32>, FeatureError> {
    if let Some(index) = samples.iter().position(|s| !s.is_finite()) {
        return Err(FeatureError::NotFinite { index });
    }
    let clipped = samples
        .iter()
        .map(|s| s.clamp(-MAX_AMPLITUDE, MAX_AMPLITUDE));
    let sum: f64 = clipped.clone().map(f64::from).sum();
    let mean = (sum / samples.len().max(1) as f64) as f32;
    Ok(clipped.map(|s| s - mean).collect())
}

/// The pitch of the extractor's `n` frames: of the track's nearest each.
fn on_frames(track: &Track, n: usize) -> Vec<Option<f32>> {
    (0..n)
        .map(|t| {
            let after = (t * HOP_SAMPLES + HOP_SAMPLES / 2).checked_sub(track.first_centre)?;
            *track.f0_hz.get(after / HOP_SAMPLES)?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    /// Bursts of a 140 Hz voice, 0.15 s each at 4 a second, for `seconds`.
    fn syllables(seconds: f32) -> Vec<f32> {
        (0..(16_000.0 * seconds) as usize)
            .map(|i| {
                let t = i as f32 / 16_000.0;
                let envelope = (TAU * 4.0 * t).sin().max(0.0) + 0.02;
                let phase = TAU * 140.0 * t;
                let voice: f32 = (1..50).map(|k| (k as f32 * phase).sin() / k as f32).sum();
                0.3 * envelope * voice
            })
            .collect()
    }

    #[test]
    fn syllables_are_counted_and_heard() {
        let profile = VoiceProfile::of(&syllables(4.0)).expect("finite");
        let near = |value: Option<f32>, expected: f32, tolerance: f32| {
            let value = value.expect("a figure");
            assert!(
                (value - expected).abs() <= tolerance,
                "{value}, not {expected}"
            );
        };
        near(profile.pitch_median_hz, 140.0, 0.5);
        near(profile.pitch_range_semitones, 0.0, 0.3);
        near(profile.speaking_rate_syllables_per_s, 4.0, 0.3);
        near(profile.pause_ratio, 0.0, 0.0);
        near(profile.onset_tempo_per_min, 120.0, 2.0);
        near(profile.pitch_irregularity_percent, 0.0, 0.3);
        near(profile.spectral_tilt_db_per_octave, -6.0, 1.0);
    }

    #[test]
    fn a_pause_is_measured() {
        let mut samples = syllables(1.5);
        samples.extend(vec![0.0; 16_000]);
        samples.extend(syllables(1.5));
        let profile = VoiceProfile::of(&samples).expect("finite");
        let ratio = profile.pause_ratio.expect("a figure");
        assert!((ratio - 0.28).abs() < 0.05, "{ratio}");
    }

    #[test]
    fn whatever_comes_is_described_or_refused() {
        for samples in [
            vec![],
            vec![0.3],
            vec![0.0; 32_000],
            vec![0.5; 32_000],
            vec![f32::MAX; 4_000],
            vec![1e-42; 4_000],
        ] {
            let profile = VoiceProfile::of(&samples).expect("finite");
            assert_eq!(profile.pitch_median_hz, None);
            assert!(
                profile
                    .rows()
                    .iter()
                    .all(|r| r.1.is_none_or(f32::is_finite))
            );
        }
        let refused = VoiceProfile::of(&[0.0, f32::NAN]);
        assert_eq!(refused, Err(FeatureError::NotFinite { index: 1 }));
    }
}
