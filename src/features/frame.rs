//! One frame's features, all but the slopes and the pitch, which need its
//! neighbours.

use super::chroma::Chroma;
use super::contrast::Contrast;
use super::pitch::{Difference, Pyin};
use super::spectral::{centroid_and_bandwidth_hz, flatness, flux_db, rolloff_hz};
use super::temporal::{mean_square, zero_crossing_rate};
use super::{FeatureConfig, FeatureGroup};
use crate::audio::SAMPLE_RATE_HZ;
use crate::dsp::{Dct, MelBank, Spectrum, bin_frequencies_hz, power_to_db};
use std::ops::Range;

/// Samples of a pitch frame, 64 ms: nearly four periods of the lowest pitch.
pub const N_PITCH_FRAME: usize = 1_024;
/// Lowest pitch sought, hertz: below a deep male voice.
const MIN_PITCH_HZ: f64 = 60.0;
/// Highest pitch sought, hertz: a woman's cry.
const MAX_PITCH_HZ: f64 = 600.0;
/// How long after a frame's own samples its pitch is decided, seconds: with
/// less, the path agrees with that of the whole recording on fewer frames.
const PITCH_LAG_S: f64 = 0.2;
/// Where the pitch feature is zero, hertz: between men's and women's medians.
pub const REFERENCE_PITCH_HZ: f32 = 150.0;

/// What one frame is computed from.
pub struct Surroundings<'a> {
    /// The samples around the frame's centre, which is in their middle; at
    /// least as many as the transform and the pitch frame take.
    pub samples: &'a [f32],
    /// Which samples of the transform's frame the recording holds; the others
    /// are zero.
    pub recorded: Range<usize>,
    /// Whether nothing came before, so that nothing has risen.
    pub is_first: bool,
}

/// Planned transforms, banks and buffers. No allocation after planning.
#[derive(Clone)]
pub struct FrameAnalyzer {
    config: FeatureConfig,
    needs: Needs,
    spectrum: Spectrum,
    mel: MelBank,
    dct: Dct,
    chroma: Chroma,
    contrast: Contrast,
    /// Planned where pitch is asked for.
    pyin: Option<Pyin>,
    bins_hz: Vec<f32>,
    power: Vec<f32>,
    magnitude: Vec<f32>,
    mel_db: Vec<f32>,
    previous_mel_db: Vec<f32>,
    centroid_hz: f32,
    bandwidth_hz: f32,
}

/// What several groups share, computed only where one of them is asked for.
#[derive(Clone, Copy)]
struct Needs {
    power: bool,
    magnitude: bool,
    mel: bool,
    cepstrum: bool,
    shape: bool,
}

impl Needs {
    fn of(groups: &[FeatureGroup]) -> Needs {
        use FeatureGroup::*;
        let any = |wanted: &[FeatureGroup]| groups.iter().any(|g| wanted.contains(g));
        let cepstrum = any(&[Mfcc, MfccDelta, MfccDelta2]);
        let mel = cepstrum || any(&[LogMel, Flux]);
        let shape = any(&[Centroid, Bandwidth]);
        let magnitude = shape || any(&[Contrast, Rolloff]);
        Needs {
            power: mel || magnitude || any(&[Chroma, Flatness]),
            magnitude,
            mel,
            cepstrum,
            shape,
        }
    }
}

impl FrameAnalyzer {
    /// Plans a configuration that has been checked.
    pub fn new(config: &FeatureConfig) -> FrameAnalyzer {
        let (n_fft, rate_hz) = (config.n_fft, SAMPLE_RATE_HZ);
        let spectrum = Spectrum::new(n_fft);
        let wanted = [FeatureGroup::Pitch, FeatureGroup::Voiced];
        let needs_pitch = config.groups.iter().any(|g| wanted.contains(g));
        FrameAnalyzer {
            needs: Needs::of(&config.groups),
            mel: MelBank::new(config.n_mels, n_fft, rate_hz),
            dct: Dct::new(config.n_mels, config.n_mfcc),
            chroma: Chroma::new(n_fft, rate_hz, 0.0),
            contrast: Contrast::new(n_fft, rate_hz),
            pyin: needs_pitch.then(|| plan_pitch(config.hop_samples)),
            bins_hz: bin_frequencies_hz(n_fft, rate_hz)
                .iter()
                .map(|hz| *hz as f32)
                .collect(),
            power: vec![0.0; spectrum.n_bins()],
            magnitude: vec![0.0; spectrum.n_bins()],
            mel_db: vec![0.0; config.n_mels],
            previous_mel_db: vec![0.0; config.n_mels],
            centroid_hz: 0.0,
            bandwidth_hz: 0.0,
            spectrum,
            config: config.clone(),
        }
    }

    /// Frames after one that its pitch awaits.
    pub fn pitch_lag(&self) -> usize {
        self.pyin.as_ref().map_or(0, Pyin::lag)
    }

    /// Writes one frame's cepstrum `[n_mfcc]` and row `[n_features]`. What no
    /// group needs is left alone, and so are the columns of the slopes and of
    /// the pitch, which await later frames.
    pub fn analyze(&mut self, around: &Surroundings, cepstrum: &mut [f32], row: &mut [f32]) {
        let centre = around.samples.len() / 2;
        if let Some(pyin) = &mut self.pyin {
            if around.is_first {
                pyin.reset();
            }
            let half = N_PITCH_FRAME / 2;
            pyin.push(&around.samples[centre - half..centre + half]);
        }
        let half = self.config.n_fft / 2;
        let frame = &around.samples[centre - half..centre + half];
        self.transform(frame, around.is_first);
        if self.needs.cepstrum {
            self.dct.apply(&self.mel_db, cepstrum);
        }
        let mut rest = row;
        for i in 0..self.config.groups.len() {
            let group = self.config.groups[i];
            let (columns, others) = rest.split_at_mut(self.config.width(group));
            rest = others;
            match group {
                FeatureGroup::Mfcc => columns.copy_from_slice(cepstrum),
                FeatureGroup::MfccDelta | FeatureGroup::MfccDelta2 => {}
                FeatureGroup::Pitch | FeatureGroup::Voiced => {}
                FeatureGroup::ZeroCrossingRate => {
                    let recorded = &frame[around.recorded.clone()];
                    columns[0] = zero_crossing_rate(recorded, frame.len());
                }
                FeatureGroup::LogEnergy => columns[0] = power_to_db(mean_square(frame)),
                FeatureGroup::Rms => columns[0] = mean_square(frame).sqrt(),
                _ => self.write_spectral(group, columns),
            }
        }
    }

    /// Everything that several groups share.
    fn transform(&mut self, frame: &[f32], is_first: bool) {
        if self.needs.power {
            self.spectrum.power(frame, &mut self.power);
        }
        if self.needs.magnitude {
            for (m, p) in self.magnitude.iter_mut().zip(&self.power) {
                *m = p.sqrt();
            }
        }
        if self.needs.shape {
            (self.centroid_hz, self.bandwidth_hz) =
                centroid_and_bandwidth_hz(&self.magnitude, &self.bins_hz);
        }
        if self.needs.mel {
            std::mem::swap(&mut self.mel_db, &mut self.previous_mel_db);
            self.mel.apply(&self.power, &mut self.mel_db);
            self.mel_db.iter_mut().for_each(|p| *p = power_to_db(*p));
            if is_first {
                self.previous_mel_db.copy_from_slice(&self.mel_db);
            }
        }
    }

    fn write_spectral(&mut self, group: FeatureGroup, columns: &mut [f32]) {
        match group {
            FeatureGroup::LogMel => columns.copy_from_slice(&self.mel_db),
            FeatureGroup::Chroma => self.chroma.apply(&self.power, columns),
            FeatureGroup::Contrast => self.contrast.apply(&self.magnitude, columns),
            FeatureGroup::Centroid => columns[0] = self.centroid_hz,
            FeatureGroup::Bandwidth => columns[0] = self.bandwidth_hz,
            FeatureGroup::Rolloff => columns[0] = rolloff_hz(&self.magnitude, &self.bins_hz),
            FeatureGroup::Flatness => columns[0] = flatness(&self.power),
            FeatureGroup::Flux => columns[0] = flux_db(&self.previous_mel_db, &self.mel_db),
            _ => {}
        }
    }

    /// Writes the columns of [`FeatureGroup::Pitch`] or
    /// [`FeatureGroup::Voiced`] for frame `t`, among the last
    /// `pitch_lag() + 1` analysed.
    pub fn write_pitch(&self, t: usize, group: FeatureGroup, columns: &mut [f32]) {
        let Some(pitch) = self.pyin.as_ref().map(|pyin| pyin.pitch(t)) else {
            return;
        };
        let octaves = pitch.f0_hz.map(|hz| (hz / REFERENCE_PITCH_HZ).log2());
        match (group, columns) {
            (FeatureGroup::Pitch, [f0_octaves, voicing]) => {
                *f0_octaves = octaves.unwrap_or(0.0);
                *voicing = pitch.voicing;
            }
            (FeatureGroup::Voiced, [voiced]) => *voiced = f32::from(octaves.is_some()),
            _ => {}
        }
    }
}

fn plan_pitch(hop_samples: usize) -> Pyin {
    let (low, high) = (MIN_PITCH_HZ, MAX_PITCH_HZ);
    let lag = (PITCH_LAG_S * f64::from(SAMPLE_RATE_HZ) / hop_samples as f64) as usize;
    let difference = Difference::new(N_PITCH_FRAME, SAMPLE_RATE_HZ, low, high);
    Pyin::new(difference, hop_samples, low, high, lag)
}
