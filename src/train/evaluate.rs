//! A finished model on labelled recordings, through the analysis that a user
//! meets.

use super::corpora::{Recording, classes};
use super::metrics::{Metrics, Outcome};
use super::noise::{Noise, NoiseKind, Voices};
use crate::analysis::{Analysis, Options, analyze};
use crate::audio::{self, Clip};
use crate::emotion::Emotion;
use crate::model::calibration::restrict;
use crate::model::{Artifact, EmotionModel, ModelError};
use indicatif::{ParallelProgressIterator, ProgressBar};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a model achieves on one corpus.
#[derive(Clone, Debug, Serialize)]
pub struct CorpusReport {
    /// Clips judged.
    pub clips: usize,
    /// Clips of other labels, or that cannot be analysed.
    pub skipped: usize,
    /// Speakers heard.
    pub speakers: usize,
    /// The classes the scores are restricted to.
    pub classes: Vec<Emotion>,
    /// The figures.
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// What a model achieves, by corpus.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// Reports by corpus.
    pub corpora: BTreeMap<String, CorpusReport>,
}

/// What recordings go through before they are judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions {
    /// Noise that is added.
    pub noise: Option<Noise>,
    /// How the analysis hears it.
    pub options: Options,
}

/// Analyses every labelled recording on all cores. The scores are restricted
/// to the classes that the recording's corpus has. `bar` counts clips, and
/// prints why a clip is skipped.
///
/// # Errors
/// If the model cannot be built.
pub fn evaluate(
    model: &Artifact,
    recordings: &[Recording],
    conditions: &Conditions,
    bar: &ProgressBar,
) -> Result<Evaluation, ModelError> {
    let model = EmotionModel::new(model.clone())?;
    bar.set_length(recordings.len() as u64);
    let voices = match conditions.noise {
        Some(Noise {
            kind: NoiseKind::Babble,
            ..
        }) => Voices::of(recordings),
        _ => Voices::default(),
    };
    let judged: Vec<Option<Analysis>> = recordings
        .par_iter()
        .progress_with(bar.clone())
        .map_init(
            || model.clone(),
            |model, recording| {
                recording.emotion?;
                judge(model, recording, conditions, &voices)
                    .map_err(|e| bar.suspend(|| eprintln!("{}: {e}", recording.path.display())))
                    .ok()
            },
        )
        .collect();
    let mut by_corpus: BTreeMap<&str, Vec<(&Recording, Option<Analysis>)>> = BTreeMap::new();
    for (recording, analysis) in recordings.iter().zip(judged) {
        let list = by_corpus.entry(&recording.corpus).or_default();
        list.push((recording, analysis));
    }
    let corpora = by_corpus
        .into_iter()
        .map(|(name, list)| (name.to_owned(), report(&list)))
        .collect();
    Ok(Evaluation { corpora })
}

fn judge(
    model: &EmotionModel,
    recording: &Recording,
    conditions: &Conditions,
    voices: &Voices,
) -> Result<Analysis, String> {
    let bytes = std::fs::read(&recording.path).map_err(|e| e.to_string())?;
    let name = recording.path.to_string_lossy();
    let decoded = audio::load(bytes, &name).map_err(|e| e.to_string())?;
    let mut samples = decoded.clip.into_samples();
    if let Some(noise) = &conditions.noise {
        noise.add_to(&mut samples, recording, voices);
    }
    analyze(model, &Clip::new(samples), conditions.options).map_err(|e| e.to_string())
}

fn report(list: &[(&Recording, Option<Analysis>)]) -> CorpusReport {
    let classes = classes(list.iter().map(|(r, _)| *r));
    let outcomes: Vec<Outcome> = list
        .iter()
        .filter_map(|(recording, analysis)| {
            Some(Outcome {
                truth: recording.emotion?,
                scores: restrict(&analysis.as_ref()?.scores, &classes),
            })
        })
        .collect();
    let speakers: BTreeSet<&str> = list.iter().map(|(r, _)| r.speaker.as_str()).collect();
    CorpusReport {
        clips: outcomes.len(),
        skipped: list.len() - outcomes.len(),
        speakers: speakers.len(),
        metrics: Metrics::of(&outcomes, &classes),
        classes,
    }
}
