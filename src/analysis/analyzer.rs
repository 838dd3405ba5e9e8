//! The staircase's last step: samples in, [`Analysis`] out, in bounded memory
//! however long the recording.

use super::{Analysis, AnalyzeError, Notice, Window, waveform::Outline};
use crate::audio::decode::Truncation;
use crate::audio::{Clip, ClipReader, SAMPLE_RATE_HZ};
use crate::emotion::Scores;
use crate::features::FeatureMatrix;
use crate::model::EmotionModel;
use std::ops::ControlFlow;

/// Shortest sound that is judged, seconds. A syllable lasts about 0.2 s; a
/// half-second holds two or three and some melody.
pub const MINIMUM_S: f64 = 0.5;

/// A recording whose peak lies below this holds no voice, decibels relative
/// to full scale. A quiet room recorded with 16 bits peaks near −60 dBFS.
pub const SILENCE_DBFS: f32 = -60.0;

/// Length of a window of the timeline, seconds: a short phrase.
const WINDOW_S: f64 = 2.0;

/// Step between windows, seconds.
const STEP_S: f64 = 0.5;

/// How much is encoded at once, seconds. Also the longest recording that is
/// judged as one utterance; the model was trained on clips of 1–6 s.
const CHUNK_S: f64 = 8.0;

fn samples_of(seconds: f64) -> usize {
    (seconds * f64::from(SAMPLE_RATE_HZ)) as usize
}

/// Collects a recording piece by piece and scores it as it comes.
pub struct Analyzer {
    /// A clone of its own: the weights are shared, and whoever works on several
    /// sounds in turn needs no loan.
    model: EmotionModel,
    /// Samples not yet left behind by the next window's start.
    pending: Vec<f32>,
    /// Where `pending` starts, samples from the beginning.
    start: usize,
    windows: Vec<Window>,
    /// Mean square of each window: louder moments weigh more in the whole.
    energies: Vec<f32>,
    outline: Outline,
    peak: f32,
    n_samples: usize,
}

impl Analyzer {
    /// Starts a recording.
    pub fn new(model: &EmotionModel) -> Analyzer {
        Analyzer {
            model: model.clone(),
            pending: Vec::new(),
            start: 0,
            windows: Vec::new(),
            energies: Vec::new(),
            outline: Outline::default(),
            peak: 0.0,
            n_samples: 0,
        }
    }

    /// Takes the next samples, mono at 16 kHz.
    ///
    /// # Errors
    /// [`AnalyzeError::NotFinite`]; [`AnalyzeError::Internal`] if the model fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), AnalyzeError> {
        if samples.iter().any(|s| !s.is_finite()) {
            return Err(AnalyzeError::NotFinite);
        }
        self.n_samples += samples.len();
        self.peak = samples.iter().fold(self.peak, |p, s| p.max(s.abs()));
        self.outline.push(samples);
        self.pending.extend_from_slice(samples);
        // One sample more than a chunk: a recording of exactly one chunk is
        // still judged as one utterance by `finish`.
        while self.pending.len() > samples_of(CHUNK_S) {
            let chunk: Vec<f32> = self.pending[..samples_of(CHUNK_S)].to_vec();
            let frames = self.encode(&chunk)?;
            let next = self.score_windows(&chunk, &frames)?;
            self.pending.drain(..next);
            self.start += next;
        }
        Ok(())
    }

    /// Scores the windows that lie wholly in `chunk`; returns the start of
    /// the first that does not, samples from the chunk's start.
    fn score_windows(
        &mut self,
        chunk: &[f32],
        frames: &FeatureMatrix,
    ) -> Result<usize, AnalyzeError> {
        let mut at = 0;
        while at + samples_of(WINDOW_S) <= chunk.len() {
            self.score_window(chunk, frames, at, at + samples_of(WINDOW_S))?;
            at += samples_of(STEP_S);
        }
        Ok(at)
    }

    fn score_window(
        &mut self,
        chunk: &[f32],
        frames: &FeatureMatrix,
        from: usize,
        to: usize,
    ) -> Result<(), AnalyzeError> {
        let scores = self.predict(frames, from, to)?;
        let seconds = |sample: usize| (self.start + sample) as f64 / f64::from(SAMPLE_RATE_HZ);
        let window = Window {
            start_s: seconds(from),
            end_s: seconds(to),
            scores,
        };
        let energy = chunk[from..to].iter().map(|s| s * s).sum::<f32>() / (to - from).max(1) as f32;
        self.windows.push(window);
        self.energies.push(energy);
        Ok(())
    }

    fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, AnalyzeError> {
        self.model
            .encode(samples)
            .map_err(|e| AnalyzeError::Internal {
                reason: e.to_string(),
            })
    }

    fn predict(
        &self,
        frames: &FeatureMatrix,
        from: usize,
        to: usize,
    ) -> Result<Scores, AnalyzeError> {
        let hop = self.model.frame_hop_samples();
        let end = to.div_ceil(hop).min(frames.n_frames());
        let begin = (from / hop).min(end.saturating_sub(1));
        self.model
            .predict(frames, begin..end)
            .map_err(|e| AnalyzeError::Internal {
                reason: e.to_string(),
            })
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// [`AnalyzeError::NoSamples`], [`AnalyzeError::TooShort`],
    /// [`AnalyzeError::Silent`]; [`AnalyzeError::Internal`] if the model fails.
    pub fn finish(mut self) -> Result<Analysis, AnalyzeError> {
        if self.n_samples == 0 {
            return Err(AnalyzeError::NoSamples);
        }
        let duration_s = self.n_samples as f64 / f64::from(SAMPLE_RATE_HZ);
        if duration_s < MINIMUM_S {
            return Err(AnalyzeError::TooShort {
                duration_s,
                minimum_s: MINIMUM_S,
            });
        }
        let peak_db = 20.0 * self.peak.max(1e-10).log10();
        if peak_db < SILENCE_DBFS {
            return Err(AnalyzeError::Silent { peak_db });
        }
        let rest = std::mem::take(&mut self.pending);
        let whole = self.start == 0;
        let mut scores = None;
        if rest.len() >= samples_of(MINIMUM_S) {
            let frames = self.encode(&rest)?;
            let next = self.score_windows(&rest, &frames)?;
            // The last window reaches the end, however short what is left.
            let covered = if next == 0 {
                0
            } else {
                next - samples_of(STEP_S) + samples_of(WINDOW_S)
            };
            if covered < rest.len() {
                self.score_window(
                    &rest,
                    &frames,
                    rest.len().saturating_sub(samples_of(WINDOW_S)),
                    rest.len(),
                )?;
            }
            if whole {
                scores = Some(self.predict(&frames, 0, rest.len())?);
            }
        }
        let scores = scores.unwrap_or_else(|| {
            Scores::mean(
                self.windows
                    .iter()
                    .zip(&self.energies)
                    .map(|(w, e)| (w.scores, e.sqrt())),
            )
        });
        let (label, confidence) = scores.top();
        let header = self.model.header();
        Ok(Analysis {
            duration_s,
            scores,
            label,
            confidence,
            sure: confidence >= header.calibration.sure_threshold,
            windows: self.windows,
            waveform: self.outline.finish(),
            model: header.name.clone(),
            notices: Vec::new(),
        })
    }
}

/// Analyses a clip that is already in memory.
///
/// # Errors
/// As [`Analyzer::push`] and [`Analyzer::finish`].
pub fn analyze(model: &EmotionModel, clip: &Clip) -> Result<Analysis, AnalyzeError> {
    let mut analyzer = Analyzer::new(model);
    analyzer.push(clip.samples())?;
    analyzer.finish()
}

/// Decodes and analyses a file as one stream. `progress` hears the fraction
/// read, `0..=1`, after every packet, and may break off.
///
/// # Errors
/// As [`ClipReader`] and [`Analyzer`]; [`AnalyzeError::Cancelled`] if
/// `progress` broke off.
pub fn analyze_stream(
    model: &EmotionModel,
    mut reader: ClipReader,
    mut progress: impl FnMut(f32) -> ControlFlow<()>,
) -> Result<Analysis, AnalyzeError> {
    let mut analyzer = Analyzer::new(model);
    let mut block = Vec::new();
    let mut more = true;
    while more {
        block.clear();
        more = reader.next_block(&mut block)?;
        analyzer.push(&block)?;
        if progress(reader.fraction().unwrap_or(0.0)).is_break() {
            return Err(AnalyzeError::Cancelled);
        }
    }
    let mut analysis = analyzer.finish()?;
    if let Some(Truncation { read_s, expected_s }) = reader.truncation() {
        analysis
            .notices
            .push(Notice::Truncated { read_s, expected_s });
    }
    Ok(analysis)
}
