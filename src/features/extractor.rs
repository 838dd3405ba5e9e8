//! From samples to rows of features, offline and live.

use super::chroma::Chroma;
use super::contrast::Contrast;
use super::delta::{DELTA_REACH, curvature_weights, slope_weights};
use super::pitch::Yin;
use super::spectral::{centroid_and_bandwidth_hz, flatness, flux_db, power_to_db, rolloff_hz};
use super::temporal::{mean_square, zero_crossing_rate};
use super::{FeatureConfig, FeatureError, FeatureGroup, FeatureMatrix};
use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{Dct, MelBank, Spectrum, bin_frequencies_hz};

/// Samples of a pitch frame, 64 ms: nearly four periods of the lowest pitch.
const N_PITCH_FRAME: usize = 1_024;
/// Lowest pitch sought, hertz: below a deep male voice.
const MIN_PITCH_HZ: f64 = 60.0;
/// Highest pitch sought, hertz: a woman's cry.
const MAX_PITCH_HZ: f64 = 600.0;
/// Where the pitch feature is zero, hertz: between men's and women's medians.
const REFERENCE_PITCH_HZ: f32 = 150.0;
/// Louder samples are clipped: a hundred thousand times full scale is no
/// sound, and its square still leaves room to sum.
const MAX_AMPLITUDE: f32 = 1e5;
/// Rows computed ahead of the one that is ready, and rows behind it, that the
/// slopes need.
const N_RING: usize = 2 * DELTA_REACH + 1;

/// Plans once, then turns any number of recordings into features. After
/// planning nothing is allocated for a frame but the row it is given back in.
#[derive(Clone)]
pub struct Extractor {
    config: FeatureConfig,
    spectrum: Spectrum,
    mel: MelBank,
    dct: Dct,
    chroma: Chroma,
    contrast: Contrast,
    yin: Yin,
    bins_hz: Vec<f32>,
    power: Vec<f32>,
    mel_db: Vec<f32>,
    previous_mel_db: Vec<f32>,
    /// Rows not yet given back, by frame number modulo [`N_RING`].
    rows: Vec<f32>,
    /// Cepstra of the last frames, by frame number modulo [`N_RING`].
    cepstra: Vec<f32>,
    /// Samples on either side of a frame's centre that any feature looks at.
    reach: usize,
    /// Samples still needed; the first is sample `start − reach`.
    samples: Vec<f32>,
    start: usize,
    n_samples: usize,
    n_computed: usize,
    n_given: usize,
}

impl Extractor {
    /// Plans transforms, banks and buffers.
    ///
    /// # Errors
    /// [`FeatureError::Config`] if the configuration makes no sense.
    pub fn new(config: &FeatureConfig) -> Result<Extractor, FeatureError> {
        config.check()?;
        let rate_hz = SAMPLE_RATE_HZ;
        let spectrum = Spectrum::new(config.n_fft);
        let reach = (config.n_fft / 2).max(N_PITCH_FRAME / 2);
        let mut extractor = Extractor {
            mel: MelBank::new(config.n_mels, config.n_fft, rate_hz),
            dct: Dct::new(config.n_mels, config.n_mfcc),
            chroma: Chroma::new(config.n_fft, rate_hz),
            contrast: Contrast::new(config.n_fft, rate_hz),
            yin: Yin::new(N_PITCH_FRAME, rate_hz, MIN_PITCH_HZ, MAX_PITCH_HZ),
            bins_hz: bin_frequencies_hz(config.n_fft, rate_hz)
                .iter()
                .map(|hz| *hz as f32)
                .collect(),
            power: vec![0.0; spectrum.n_bins()],
            mel_db: vec![0.0; config.n_mels],
            previous_mel_db: vec![0.0; config.n_mels],
            rows: vec![0.0; N_RING * config.n_features()],
            cepstra: vec![0.0; N_RING * config.n_mfcc],
            reach,
            samples: Vec::new(),
            start: 0,
            n_samples: 0,
            n_computed: 0,
            n_given: 0,
            spectrum,
            config: config.clone(),
        };
        extractor.reset();
        Ok(extractor)
    }

    /// The configuration it was planned for.
    pub fn config(&self) -> &FeatureConfig {
        &self.config
    }

    /// Columns of a row.
    pub fn n_features(&self) -> usize {
        self.config.n_features()
    }

    /// Forgets the stream, so that the next sample is a recording's first.
    pub fn reset(&mut self) {
        self.samples.clear();
        self.samples.resize(self.reach, 0.0);
        self.start = 0;
        self.n_samples = 0;
        self.n_computed = 0;
        self.n_given = 0;
    }

    /// Features of a whole recording: mono, 16 kHz, full scale ±1. An empty
    /// one has no frames.
    ///
    /// # Errors
    /// [`FeatureError::NotFinite`].
    pub fn extract(&mut self, samples: &[f32]) -> Result<FeatureMatrix, FeatureError> {
        self.reset();
        let mut out = FeatureMatrix::new(self.n_features());
        out.reserve(1 + samples.len() / self.config.hop_samples);
        self.push(samples, &mut out)?;
        self.finish(&mut out);
        Ok(out)
    }

    /// Takes the next samples of a stream and appends the frames that are
    /// ready: a frame waits for the 32 ms after its centre, and four frames
    /// more where slopes are asked for.
    ///
    /// # Errors
    /// [`FeatureError::NotFinite`]; the stream must then be reset.
    pub fn push(&mut self, samples: &[f32], out: &mut FeatureMatrix) -> Result<(), FeatureError> {
        if let Some(at) = samples.iter().position(|s| !s.is_finite()) {
            return Err(FeatureError::NotFinite {
                index: self.n_samples + at,
            });
        }
        self.samples.extend(
            samples
                .iter()
                .map(|s| s.clamp(-MAX_AMPLITUDE, MAX_AMPLITUDE)),
        );
        self.n_samples += samples.len();
        while self.n_computed * self.config.hop_samples + self.reach <= self.n_samples {
            self.compute_frame();
            self.give(self.look_ahead(), out);
        }
        let done = (self.n_computed * self.config.hop_samples).saturating_sub(self.start);
        // Moving what is left to the front costs less when done rarely.
        if done > 4 * self.reach {
            self.samples.drain(..done);
            self.start += done;
        }
        Ok(())
    }

    /// Ends the stream: appends the frames that were still waiting.
    pub fn finish(&mut self, out: &mut FeatureMatrix) {
        if self.n_samples > 0 {
            self.samples.resize(self.samples.len() + self.reach, 0.0);
            while self.n_computed * self.config.hop_samples <= self.n_samples {
                self.compute_frame();
                self.give(self.look_ahead(), out);
            }
            self.give(0, out);
        }
        self.reset();
    }

    fn look_ahead(&self) -> usize {
        let slopes = [FeatureGroup::MfccDelta, FeatureGroup::MfccDelta2];
        if self.config.groups.iter().any(|g| slopes.contains(g)) {
            DELTA_REACH
        } else {
            0
        }
    }

    /// Computes the next frame into the rings, all but its slopes.
    fn compute_frame(&mut self) {
        let (config, t) = (&self.config, self.n_computed);
        // Where sample `t · hop − reach` lies.
        let at = t * config.hop_samples - self.start;
        let centre = at + self.reach;
        let half = config.n_fft / 2;
        let frame = &self.samples[centre - half..centre + half];
        self.spectrum.power(frame, &mut self.power);
        std::mem::swap(&mut self.mel_db, &mut self.previous_mel_db);
        self.mel.apply(&self.power, &mut self.mel_db);
        self.mel_db.iter_mut().for_each(|p| *p = power_to_db(*p));
        if t == 0 {
            self.previous_mel_db.copy_from_slice(&self.mel_db);
        }
        let cepstrum = &mut self.cepstra[(t % N_RING) * config.n_mfcc..][..config.n_mfcc];
        self.dct.apply(&self.mel_db, cepstrum);
        let n_features = config.n_features();
        let mut rest = &mut self.rows[(t % N_RING) * n_features..][..n_features];
        for group in &config.groups {
            let (columns, others) = rest.split_at_mut(config.width(*group));
            rest = others;
            match group {
                FeatureGroup::LogMel => columns.copy_from_slice(&self.mel_db),
                FeatureGroup::Mfcc => columns.copy_from_slice(cepstrum),
                // Slopes are written when the frames after this one are known.
                FeatureGroup::MfccDelta | FeatureGroup::MfccDelta2 => {}
                FeatureGroup::Chroma => self.chroma.apply(&self.power, columns),
                FeatureGroup::Contrast => self.contrast.apply(&self.power, columns),
                FeatureGroup::ZeroCrossingRate => {
                    let first = half.saturating_sub(t * config.hop_samples);
                    let end = (half + self.n_samples - t * config.hop_samples).min(config.n_fft);
                    columns[0] = zero_crossing_rate(&frame[first..end], config.n_fft);
                }
                FeatureGroup::LogEnergy => columns[0] = power_to_db(mean_square(frame)),
                FeatureGroup::Pitch => {
                    let wide =
                        &self.samples[centre - N_PITCH_FRAME / 2..centre + N_PITCH_FRAME / 2];
                    let pitch = self.yin.estimate(wide);
                    let octaves = (pitch.f0_hz / REFERENCE_PITCH_HZ).log2();
                    columns[0] = if pitch.voicing > 0.5 { octaves } else { 0.0 };
                    columns[1] = pitch.voicing;
                }
                FeatureGroup::Centroid => {
                    columns[0] = centroid_and_bandwidth_hz(&self.power, &self.bins_hz).0
                }
                FeatureGroup::Bandwidth => {
                    columns[0] = centroid_and_bandwidth_hz(&self.power, &self.bins_hz).1
                }
                FeatureGroup::Rolloff => columns[0] = rolloff_hz(&self.power, &self.bins_hz),
                FeatureGroup::Flatness => columns[0] = flatness(&self.power),
                FeatureGroup::Flux => columns[0] = flux_db(&self.previous_mel_db, &self.mel_db),
            }
        }
        self.n_computed += 1;
    }

    /// Gives back every row that has `look_ahead` computed rows after it.
    fn give(&mut self, look_ahead: usize, out: &mut FeatureMatrix) {
        let n_features = self.config.n_features();
        while self.n_given + look_ahead < self.n_computed {
            let t = self.n_given;
            let row = (t % N_RING) * n_features;
            let mut column = row;
            for i in 0..self.config.groups.len() {
                let group = self.config.groups[i];
                let weights = match group {
                    FeatureGroup::MfccDelta => Some(slope_weights()),
                    FeatureGroup::MfccDelta2 => Some(curvature_weights()),
                    _ => None,
                };
                if let Some(weights) = weights {
                    self.write_slopes(t, &weights, column);
                }
                column += self.config.width(group);
            }
            out.push_frame(&self.rows[row..row + n_features]);
            self.n_given += 1;
        }
    }

    /// Weighs the cepstra around frame `t`, the first and last repeated.
    fn write_slopes(&mut self, t: usize, weights: &[f32; N_RING], column: usize) {
        let n_mfcc = self.config.n_mfcc;
        let slopes = &mut self.rows[column..column + n_mfcc];
        slopes.fill(0.0);
        for (i, weight) in weights.iter().enumerate() {
            let frame = (t + i).saturating_sub(DELTA_REACH).min(self.n_computed - 1);
            let cepstrum = &self.cepstra[(frame % N_RING) * n_mfcc..][..n_mfcc];
            for (slope, c) in slopes.iter_mut().zip(cepstrum) {
                *slope += weight * c;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f32::consts::TAU;

    fn speechlike(n: usize) -> Vec<f32> {
        (0..n)
            .map(|i| {
                let t = i as f32 / 16_000.0;
                0.3 * (TAU * (120.0 + 40.0 * (3.0 * t).sin()) * t).sin()
                    * (1.0 + (TAU * 4.0 * t).sin())
            })
            .collect()
    }

    #[test]
    fn rows_are_as_wide_as_their_names_and_as_many_as_promised() {
        let config = FeatureConfig::all();
        let mut extractor = Extractor::new(&config).expect("plans");
        assert_eq!(config.names().len(), config.n_features());
        for n in [1, 159, 160, 161, 4_000, 16_000] {
            let features = extractor.extract(&speechlike(n)).expect("extracts");
            assert_eq!(features.n_frames(), 1 + n / 160, "{n} samples");
            assert_eq!(features.n_features(), config.n_features());
        }
        assert_eq!(extractor.extract(&[]).expect("extracts").n_frames(), 0);
    }

    #[test]
    fn a_tone_has_its_pitch() {
        let tone: Vec<f32> = (0..16_000)
            .map(|i| (TAU * 300.0 * i as f32 / 16_000.0).sin())
            .collect();
        let config = FeatureConfig {
            groups: vec![FeatureGroup::Pitch],
            ..FeatureConfig::default()
        };
        let features = Extractor::new(&config)
            .expect("plans")
            .extract(&tone)
            .expect("extracts");
        let middle = features.frame(50);
        assert!(
            (middle[0] - 1.0).abs() < 0.01 && middle[1] > 0.9,
            "{middle:?}"
        );
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
        let result = extractor.extract(&[0.0, f32::NAN]);
        assert_eq!(result, Err(FeatureError::NotFinite { index: 1 }));
        let config = FeatureConfig {
            n_mfcc: 90,
            ..FeatureConfig::default()
        };
        assert!(matches!(
            Extractor::new(&config),
            Err(FeatureError::Config { .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_partition_of_a_stream_gives_the_offline_frames(
            n in 1usize..9_000,
            cuts in prop::collection::vec(1usize..3_000, 1..12),
        ) {
            let samples = speechlike(n);
            let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
            let offline = extractor.extract(&samples).expect("extracts");
            let mut live = FeatureMatrix::new(extractor.n_features());
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(n);
                extractor.push(&samples[at..end], &mut live).expect("pushes");
                at = end;
                if at == n {
                    break;
                }
            }
            extractor.finish(&mut live);
            prop_assert_eq!(live, offline);
        }

        #[test]
        fn any_finite_samples_give_finite_features(
            samples in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..2_000),
        ) {
            let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
            let features = extractor.extract(&samples).expect("extracts");
            prop_assert!(features.as_slice().iter().all(|v| v.is_finite()));
        }
    }
}
