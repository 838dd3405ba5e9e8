//! The emotion models: from frames to probabilities.
//!
//! [`EmotionModel::load`] reads a model file; [`EmotionModel::encode`] turns
//! samples into the frames the model reads, and [`EmotionModel::predict`] a
//! range of those frames into [`Scores`]. Training moves the weights of a
//! [`network`]; in use the same weights are packed once and run without a graph.

mod activation;
pub mod affine;
pub mod artifact;
pub mod baseline;
pub mod calibration;
pub mod domains;
pub mod encoder;
mod error;
pub mod front_ends;
pub mod header;
mod in_use;
pub mod linear;
pub mod matmul;
pub mod network;
pub mod normalize;
pub mod pooling;
pub mod recurrent;
pub mod shipped;
pub mod stream;
pub mod weights;

pub use artifact::Artifact;
pub use encoder::Encoder;
pub use error::ModelError;
pub use header::ModelHeader;

use crate::audio::SAMPLE_RATE_HZ;
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::features::FeatureMatrix;
use baseline::{Baseline, BaselineKind, Displacements, Heard};
use calibration::Answer;
use domains::Domains;
use header::Pooling;
use in_use::PackedNetwork;
use normalize::Reference;
use std::ops::Range;
use std::sync::Arc;
use stream::FrameStream;

/// What a model makes of a stretch of speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Calibrated probabilities.
    pub scores: Scores,
    /// How far it lies from all that was trained on, one or more.
    pub novelty: f32,
}

/// A model ready to answer. Clones share the weights.
#[derive(Clone)]
pub struct EmotionModel {
    header: ModelHeader,
    network: Arc<PackedNetwork>,
    encoder: Encoder,
    displacements: Displacements,
    /// None where a model tells nothing of what is strange.
    domains: Option<Arc<Domains>>,
    population: Reference,
    /// What the voice is compared with.
    reference: Reference,
}

/// Name of the displacements among an artifact's weights.
pub const DISPLACEMENTS: &str = "displacements";

impl EmotionModel {
    /// Reads a model file.
    ///
    /// # Errors
    /// If the bytes are no model file, are damaged, or belong to another
    /// version of the program.
    pub fn load(bytes: &[u8]) -> Result<EmotionModel, ModelError> {
        EmotionModel::new(Artifact::from_bytes(bytes)?)
    }

    /// Builds the network from header and weights.
    ///
    /// # Errors
    /// If the weights do not fit the header.
    pub fn new(artifact: Artifact) -> Result<EmotionModel, ModelError> {
        let front_ends = artifact.packed_front_ends();
        let Artifact {
            header,
            mut weights,
            ..
        } = artifact;
        let expected: Vec<String> = Emotion::ALL.iter().map(|e| e.name().to_owned()).collect();
        if header.classes != expected {
            return Err(ModelError::Classes {
                expected,
                actual: header.classes,
            });
        }
        let encoder = Encoder::new(&header.features, &front_ends)?;
        let architecture = &header.architecture;
        let n_columns = architecture.n_columns(encoder.n_features());
        let statistics = &header.normalizer;
        let displacements = match weights.remove(DISPLACEMENTS) {
            Some(values) => values.flatten_all()?.to_vec1::<f32>()?,
            None => vec![0.0; N_EMOTIONS * n_columns],
        };
        let mut numbers = |name: &str| match weights.remove(name) {
            Some(values) => values.flatten_all()?.to_vec1::<f32>(),
            None => Ok(Vec::new()),
        };
        let directions = numbers(domains::DIRECTIONS)?;
        let centres = numbers(domains::CENTRES)?;
        let domains = match directions.is_empty() && centres.is_empty() {
            true => None,
            false => Some(Arc::new(Domains::new(&directions, &centres, n_columns)?)),
        };
        for (what, expected, actual) in [
            ("means", n_columns, statistics.mean.len()),
            ("deviations", n_columns, statistics.deviation.len()),
            ("speakers' deviations", n_columns, statistics.within.len()),
            ("displacements", N_EMOTIONS * n_columns, displacements.len()),
        ] {
            if actual != expected {
                return Err(ModelError::Length {
                    what: what.to_owned(),
                    expected,
                    actual,
                });
            }
        }
        if architecture.frames_per_step == 0 || architecture.heads == 0 {
            return Err(ModelError::Length {
                what: "step or heads".to_owned(),
                expected: 1,
                actual: 0,
            });
        }
        let by_heads = architecture.as_they_are.iter().flatten();
        let mut as_they_are = by_heads.chain(&architecture.fading);
        let pooled = architecture.pooling == Pooling::Statistics;
        if let Some(columns) = as_they_are.find(|c| !pooled || c.start > c.end || c.end > n_columns)
        {
            return Err(ModelError::Length {
                what: "columns read as they are".to_owned(),
                expected: if pooled { n_columns } else { 0 },
                actual: columns.end,
            });
        }
        let network = Arc::new(PackedNetwork::new(architecture, n_columns, &weights)?);
        Ok(EmotionModel {
            population: header.normalizer.reference(),
            reference: header.normalizer.reference(),
            displacements: Displacements::new(displacements),
            domains,
            header,
            network,
            encoder,
        })
    }

    /// What the model says about itself.
    pub fn header(&self) -> &ModelHeader {
        &self.header
    }

    /// Step between the frames of [`EmotionModel::encode`], samples at 16 kHz.
    pub fn frame_hop_samples(&self) -> usize {
        self.encoder.hop_samples()
    }

    /// Which of the frames, the first of which begins at the sample `origin`, hear these
    /// samples.
    pub fn frames_of(
        &self,
        frames: &FeatureMatrix,
        samples: &Range<usize>,
        origin: usize,
    ) -> Range<usize> {
        let hop = self.frame_hop_samples();
        let end = (samples.end - origin).div_ceil(hop).min(frames.n_frames());
        ((samples.start - origin) / hop).min(end.saturating_sub(1))..end
    }

    /// The frames the model reads, `[frames, features]`, of samples at 16 kHz.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        self.encoder.encode(samples)
    }

    /// Follows a stream from its first sample; the frames of the last
    /// `window_samples` at 16 kHz can be had at any time.
    ///
    /// # Errors
    /// As [`FrameStream::new`].
    pub fn follow(&self, window_samples: usize) -> Result<FrameStream, ModelError> {
        FrameStream::new(&self.encoder, window_samples)
    }

    /// What is known of an utterance, a range of frames, for a [`Baseline`].
    ///
    /// # Errors
    /// If the range is empty or reaches past the frames, or the frames are not
    /// this model's.
    pub fn columns(
        &self,
        frames: &FeatureMatrix,
        range: Range<usize>,
    ) -> Result<FeatureMatrix, ModelError> {
        self.check(frames, &range)?;
        Ok(normalize::columns(frames, range, &self.header.architecture))
    }

    /// What is known of a recording that is judged as one, as [`normalize::of_recording`]
    /// makes it of all its frames and those from its first voice to its last.
    ///
    /// # Errors
    /// As [`EmotionModel::columns`].
    pub fn columns_of_recording(
        &self,
        frames: &FeatureMatrix,
        spoken: Range<usize>,
    ) -> Result<FeatureMatrix, ModelError> {
        self.check(frames, &spoken)?;
        let architecture = &self.header.architecture;
        Ok(normalize::of_recording(frames, spoken, architecture))
    }

    fn check(&self, frames: &FeatureMatrix, range: &Range<usize>) -> Result<(), ModelError> {
        let expected = self.encoder.n_features();
        if frames.n_features() != expected {
            return Err(ModelError::Width {
                expected,
                actual: frames.n_features(),
            });
        }
        if range.is_empty() || range.end > frames.n_frames() {
            return Err(ModelError::Range {
                start: range.start,
                end: range.end,
                n_frames: frames.n_frames(),
            });
        }
        Ok(())
    }

    /// From now on, judges by what is known of the speaker; without a
    /// baseline, or with an empty one, as somebody unknown.
    ///
    /// # Errors
    /// [`ModelError::NoBaseline`] if the model was not trained to use one;
    /// [`ModelError::Width`] if it is another model's.
    pub fn compare_with(&mut self, baseline: Option<&Baseline>) -> Result<(), ModelError> {
        self.reference = self.population.clone();
        let Some(baseline) = baseline.filter(|b| !b.utterances().is_empty()) else {
            return Ok(());
        };
        if !self.header.architecture.told_baseline {
            return Err(ModelError::NoBaseline {
                model: self.header.name.clone(),
            });
        }
        let expected = self.reference.mean.len();
        let utterances = baseline.utterances();
        if let Some(other) = utterances.iter().find(|u| u.n_features() != expected) {
            return Err(ModelError::Width {
                expected,
                actual: other.n_features(),
            });
        }
        let heard = match baseline.kind() {
            BaselineKind::Ordinary => Heard::NOTHING,
            BaselineKind::Session => {
                let heard = self.heard(utterances)?;
                self.reference = self.reference_of(baseline, &heard.a_little_varied());
                heard.and_again(&self.heard(utterances)?)
            }
        };
        self.reference = self.reference_of(baseline, &heard);
        Ok(())
    }

    /// Which emotions utterances hold, compared with what they are compared with now.
    fn heard(&self, utterances: &[FeatureMatrix]) -> Result<Heard, ModelError> {
        let logits = utterances.iter().map(|utterance| self.logits(utterance));
        Ok(Heard::of(&logits.collect::<Result<Vec<_>, _>>()?))
    }

    /// What a speaker is compared with of whom this was heard.
    fn reference_of(&self, baseline: &Baseline, heard: &Heard) -> Reference {
        baseline::reference(
            baseline.kind(),
            baseline.utterances().iter(),
            heard,
            &self.header.normalizer,
            &self.displacements,
        )
    }

    /// A range of frames, judged as if it were all there is.
    ///
    /// # Errors
    /// As [`EmotionModel::columns`].
    pub fn predict(
        &self,
        frames: &FeatureMatrix,
        range: Range<usize>,
    ) -> Result<Prediction, ModelError> {
        self.judged(range.len(), &self.columns(frames, range.clone())?)
    }

    /// A recording that is judged as one.
    ///
    /// # Errors
    /// As [`EmotionModel::columns`].
    pub fn predict_recording(
        &self,
        frames: &FeatureMatrix,
        spoken: Range<usize>,
    ) -> Result<Prediction, ModelError> {
        let columns = self.columns_of_recording(frames, spoken)?;
        self.judged(frames.n_frames(), &columns)
    }

    /// The columns of so many frames.
    fn judged(&self, n_frames: usize, columns: &FeatureMatrix) -> Result<Prediction, ModelError> {
        let n_samples = n_frames * self.frame_hop_samples();
        let duration_s = n_samples as f64 / f64::from(SAMPLE_RATE_HZ);
        self.prediction(columns, duration_s)
    }

    /// [`EmotionModel::columns`] of so many seconds.
    ///
    /// # Errors
    /// If the columns are not this model's.
    pub fn prediction(
        &self,
        columns: &FeatureMatrix,
        duration_s: f64,
    ) -> Result<Prediction, ModelError> {
        let answer = self.answer(columns)?;
        Ok(Prediction {
            scores: self.header.calibration.scores(&answer, duration_s),
            novelty: answer.novelty,
        })
    }

    /// What [`Calibration::scores`] makes probabilities of.
    ///
    /// # Errors
    /// If the columns are not this model's.
    ///
    /// [`Calibration::scores`]: calibration::Calibration::scores
    pub fn answer(&self, columns: &FeatureMatrix) -> Result<Answer, ModelError> {
        Ok(Answer {
            logits: self.logits(columns)?,
            novelty: self.novelty(columns),
        })
    }

    /// [`Domains::novelty`] of these columns, of which nothing is left where the voice is
    /// known, since it is compared with itself there, in its own room. One where a model tells
    /// nothing of it.
    fn novelty(&self, columns: &FeatureMatrix) -> f32 {
        let unknown = self.reference.unknown();
        match &self.domains {
            Some(domains) if unknown > 0.0 => domains
                .novelty(columns.frame(0), &self.population)
                .powf(unknown),
            _ => 1.0,
        }
    }

    /// What becomes probabilities, of [`EmotionModel::columns`].
    ///
    /// # Errors
    /// If the columns are not this model's.
    pub fn logits(&self, columns: &FeatureMatrix) -> Result<[f32; N_EMOTIONS], ModelError> {
        let inputs = normalize::inputs(
            columns,
            &self.reference,
            &self.population,
            &self.header.architecture,
        );
        Ok(self.network.logits(inputs.as_slice()))
    }
}

#[cfg(test)]
mod tests;
