//! From samples to the frames that a network reads: the speech features alone,
//! or beside what front ends make of the clip. Training runs this too.

use super::error::ModelError;
use super::front_ends::{FrontEnd, HOP_SAMPLES, MAX_SAMPLES, PackedFrontEnd};
use super::normalize::averaged;
use crate::features::{Extractor, FeatureConfig, FeatureMatrix};

/// Plans once, then encodes any number of recordings. Clones share the front
/// ends' weights.
#[derive(Clone)]
pub struct Encoder {
    extractor: Extractor,
    front_ends: Vec<FrontEnd>,
}

impl Encoder {
    /// Plans the features and unpacks the front ends, if there are any.
    ///
    /// # Errors
    /// If the features make no sense, their hop does not divide the front
    /// ends', or weights do not fit.
    pub fn new(
        features: &FeatureConfig,
        front_ends: &[PackedFrontEnd],
    ) -> Result<Encoder, ModelError> {
        let extractor =
            Extractor::new(features).map_err(|e| ModelError::Features(e.to_string()))?;
        if !front_ends.is_empty() && !HOP_SAMPLES.is_multiple_of(features.hop_samples) {
            return Err(ModelError::Length {
                what: "features' hop".to_owned(),
                expected: HOP_SAMPLES,
                actual: features.hop_samples,
            });
        }
        Ok(Encoder {
            extractor,
            front_ends: front_ends
                .iter()
                .map(FrontEnd::new)
                .collect::<Result<_, _>>()?,
        })
    }

    /// What computes the speech features.
    pub(super) fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// The front ends, in the order of their columns.
    pub(super) fn front_ends(&self) -> &[FrontEnd] {
        &self.front_ends
    }

    /// Step between frames, samples at 16 kHz.
    pub fn hop_samples(&self) -> usize {
        if self.front_ends.is_empty() {
            self.extractor.config().hop_samples
        } else {
            HOP_SAMPLES
        }
    }

    /// Columns of [`Encoder::encode`].
    pub fn n_features(&self) -> usize {
        self.extractor.n_features() + self.n_learnt()
    }

    /// Columns of [`Encoder::learnt`].
    pub fn n_learnt(&self) -> usize {
        self.front_ends.iter().map(FrontEnd::n_outputs).sum()
    }

    /// Frames `[frames, features]` of mono samples at 16 kHz: the speech
    /// features, averaged to the front ends' hop, then the front ends' outputs
    /// in their order. An empty recording has none. Front ends hear at most 8 s
    /// at once: a longer recording is cut for them.
    ///
    /// # Errors
    /// [`ModelError::Features`] if a sample is not a finite number.
    pub fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        let features = self.features(samples)?;
        if self.front_ends.is_empty() || samples.is_empty() {
            return Ok(features);
        }
        Ok(beside(&features, &self.learnt(samples)?))
    }

    /// The first columns of [`Encoder::encode`]: the speech features.
    ///
    /// # Errors
    /// [`ModelError::Features`] if a sample is not a finite number.
    pub fn features(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        let features = self
            .extractor
            .extract(samples)
            .map_err(|e| ModelError::Features(e.to_string()))?;
        let per_frame = self.hop_samples() / self.extractor.config().hop_samples;
        Ok(averaged(&features, 0..features.n_frames(), per_frame))
    }

    /// The other columns of [`Encoder::encode`]: what the front ends make of
    /// the samples, which are finite.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn learnt(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        let width = self.n_learnt();
        let n_frames = (samples.len() / (HOP_SAMPLES / 2)).div_ceil(2).max(1);
        let mut rows = vec![0.0; n_frames * width];
        let mut column = 0;
        for front_end in &mut self.front_ends {
            let mut rows = rows.chunks_exact_mut(width);
            for piece in samples.chunks(MAX_SAMPLES) {
                let frames = front_end.encode(piece)?;
                let n_wanted = MAX_SAMPLES / HOP_SAMPLES;
                for (i, row) in (&mut rows)
                    .take(n_wanted.min(frames.n_frames()))
                    .enumerate()
                {
                    row[column..column + frames.n_features()].copy_from_slice(frames.frame(i));
                }
            }
            column += front_end.n_outputs();
        }
        Ok(FeatureMatrix::from_rows(rows, width))
    }

    /// What the layers that training moves read of the samples, of each front end; of the
    /// samples [`Encoder::learnt`] made `learnt`: frames at the layer's own step.
    ///
    /// # Errors
    /// [`ModelError::FrontEnd`] if it is Whisper's encoder with less than two
    /// blocks.
    pub fn below_tuned_layers(
        &mut self,
        samples: &[f32],
        learnt: &FeatureMatrix,
    ) -> Result<Vec<FeatureMatrix>, ModelError> {
        let mut end = 0;
        let below = self.front_ends.iter_mut().map(|front_end| {
            end += front_end.n_outputs();
            match front_end {
                FrontEnd::Speaker(speaker) => {
                    let mut rows = Vec::new();
                    let mut width = 0;
                    for piece in samples.chunks(MAX_SAMPLES) {
                        let frames = speaker.below_last_layer(piece);
                        width = frames.n_features();
                        let n = frames.n_frames().min(2 * MAX_SAMPLES / HOP_SAMPLES);
                        rows.extend_from_slice(&frames.as_slice()[..n * width]);
                    }
                    // Two to a frame, as many as are wanted.
                    rows.truncate(2 * learnt.n_frames() * width);
                    Ok(FeatureMatrix::from_rows(rows, width))
                }
                FrontEnd::Whisper(whisper) if whisper.n_tuned() > 0 => {
                    let width = whisper.width();
                    let tuned = end - whisper.n_tuned() * width;
                    let row = |i| &learnt.frame(i)[tuned - width..tuned];
                    let rows = (0..learnt.n_frames()).flat_map(row);
                    Ok(FeatureMatrix::from_rows(rows.copied().collect(), width))
                }
                FrontEnd::Whisper(_) => Err(ModelError::FrontEnd {
                    reason: "one block of Whisper's encoder cannot be tuned".to_owned(),
                }),
            }
        });
        below.collect()
    }
}

/// Two matrices side by side, as long as the second; the first is at least as
/// long.
pub fn beside(left: &FeatureMatrix, right: &FeatureMatrix) -> FeatureMatrix {
    let (split, width) = (left.n_features(), left.n_features() + right.n_features());
    let mut rows = vec![0.0; right.n_frames() * width];
    for (i, row) in rows.chunks_exact_mut(width).enumerate() {
        row[..split].copy_from_slice(left.frame(i));
        row[split..].copy_from_slice(right.frame(i));
    }
    FeatureMatrix::from_rows(rows, width)
}
