//! The models that are trained: features, front ends and network of each.

use crate::features::{FeatureConfig, FeatureGroup};
use crate::model::front_ends::FrontEndKind;
use crate::model::header::{Architecture, Cell, Pooling, RecurrentConfig};
use crate::model::weights::Precision;
use clap::ValueEnum;
use std::ops::Range;

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
            as_they_are: Vec::new(),
            fading: Vec::new(),
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
            as_they_are: Vec::new(),
            fading: Vec::new(),
            dense,
            dropout,
        };
        match self {
            Recipe::Lstm => from_features(Cell::Lstm),
            Recipe::SimpleRnn => from_features(Cell::SimpleRnn),
            Recipe::Undertone => pooled(2, 96),
            // What keeps the file below a megabyte.
            Recipe::UndertoneLight => pooled(1, 88),
        }
    }

    /// Columns that each head also reads as they are, and those of them that fade as a
    /// voice becomes known, of so many speech features and outputs of each front end:
    /// level and melody, and in a second head what Whisper's encoder hears, until the
    /// voice is known, because it also tells room and microphone. What a speaker encoder
    /// hears says above all who speaks: as it is, it costs voices that are known.
    pub fn as_they_are(
        self,
        n_features: usize,
        n_outputs: &[usize],
    ) -> (Vec<Vec<Range<usize>>>, Vec<Range<usize>>) {
        let half = n_features + n_outputs.iter().sum::<usize>();
        // Means and deviations.
        let both = |columns: Range<usize>| {
            let deviations = half + columns.start..half + columns.end;
            vec![columns, deviations]
        };
        let prosody = both(0..n_features);
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => (Vec::new(), Vec::new()),
            Recipe::Undertone => {
                let last = n_outputs.last().copied().unwrap_or_default();
                let whisper = both(half - last..half);
                let second = [prosody.clone(), whisper.clone()].concat();
                (vec![prosody, second], whisper)
            }
            Recipe::UndertoneLight => (vec![prosody], Vec::new()),
        }
    }

    /// How it is trained and stored.
    pub fn schooling(self) -> Schooling {
        let recurrent = Schooling {
            epochs: 40,
            dropout: 0.3,
            n_altered: 2,
            throats: false,
            tuning: 0,
            batch_size: 32,
            precision: Precision::Half,
        };
        let pooled = Schooling {
            epochs: 100,
            dropout: 0.4,
            n_altered: 3,
            throats: false,
            tuning: 0,
            batch_size: 256,
            precision: Precision::EIGHT_BITS,
        };
        match self {
            Recipe::Lstm | Recipe::SimpleRnn => recurrent,
            Recipe::Undertone => Schooling {
                throats: true,
                tuning: 2,
                ..pooled
            },
            Recipe::UndertoneLight => Schooling {
                tuning: 2,
                dropout: 0.25,
                ..pooled
            },
        }
    }
}

/// How a model is trained and stored, unless told otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Schooling {
    /// Most passes over the data.
    pub epochs: usize,
    /// Share of values dropped, `0..1`.
    pub dropout: f32,
    /// Altered views of each recording.
    pub n_altered: usize,
    /// Whether these are of voices that nobody has.
    pub throats: bool,
    /// Clips a step.
    pub batch_size: usize,
    /// Passes in which the front ends' last layers are tuned.
    pub tuning: usize,
    /// How closely the shipped file keeps the network's own weights.
    pub precision: Precision,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_encoder_is_heard_by_comparison_alone() {
        let (both, fading) = Recipe::Undertone.as_they_are(4, &[10, 20]);
        let (prosody, whisper) = (vec![0..4, 34..38], vec![14..34, 48..68]);
        assert_eq!(both, [prosody.clone(), [prosody, whisper.clone()].concat()]);
        assert_eq!(fading, whisper);
        let (light, fading) = Recipe::UndertoneLight.as_they_are(4, &[10]);
        assert_eq!(light, [vec![0..4, 14..18]]);
        assert!(fading.is_empty());
        assert!(Recipe::Lstm.as_they_are(4, &[]).0.is_empty());
    }
}
