//! From samples to rows of features, offline and live.

use super::delta::{DELTA_REACH, curvature_weights, slope_weights};
use super::frame::{FrameAnalyzer, N_PITCH_FRAME, Surroundings};
use super::{FeatureConfig, FeatureError, FeatureGroup, FeatureMatrix};

/// Louder samples are clipped to this, full scale 1: a hundred thousand times
/// full scale is no sound, and its square still leaves room to sum.
pub const MAX_AMPLITUDE: f32 = 1e5;
/// Samples taken into the buffer at once, which bounds it.
const N_PIECE: usize = 4_096;
/// How much of the buffer may be done with before it is dropped, in reaches.
const N_DONE_REACHES: usize = 4;
/// Frames that a slope is taken over.
const N_SLOPE: usize = 2 * DELTA_REACH + 1;

/// Plans once, then turns any number of recordings into features. After
/// planning nothing is allocated for a frame but the row it is given back in.
#[derive(Clone)]
pub struct Extractor {
    config: FeatureConfig,
    analyzer: FrameAnalyzer,
    /// Frames after one that its slopes or its pitch need.
    look_ahead: usize,
    /// Frames that are kept: those awaited, and those behind the one that is
    /// ready that its slopes need.
    n_ring: usize,
    /// Rows not yet given back, by frame number modulo `n_ring`.
    rows: Vec<f32>,
    /// Cepstra of the last frames, by frame number modulo `n_ring`.
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
        let reach = (config.n_fft / 2).max(N_PITCH_FRAME / 2);
        let slopes = [FeatureGroup::MfccDelta, FeatureGroup::MfccDelta2];
        let has_slopes = config.groups.iter().any(|g| slopes.contains(g));
        let analyzer = FrameAnalyzer::new(config);
        let for_slopes = if has_slopes { DELTA_REACH } else { 0 };
        let look_ahead = analyzer.pitch_lag().max(for_slopes);
        let n_ring = look_ahead + 1 + DELTA_REACH;
        let mut extractor = Extractor {
            config: config.clone(),
            analyzer,
            look_ahead,
            n_ring,
            rows: vec![0.0; n_ring * config.n_features()],
            cepstra: vec![0.0; n_ring * config.n_mfcc],
            reach,
            samples: Vec::with_capacity((N_DONE_REACHES + 6) * reach + N_PIECE),
            start: 0,
            n_samples: 0,
            n_computed: 0,
            n_given: 0,
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

    /// How long after its centre a frame is given back, samples: the 32 ms that
    /// the frame itself looks at, and four frames more where slopes, 0.2 s
    /// where pitch is asked for. Only the end of the stream is sooner.
    pub fn delay_samples(&self) -> usize {
        self.reach + self.look_ahead * self.config.hop_samples
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
    /// ready: a frame waits for [`Extractor::delay_samples`] after its centre.
    ///
    /// # Errors
    /// [`FeatureError::NotFinite`]; the stream must then be reset.
    pub fn push(&mut self, samples: &[f32], out: &mut FeatureMatrix) -> Result<(), FeatureError> {
        if let Some(at) = samples.iter().position(|s| !s.is_finite()) {
            return Err(FeatureError::NotFinite {
                index: self.n_samples + at,
            });
        }
        for piece in samples.chunks(N_PIECE) {
            let clipped = piece.iter().map(|s| s.clamp(-MAX_AMPLITUDE, MAX_AMPLITUDE));
            self.samples.extend(clipped);
            self.n_samples += piece.len();
            while self.n_computed * self.config.hop_samples + self.reach <= self.n_samples {
                self.compute_frame();
                self.give(self.look_ahead, out);
            }
            self.forget();
        }
        Ok(())
    }

    /// Drops the samples that no frame will look at any more.
    fn forget(&mut self) {
        let done = (self.n_computed * self.config.hop_samples).saturating_sub(self.start);
        // Moving what is left to the front costs less when done rarely.
        if done > N_DONE_REACHES * self.reach {
            self.samples.drain(..done);
            self.start += done;
        }
    }

    /// Ends the stream: appends the frames that were still waiting.
    pub fn finish(&mut self, out: &mut FeatureMatrix) {
        if self.n_samples > 0 {
            self.samples.resize(self.samples.len() + self.reach, 0.0);
            while self.n_computed * self.config.hop_samples <= self.n_samples {
                self.compute_frame();
                self.give(self.look_ahead, out);
            }
            self.give(0, out);
        }
        self.reset();
    }

    /// Computes the next frame into the rings, all but its slopes.
    fn compute_frame(&mut self) {
        let (config, t) = (&self.config, self.n_computed);
        let centre = t * config.hop_samples;
        // Where sample `centre − reach` lies.
        let at = centre - self.start;
        let half = config.n_fft / 2;
        let n_features = config.n_features();
        self.analyzer.analyze(
            &Surroundings {
                samples: &self.samples[at..at + 2 * self.reach],
                recorded: half.saturating_sub(centre)
                    ..(half + self.n_samples - centre).min(config.n_fft),
                is_first: t == 0,
            },
            &mut self.cepstra[(t % self.n_ring) * config.n_mfcc..][..config.n_mfcc],
            &mut self.rows[(t % self.n_ring) * n_features..][..n_features],
        );
        self.n_computed += 1;
    }

    /// Gives back every row that has `look_ahead` computed rows after it.
    fn give(&mut self, look_ahead: usize, out: &mut FeatureMatrix) {
        let n_features = self.config.n_features();
        while self.n_given + look_ahead < self.n_computed {
            let t = self.n_given;
            let row = (t % self.n_ring) * n_features;
            let mut column = row;
            for i in 0..self.config.groups.len() {
                let group = self.config.groups[i];
                let end = column + self.config.width(group);
                match group {
                    FeatureGroup::MfccDelta => self.write_slopes(t, &slope_weights(), column),
                    FeatureGroup::MfccDelta2 => self.write_slopes(t, &curvature_weights(), column),
                    FeatureGroup::Pitch | FeatureGroup::Voiced => {
                        let columns = &mut self.rows[column..end];
                        self.analyzer.write_pitch(t, group, columns);
                    }
                    _ => {}
                }
                column = end;
            }
            out.push_frame(&self.rows[row..row + n_features]);
            self.n_given += 1;
        }
    }

    /// Weighs the cepstra around frame `t`, the first and last repeated.
    fn write_slopes(&mut self, t: usize, weights: &[f32; N_SLOPE], column: usize) {
        let n_mfcc = self.config.n_mfcc;
        let slopes = &mut self.rows[column..column + n_mfcc];
        slopes.fill(0.0);
        for (i, weight) in weights.iter().enumerate() {
            let frame = (t + i).saturating_sub(DELTA_REACH).min(self.n_computed - 1);
            let cepstrum = &self.cepstra[(frame % self.n_ring) * n_mfcc..][..n_mfcc];
            for (slope, c) in slopes.iter_mut().zip(cepstrum) {
                *slope += weight * c;
            }
        }
    }
}

#[cfg(test)]
mod tests;
