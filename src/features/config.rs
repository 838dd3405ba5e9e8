//! Which features, and how they are computed.

use super::FeatureError;
use serde::{Deserialize, Serialize};

/// One kind of feature; it may fill several columns.
///
/// The spectrum under them is that of `n_fft` samples around the frame's
/// centre under a periodic Hann window, unnormalised: power `|X[k]|²`,
/// magnitude `|X[k]|`, bins `0..=n_fft/2`, bin `k` at `k · 16000 / n_fft` Hz.
/// Decibels are `10·log10(max(power, 1e-10))`. Each is the librosa 0.11
/// function named, at 16 kHz with `center=True`, zeros beyond the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureGroup {
    /// Mel band power, decibels, `[n_mels]`, from −100: power under triangles
    /// of equal area, evenly on Slaney's mel scale from 0 to 8000 Hz;
    /// `power_to_db(feature.melspectrogram(), top_db=None)`.
    LogMel,
    /// Mel-frequency cepstral coefficients, decibels, `[n_mfcc]`: the first
    /// coefficients of the orthonormal DCT-II of [`FeatureGroup::LogMel`], no
    /// lifter; `feature.mfcc(S=log_mel)`.
    Mfcc,
    /// Their slope, decibels a frame: that of the least-squares line over nine
    /// frames, the ends repeated; `feature.delta(mode="nearest")`.
    MfccDelta,
    /// Their curvature, decibels a frame²: the second derivative of the
    /// least-squares parabola over nine frames; `feature.delta(order=2,
    /// mode="nearest")`.
    MfccDelta2,
    /// Power of the twelve pitch classes from C, over that of the strongest,
    /// `0..=1`; zero for silence. A4 is 440 Hz;
    /// `feature.chroma_stft(tuning=0)`.
    Chroma,
    /// Peak above valley in seven bands (below 200 Hz, then octaves, the last
    /// to 8000 Hz), zero or more: means of the strongest and the weakest 2 % of
    /// a band's bins, at least one, as `10·log10` of the *magnitude*, so half
    /// of the usual decibels. Nothing counts as weaker than 120 dB below the
    /// frame's strongest bin; otherwise `feature.spectral_contrast`.
    Contrast,
    /// Share of the samples, of a frame of `n_fft`, whose sign differs from the
    /// one before, `0..=1`; `feature.zero_crossing_rate`.
    ZeroCrossingRate,
    /// Mean square of the `n_fft` samples, decibels relative to full scale, from
    /// −100.
    LogEnergy,
    /// Root mean square of the `n_fft` samples, full scale 1; `feature.rms`.
    Rms,
    /// Pitch (`f0_octaves`: octaves from 150 Hz, `log2(F0 / 150)`, 0 where
    /// unvoiced) and the probability that the frame alone is voiced (`0..=1`),
    /// by pYIN (Mauch and Dixon 2014) over YIN's difference (de Cheveigné and
    /// Kawahara 2002) of 1,024 samples, 60–600 Hz, step by step in
    /// [`super::pitch::Pyin`]; `pyin(fmin=60, fmax=600, frame_length=1024,
    /// hop_length=hop_samples)` with two differences. A frame's path is decided
    /// 0.2 s later instead of at the recording's end, which changes voicing on
    /// about 2 % of the frames (up to 9 % in noise); and F0 is that of the
    /// trough itself, not the nearest of steps of ten cents.
    Pitch,
    /// Whether that path calls the frame voiced, 0 or 1. It weighs the frames
    /// around it, so it may differ from what the frame's probability says.
    Voiced,
    /// Mean frequency, weighted by magnitude, hertz, `0..=8000`; zero for
    /// silence; `feature.spectral_centroid`.
    Centroid,
    /// Standard deviation about it, hertz, `0..=8000`;
    /// `feature.spectral_bandwidth`.
    Bandwidth,
    /// Lowest bin up to which 85 % of the magnitude lies, hertz, `0..=8000`;
    /// `feature.spectral_rolloff`.
    Rolloff,
    /// Geometric over arithmetic mean of the power, each bin at least 1e-10;
    /// `0..=1`, one for white noise and for silence;
    /// `feature.spectral_flatness`.
    Flatness,
    /// Mean rise of the mel bands since the last frame, falls counting zero,
    /// decibels, zero or more and zero at first;
    /// `onset.onset_strength(S=log_mel, center=False)`.
    Flux,
}

/// The features of a model, stored in its header, so that a model always
/// meets the features it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureConfig {
    /// Window length of the transform, samples at 16 kHz; even.
    pub n_fft: usize,
    /// Step between frames, samples.
    pub hop_samples: usize,
    /// Mel bands, also under the MFCC.
    pub n_mels: usize,
    /// Cepstral coefficients, at most `n_mels`.
    pub n_mfcc: usize,
    /// The groups, in the order of their columns.
    pub groups: Vec<FeatureGroup>,
}

/// The pitch classes in the order of chroma's columns; `s` is sharp.
pub(super) const PITCH_CLASSES: [&str; 12] = [
    "c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b",
];

impl Default for FeatureConfig {
    /// 25 ms windows every 10 ms, 64 mel bands, 32 coefficients: the groups that
    /// the founding paper used, with slopes, energy and pitch beside.
    fn default() -> FeatureConfig {
        FeatureConfig {
            n_fft: 400,
            hop_samples: 160,
            n_mels: 64,
            n_mfcc: 32,
            groups: vec![
                FeatureGroup::Mfcc,
                FeatureGroup::MfccDelta,
                FeatureGroup::Chroma,
                FeatureGroup::Contrast,
                FeatureGroup::ZeroCrossingRate,
                FeatureGroup::LogEnergy,
                FeatureGroup::Pitch,
            ],
        }
    }
}

impl FeatureConfig {
    /// Every group there is, with librosa's twenty coefficients.
    pub fn all() -> FeatureConfig {
        FeatureConfig {
            n_mfcc: 20,
            groups: vec![
                FeatureGroup::LogMel,
                FeatureGroup::Mfcc,
                FeatureGroup::MfccDelta,
                FeatureGroup::MfccDelta2,
                FeatureGroup::Chroma,
                FeatureGroup::Contrast,
                FeatureGroup::ZeroCrossingRate,
                FeatureGroup::LogEnergy,
                FeatureGroup::Rms,
                FeatureGroup::Pitch,
                FeatureGroup::Voiced,
                FeatureGroup::Centroid,
                FeatureGroup::Bandwidth,
                FeatureGroup::Rolloff,
                FeatureGroup::Flatness,
                FeatureGroup::Flux,
            ],
            ..FeatureConfig::default()
        }
    }

    /// Columns of one group.
    pub fn width(&self, group: FeatureGroup) -> usize {
        match group {
            FeatureGroup::LogMel => self.n_mels,
            FeatureGroup::Mfcc | FeatureGroup::MfccDelta | FeatureGroup::MfccDelta2 => self.n_mfcc,
            FeatureGroup::Chroma => 12,
            FeatureGroup::Contrast => 7,
            FeatureGroup::Pitch => 2,
            _ => 1,
        }
    }

    /// Columns in all.
    pub fn n_features(&self) -> usize {
        self.groups.iter().map(|g| self.width(*g)).sum()
    }

    /// A name with its unit for every column, in order, as the CSV header has
    /// it; `fs` is full scale, and what has no unit is a share or a
    /// probability, `0..=1`.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.n_features());
        for group in &self.groups {
            let n = self.width(*group);
            let mut numbered = |stem: &str, unit: &str, first: usize| {
                names.extend((first..first + n).map(|i| format!("{stem}_{i}{unit}")));
            };
            match group {
                FeatureGroup::LogMel => numbered("log_mel", "_db", 0),
                FeatureGroup::Mfcc => numbered("mfcc", "_db", 0),
                FeatureGroup::MfccDelta => numbered("mfcc_delta", "_db_per_frame", 0),
                FeatureGroup::MfccDelta2 => numbered("mfcc_delta2", "_db_per_frame2", 0),
                FeatureGroup::Chroma => {
                    names.extend(PITCH_CLASSES.map(|c| format!("chroma_{c}")));
                }
                FeatureGroup::Contrast => numbered("contrast", "_db", 0),
                FeatureGroup::ZeroCrossingRate => names.push("zero_crossing_rate".into()),
                FeatureGroup::LogEnergy => names.push("log_energy_dbfs".into()),
                FeatureGroup::Rms => names.push("rms_fs".into()),
                FeatureGroup::Pitch => {
                    names.extend(["f0_octaves".into(), "voicing_probability".into()])
                }
                FeatureGroup::Voiced => names.push("voiced".into()),
                FeatureGroup::Centroid => names.push("centroid_hz".into()),
                FeatureGroup::Bandwidth => names.push("bandwidth_hz".into()),
                FeatureGroup::Rolloff => names.push("rolloff_hz".into()),
                FeatureGroup::Flatness => names.push("flatness".into()),
                FeatureGroup::Flux => names.push("flux_db".into()),
            }
        }
        names
    }

    /// Refuses what cannot be computed.
    ///
    /// # Errors
    /// [`FeatureError::Config`].
    pub fn check(&self) -> Result<(), FeatureError> {
        let fault = |reason: &str| {
            Err(FeatureError::Config {
                reason: reason.to_owned(),
            })
        };
        if !(64..=8_192).contains(&self.n_fft) || !self.n_fft.is_multiple_of(2) {
            return fault("n_fft must be even and within 64..=8192");
        }
        if self.hop_samples == 0 || self.hop_samples > self.n_fft {
            return fault("hop_samples must be within 1..=n_fft");
        }
        if self.n_mels == 0 || self.n_mels > 256 || self.n_mfcc == 0 || self.n_mfcc > self.n_mels {
            return fault("n_mels must be within 1..=256 and n_mfcc within 1..=n_mels");
        }
        if self.groups.is_empty() {
            return fault("at least one group of features is needed");
        }
        Ok(())
    }
}
