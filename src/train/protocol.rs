//! The protocols: who is trained on, who is tested, how often.

use super::calibrate::{calibrate, recalls};
use super::corpora::Recording;
use super::examples::{Corpus, Example, Examples};
use super::judge::{Knowledge, judge};
use super::metrics::{Metrics, Outcome};
use super::split::{N_FOLDS, Split, by_corpus, by_speaker, shuffled};
use super::trainer::{Calibrated, Progress, Trained, TrainingConfig, train};
use super::tuning::Tuning;
use crate::emotion::Emotion;
use crate::model::artifact::Artifact;
use crate::model::calibration::{Answer, Calibration};
use crate::model::{EmotionModel, ModelError};
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
    /// What it is, in a headline.
    pub fn title(self) -> &'static str {
        match self {
            Protocol::Final => "trained on everybody",
            Protocol::SpeakerIndependent => "speakers it never heard",
            Protocol::RandomSplit => "voices it knows, clips drawn at random",
            Protocol::LeaveOneCorpusOut => "corpora it never heard",
        }
    }

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

/// A split's model before it is judged.
pub struct Candidate<'a> {
    fold: String,
    seed: u64,
    trained: Trained<'a>,
}

impl Candidate<'_> {
    /// Trains on one split.
    ///
    /// # Errors
    /// As [`train`].
    pub fn train<'a>(
        examples: &'a Examples,
        (fold, split): &(String, Split),
        config: &TrainingConfig,
        calibrated: Calibrated,
        progress: impl FnMut(&Progress),
    ) -> candle_core::Result<Candidate<'a>> {
        Ok(Candidate {
            fold: fold.clone(),
            seed: config.seed,
            trained: train(examples, split, config, calibrated, &[], progress)?,
        })
    }

    /// The split's name.
    pub fn fold(&self) -> &str {
        &self.fold
    }

    /// The model.
    pub fn artifact(&self) -> &Artifact {
        &self.trained.artifact
    }

    /// What its front ends are the mean of.
    pub fn tunings(&self) -> &[Tuning] {
        &self.trained.tunings
    }

    /// Unweighted average recall on the speakers that test it, of whom nothing
    /// is known, by corpus.
    ///
    /// # Errors
    /// If the model cannot be run.
    pub fn recall(&self, corpora: &[Corpus]) -> Result<Vec<(String, f64)>, ModelError> {
        let logits = self.answers()?.into_iter().map(|answer| answer.logits);
        Ok(recalls(&self.test(), corpora, &logits.collect::<Vec<_>>()))
    }

    /// Of the examples that test it.
    fn answers(&self) -> Result<Vec<Answer>, ModelError> {
        let model = EmotionModel::new(self.trained.artifact.clone())?;
        let test = self.test().into_iter();
        test.map(|e| model.answer(&e.whole())).collect()
    }

    fn test(&self) -> Vec<&Example> {
        self.trained.test.iter().map(|e| &**e).collect()
    }
}

/// Calibrates each by what the others answer about the clips that test them, which are
/// not those that test it; returns what all of them say together, for a model that is
/// fitted to everybody.
///
/// # Errors
/// If a model cannot be run.
pub fn calibrate_by_others(
    candidates: &mut [Candidate],
    corpora: &[Corpus],
) -> Result<Calibration, ModelError> {
    let answers = candidates
        .iter()
        .map(Candidate::answers)
        .collect::<Result<Vec<_>, _>>()?;
    let without = |left_out: Option<usize>| {
        let (mut heard, mut own) = (Vec::new(), Vec::new());
        for (i, candidate) in candidates.iter().enumerate() {
            if left_out != Some(i) {
                heard.extend(candidate.test());
                own.extend_from_slice(&answers[i]);
            }
        }
        calibrate(&heard, corpora, &own)
    };
    let calibrations: Vec<Calibration> = (0..candidates.len()).map(|i| without(Some(i))).collect();
    let together = without(None);
    for (candidate, calibration) in candidates.iter_mut().zip(calibrations) {
        candidate.trained.artifact.header.calibration = calibration;
    }
    Ok(together)
}

/// Judges a split's model by the speakers that it never heard, under everything
/// that may be known of them.
///
/// # Errors
/// If the model cannot be run.
pub fn run(candidate: Candidate, corpora: &[Corpus]) -> Result<Run, ModelError> {
    let told = candidate.trained.artifact.header.architecture.told_baseline;
    let test = candidate.test();
    let mut model = EmotionModel::new(candidate.trained.artifact.clone())?;
    let mut figures = BTreeMap::new();
    let mut outcomes = BTreeMap::new();
    for knowledge in Knowledge::ALL {
        if knowledge != Knowledge::Stranger && !told {
            continue;
        }
        let judged = judge(&mut model, &test, corpora, knowledge)?;
        let by_corpus = judged.iter().map(|(corpus, list)| {
            let known = corpora.iter().find(|c| c.name == *corpus);
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
        fold: candidate.fold,
        seed: candidate.seed,
        figures,
        outcomes,
    })
}
