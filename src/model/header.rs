//! What a model file says about itself.

use super::calibration::Calibration;
use super::front_ends::FrontEndHeader;
use super::normalize::{N_SHARES, Normalizer};
use crate::features::FeatureConfig;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Raised whenever a file of the old form can no longer be read.
pub const FORMAT_VERSION: u32 = 3;

/// Which recurrence a layer computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// Long short-term memory, gates in PyTorch's order i, f, g, o.
    Lstm,
    /// Elman's network with tanh.
    SimpleRnn,
}

impl Cell {
    /// Gates a unit has: rows of the weights are `n_gates · hidden`.
    pub fn n_gates(self) -> usize {
        match self {
            Cell::Lstm => 4,
            Cell::SimpleRnn => 1,
        }
    }
}

/// A stack of recurrent layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecurrentConfig {
    /// The recurrence.
    pub cell: Cell,
    /// Units of one direction.
    pub hidden: usize,
    /// Layers, one upon the other.
    pub n_layers: usize,
    /// Whether each layer also reads backwards.
    pub bidirectional: bool,
}

impl RecurrentConfig {
    /// One or two.
    pub fn n_directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }
}

/// How a sequence becomes one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Attention, a part of the network, after its other layers.
    Attentive,
    /// Mean and standard deviation over time of what the encoder gives, before
    /// it is normalised: whole utterances are compared with utterances. The
    /// network has neither convolutions nor recurrent layers of its own.
    Statistics,
}

/// The network's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// Consecutive frames whose mean is one step of the network.
    pub frames_per_step: usize,
    /// Whether each step also carries its features normalised over the window
    /// itself, beside those normalised over the training data. The first says
    /// how the voice moves, the second how loud and how high it is.
    pub window_normalized: bool,
    /// Output channels of the convolutions before the recurrent layers; each
    /// spans six steps and halves their number.
    pub convolutions: Vec<usize>,
    /// The recurrent layers; a pooled head over a front end may do without.
    pub recurrent: Option<RecurrentConfig>,
    /// How the sequence becomes one vector.
    pub pooling: Pooling,
    /// Whether each input ends with how far a speaker's baseline was followed.
    pub told_baseline: bool,
    /// Heads over the pooled vector, each with weights of its own; the answer
    /// is the mean of their logits.
    pub heads: usize,
    /// Columns that each head also reads as they are, compared with the population
    /// whatever is known of the voice; none for heads beyond the list. Only where
    /// pooling is [`Pooling::Statistics`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub as_they_are: Vec<Vec<Range<usize>>>,
    /// Of these columns those that fade as a voice becomes known: they weigh one
    /// less the share to which its baseline is followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fading: Vec<Range<usize>>,
    /// Units of a head's dense layer between pooling and classes.
    pub dense: usize,
    /// Share of values dropped before the dense layers and between recurrent
    /// layers in training, `0..1`.
    pub dropout: f32,
}

impl Architecture {
    /// Values a row of the network's input, of so many columns to normalise.
    pub fn n_inputs(&self, n_columns: usize) -> usize {
        let as_they_are = if self.as_they_are.is_empty() {
            0
        } else {
            n_columns
        };
        self.n_compared(n_columns) + as_they_are
    }

    /// Values that every head reads of them, the first; the columns as they are
    /// follow.
    pub fn n_compared(&self, n_columns: usize) -> usize {
        let copies = if self.window_normalized { 2 } else { 1 };
        let shares = if self.told_baseline { N_SHARES } else { 0 };
        copies * n_columns + shares
    }

    /// Which of a row's values a head reads; none if it reads all.
    pub fn read_by(&self, head: usize, n_columns: usize) -> Option<Vec<usize>> {
        if self.as_they_are.is_empty() {
            return None;
        }
        let n_compared = self.n_compared(n_columns);
        let own = self.as_they_are.get(head).into_iter().flatten();
        let own = own.flat_map(|columns| columns.clone().map(|c| n_compared + c));
        Some((0..n_compared).chain(own).collect())
    }

    /// Columns that are normalised, of so many features a frame.
    pub fn n_columns(&self, n_features: usize) -> usize {
        match self.pooling {
            Pooling::Attentive => n_features,
            Pooling::Statistics => 2 * n_features,
        }
    }
}

/// How and on what a model was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingFacts {
    /// Corpora and how many clips of each were used.
    pub corpora: Vec<(String, usize)>,
    /// Speakers trained on, `corpus/speaker`.
    pub speakers: Vec<String>,
    /// Passes over the data that the shipped weights saw.
    pub epochs: usize,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
    /// Version of the program that trained.
    pub program_version: String,
    /// Licence of the weights, which follows from the corpora.
    pub license: String,
}

/// Everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// Short name, as shown to people: `lstm`, `simple-rnn`, `undertone`, ….
    pub name: String,
    /// Class names in the order of the network's outputs.
    pub classes: Vec<String>,
    /// The speech features the model reads.
    pub features: FeatureConfig,
    /// The front ends whose frames follow the features, in their order; their
    /// weights lie in the file under `front_ends.0.`, `front_ends.1.`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub front_ends: Vec<FrontEndHeader>,
    /// The network's shape.
    pub architecture: Architecture,
    /// Statistics of the training data, by column.
    pub normalizer: Normalizer,
    /// How logits become probabilities.
    pub calibration: Calibration,
    /// How and on what it was trained.
    pub training: TrainingFacts,
    /// SHA-256 of the weights' bytes, lower-case hexadecimal.
    pub checksum: String,
}
