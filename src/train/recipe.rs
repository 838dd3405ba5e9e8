//! The models that are trained: features, front ends and network of each.

use crate::features::{FeatureConfig, FeatureGroup};
use crate::model::front_ends::FrontEndKind;
use crate::model::header::{Architecture, Cell, Pooling, RecurrentConfig};
use crate::model::weights::Precision;
use clap::ValueEnum;

/// A model by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Recipe {
    /// Speech features into long short-term memory
    Lstm,
    /// Speech features into Elman's network
    SimpleRnn,
    /// A speaker encoder, Whisper's encoder and prosody into a pooled head
    Undertone,
    /// A speaker encoder and prosody into a pooled head
    UndertoneLight,
}

impl Recipe {
    /// The name in the model's header.
    pub fn name(self) -> &'static str {
        match self {
            Recipe::Lstm => "lstm",
            Recipe::SimpleRnn => "simple-rnn",
            Recipe::Undertone => "undertone",
            Recipe::UndertoneLight => "undertone-light",
        }
    }

    /// The front ends, in the order of their columns.
    pub fn front_ends(self) -> &'static [FrontEndKind] {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => &[],
            Recipe::Undertone => &[FrontEndKind::Speaker, FrontEndKind::Whisper],
            Recipe::UndertoneLight => &[FrontEndKind::Speaker],
        }
    }

    /// The speech features: all that the founding paper used, or what front
    /// ends throw away, since both normalise the level and neither is asked for
    /// the melody.
    pub fn features(self) -> FeatureConfig {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => FeatureConfig::default(),
            Recipe::Undertone | Recipe::UndertoneLight => FeatureConfig {
                groups: vec![
                    FeatureGroup::ZeroCrossingRate,
                    FeatureGroup::LogEnergy,
                    FeatureGroup::Pitch,
                ],
                ..FeatureConfig::default()
            },
        }
    }

    /// The network; `hidden` counts where there are recurrent layers.
    pub fn architecture(self, hidden: usize, dropout: f32) -> Architecture {
        let recurrent = |cell| RecurrentConfig {
            cell,
            hidden,
            n_layers: 2,
            bidirectional: true,
        };
        // Steps of 40 ms either way: before the convolutions two frames of
        // 10 ms and a stride of four lead to 80 ms.
        let from_features = |cell| Architecture {
            frames_per_step: 2,
            window_normalized: true,
            convolutions: vec![128, 128],
            recurrent: Some(recurrent(cell)),
            pooling: Pooling::Attentive,
            told_baseline: true,
            heads: 1,
            dense: 128,
            dropout,
        };
        let pooled = |heads, dense| Architecture {
            frames_per_step: 2,
            window_normalized: false,
            convolutions: Vec::new(),
            recurrent: None,
            pooling: Pooling::Statistics,
            told_baseline: true,
            heads,
            dense,
            dropout,
        };
        match self {
            Recipe::Lstm => from_features(Cell::Lstm),
            Recipe::SimpleRnn => from_features(Cell::SimpleRnn),
            Recipe::Undertone => pooled(2, 96),
            // What keeps the file below a megabyte.
            Recipe::UndertoneLight => pooled(1, 64),
        }
    }

    /// Whether training stops early: small pooled heads do not overfit within
    /// their passes.
    pub fn early_stopping(self) -> bool {
        matches!(self, Recipe::Lstm | Recipe::SimpleRnn)
    }

    /// Passes over the data.
    pub fn epochs(self) -> usize {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => 40,
            Recipe::Undertone | Recipe::UndertoneLight => 100,
        }
    }

    /// Share of values dropped.
    pub fn dropout(self) -> f32 {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => 0.3,
            Recipe::Undertone | Recipe::UndertoneLight => 0.4,
        }
    }

    /// Altered views of each recording.
    pub fn n_altered(self) -> usize {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => 2,
            Recipe::Undertone => 3,
            Recipe::UndertoneLight => 1,
        }
    }

    /// Clips a step.
    pub fn batch_size(self) -> usize {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => 32,
            Recipe::Undertone | Recipe::UndertoneLight => 256,
        }
    }

    /// How closely the shipped file keeps the network's own weights.
    pub fn precision(self) -> Precision {
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => Precision::Half,
            Recipe::Undertone | Recipe::UndertoneLight => Precision::Eight,
        }
    }
}
