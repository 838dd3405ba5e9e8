//! The protocols: who is trained on, who is tested, how often.

use super::corpora::Recording;
use super::examples::Examples;
use super::judge::{Knowledge, judge};
use super::metrics::{Metrics, Outcome};
use super::split::{N_FOLDS, Split, by_corpus, by_speaker, shuffled};
use super::trainer::{Progress, TrainingConfig, train};
use crate::emotion::Emotion;
use crate::model::EmotionModel;
use clap::ValueEnum;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Classes of the founding paper's split: those that its three corpora share
/// in number, less disgust.
pub const FIVE_CLASSES: [Emotion; 5] = [
    Emotion::Neutral,
    Emotion::Happy,
    Emotion::Sad,
    Emotion::Angry,
    Emotion::Fearful,
];

/// Corpora of the founding paper.
pub const PAPER_CORPORA: [&str; 3] = ["ravdess", "cremad", "tess"];

/// What is trained on and what is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Every speaker, or all but an eighth where these decide when to stop: what
    /// is shipped
    Final,
    /// Five folds of speakers, each tested by a model that never heard them
    SpeakerIndependent,
    /// The founding paper's: a random fifth of the clips, five classes, the
    /// same voices on both sides
    RandomSplit,
    /// Each corpus tested by a model that heard the others alone
    LeaveOneCorpusOut,
}

impl Protocol {
    /// What a reader must know of it.
    pub fn caveat(self) -> &'static str {
        match self {
            Protocol::Final => "Every speaker was trained on; nothing is tested.",
            Protocol::SpeakerIndependent => "No tested speaker was trained on.",
            Protocol::RandomSplit => {
                "The same speakers, and often the same sentences, are on both sides: this says how well the model knows these voices and nothing about new ones."
            }
            Protocol::LeaveOneCorpusOut => {
                "Neither the tested speakers nor their language, room or microphone were trained on."
            }
        }
    }

    /// Its splits, by name.
    pub fn splits(self, recordings: &[Recording], seed: u64) -> Vec<(String, Split)> {
        match self {
            Protocol::Final => vec![("all".to_owned(), by_speaker(recordings, None))],
            Protocol::SpeakerIndependent => (0..N_FOLDS)
                .map(|fold| (fold.to_string(), by_speaker(recordings, Some(fold))))
                .collect(),
            Protocol::RandomSplit => (0..N_FOLDS)
                .map(|fold| (fold.to_string(), shuffled(recordings, fold, seed)))
                .collect(),
            Protocol::LeaveOneCorpusOut => {
                let corpora: BTreeSet<&str> = recordings.iter().map(|r| &*r.corpus).collect();
                let splits = corpora.into_iter().map(|c| (c, by_corpus(recordings, c)));
                splits
                    .filter(|(_, split)| !split.test.is_empty())
                    .map(|(corpus, split)| (corpus.to_owned(), split))
                    .collect()
            }
        }
    }
}

/// What one model achieved.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Which split.
    pub fold: String,
    /// Seed of weights and order.
    pub seed: u64,
    /// By what was known of the speakers, then by corpus.
    pub figures: BTreeMap<Knowledge, BTreeMap<String, Metrics>>,
    /// What was answered when nothing was known, by corpus.
    #[serde(skip)]
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
}

/// Trains and tests one split.
///
/// # Errors
/// As [`train`], or if the model cannot be run.
pub fn run(
    examples: &Examples,
    fold: &str,
    split: &Split,
    config: &TrainingConfig,
    progress: impl FnMut(&Progress),
) -> Result<Run, Box<dyn std::error::Error>> {
    let artifact = train(examples, split, config, progress)?;
    let mut model = EmotionModel::new(artifact)?;
    let test = examples.of(&split.test);
    let mut figures = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    let told = config.architecture.told_baseline;
    for knowledge in Knowledge::ALL {
        if knowledge != Knowledge::Stranger && !told {
            continue;
        }
        let judged = judge(&mut model, &test, &examples.corpora, knowledge)?;
        let by_corpus = judged.iter().map(|(corpus, list)| {
            let known = examples.corpora.iter().find(|c| c.name == *corpus);
            let classes: Vec<Emotion> = Emotion::ALL
                .into_iter()
                .filter(|e| known.is_some_and(|c| c.classes[e.index()]))
                .collect();
            (corpus.clone(), Metrics::of(list, &classes))
        });
        figures.insert(knowledge, by_corpus.collect());
        if knowledge == Knowledge::Stranger {
            outcomes = judged;
        }
    }
    Ok(Run {
        fold: fold.to_owned(),
        seed: config.seed,
        figures,
        outcomes,
    })
}
