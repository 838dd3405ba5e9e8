//! A finished model on labelled recordings, through the analysis that a user
//! meets.

use super::corpora::{Recording, classes};
use super::judge::{Knowledge, sittings};
use super::metrics::{Metrics, Outcome};
use super::noise::{Noise, NoiseKind, Talkers};
use crate::analysis::voice::learn;
use crate::analysis::{Analysis, Options, analyze};
use crate::audio::{self, Clip};
use crate::emotion::Emotion;
use crate::model::baseline::{Baseline, BaselineKind};
use crate::model::calibration::restrict;
use crate::model::{Artifact, EmotionModel, ModelError};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// Share of the neutral clips that a user is told no emotion of, `0..=1`: of
    /// all classes "neutral", "calm" or "not sure". None without neutral clips.
    pub calm_or_unsure: Option<f64>,
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

/// What is known of the speakers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    #[default]
    Nothing,
    /// Up to [`super::judge::ORDINARY_S`] of each speaker's neutral recordings,
    /// which are then not judged.
    Neutral,
    /// All that each speaker says, as one session.
    Session,
    /// These recordings of ordinary talk. Those that are among the judged ones
    /// belong to their speaker and are not judged; the others are everybody's.
    Files(Vec<PathBuf>),
}

/// What recordings go through before they are judged.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// What is known of the speakers.
    pub known: Known,
    /// Noise that is added to what is judged, not to what is known.
    pub noise: Option<Noise>,
    /// How the analysis hears it.
    pub options: Options,
}

/// What is judged together: clips, and those that the voice is known from.
type Task<'a> = (BaselineKind, Vec<PathBuf>, Vec<&'a Recording>);

/// Analyses every labelled recording on all cores. The scores are restricted
/// to the classes that the recording's corpus is judged by. `bar` counts clips, and
/// prints why a clip is skipped.
///
/// # Errors
/// If the model cannot be built, or something is known and it was not trained
/// to use it.
pub fn evaluate(
    model: &Artifact,
    recordings: &[Recording],
    conditions: &Conditions,
    bar: &ProgressBar,
) -> Result<Evaluation, ModelError> {
    let known = &conditions.known;
    let model = EmotionModel::new(model.clone())?;
    if *known != Known::Nothing && !model.header().architecture.told_baseline {
        return Err(ModelError::NoBaseline {
            model: model.header().name.clone(),
        });
    }
    let talkers = match conditions.noise {
        Some(Noise {
            kind: NoiseKind::Babble,
            ..
        }) => Talkers::of(&recordings.iter().collect::<Vec<_>>()),
        _ => Talkers::default(),
    };
    let tasks = tasks(recordings, known);
    bar.set_length(tasks.iter().map(|t| t.2.len() as u64).sum());
    let judged: Vec<Vec<(&Recording, Option<Analysis>)>> = tasks
        .par_iter()
        .map_init(
            || model.clone(),
            |model, (kind, voice, clips)| {
                let warn = |path: &Path, e: String| {
                    bar.suspend(|| eprintln!("{}: {e}", path.display()));
                };
                let mut baseline = Baseline::new(*kind);
                for path in voice {
                    let learnt = load(path).and_then(|clip| {
                        learn(model, &clip, &mut baseline).map_err(|e| e.to_string())
                    });
                    if let Err(e) = learnt {
                        warn(path, e);
                    }
                }
                if let Err(e) = model.compare_with(Some(&baseline)) {
                    warn(Path::new("baseline"), e.to_string());
                }
                let judge = |recording: &&'_ Recording| {
                    bar.inc(1);
                    recording.emotion?;
                    load(&recording.path)
                        .and_then(|clip| {
                            let mut samples = clip.into_samples();
                            if let Some(noise) = &conditions.noise {
                                noise.add_to(&mut samples, recording, &talkers);
                            }
                            let clip = Clip::new(samples);
                            analyze(model, &clip, conditions.options).map_err(|e| e.to_string())
                        })
                        .map_err(|e| warn(&recording.path, e))
                        .ok()
                };
                clips.iter().map(|r| (*r, judge(r))).collect()
            },
        )
        .collect();
    let mut by_corpus: BTreeMap<&str, Vec<(&Recording, Option<Analysis>)>> = BTreeMap::new();
    for (recording, analysis) in judged.into_iter().flatten() {
        let list = by_corpus.entry(&recording.corpus).or_default();
        list.push((recording, analysis));
    }
    let corpora = by_corpus
        .into_iter()
        .map(|(name, list)| (name.to_owned(), report(&list)))
        .collect();
    Ok(Evaluation { corpora })
}

/// Parts the recordings by what they are judged by.
fn tasks<'a>(recordings: &'a [Recording], known: &Known) -> Vec<Task<'a>> {
    let ordinary = BaselineKind::Ordinary;
    if *known == Known::Nothing {
        let alone = recordings.iter().map(|r| (ordinary, Vec::new(), vec![r]));
        return alone.collect();
    }
    let mut people: BTreeMap<String, Vec<&Recording>> = BTreeMap::new();
    for recording in recordings.iter().filter(|r| r.emotion.is_some()) {
        people
            .entry(recording.person())
            .or_default()
            .push(recording);
    }
    let paths = |list: &[&Recording]| list.iter().map(|r| r.path.clone()).collect();
    let people = people.into_values();
    people
        .map(|clips| match known {
            Known::Nothing => (ordinary, Vec::new(), clips),
            Known::Session => (BaselineKind::Session, paths(&clips), clips),
            Known::Neutral => {
                let emotion = |r: &Recording| r.emotion.unwrap_or(Emotion::Neutral);
                let duration_s = |r: &Recording| load(&r.path).map_or(0.0, |c| c.duration_s());
                let mut parts = sittings(clips, Knowledge::Ordinary, emotion, duration_s);
                let part = parts.remove(0);
                (ordinary, paths(&part.known), part.judged)
            }
            Known::Files(files) => {
                let named = |r: &&Recording| files.iter().any(|f| same_file(f, &r.path));
                let (own, judged): (Vec<_>, Vec<_>) = clips.into_iter().partition(named);
                let foreign = |f: &&PathBuf| !recordings.iter().any(|r| same_file(f, &r.path));
                let mut voice: Vec<PathBuf> = paths(&own);
                if voice.is_empty() {
                    voice = files.iter().filter(foreign).cloned().collect();
                }
                (ordinary, voice, judged)
            }
        })
        .collect()
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn load(path: &Path) -> Result<Clip, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let decoded = audio::load(bytes, &path.to_string_lossy()).map_err(|e| e.to_string())?;
    Ok(decoded.clip)
}

fn report(list: &[(&Recording, Option<Analysis>)]) -> CorpusReport {
    let classes = classes(list.iter().map(|(r, _)| *r));
    let outcomes: Vec<Outcome> = list
        .iter()
        .filter_map(|(recording, analysis)| {
            Some(Outcome {
                truth: recording.emotion?,
                scores: restrict(&analysis.as_ref()?.scores, &classes),
                sex: recording.sex,
            })
        })
        .collect();
    let speakers: BTreeSet<&str> = list.iter().map(|(r, _)| r.speaker.as_str()).collect();
    let neutral: Vec<&Analysis> = list
        .iter()
        .filter(|(recording, _)| recording.emotion == Some(Emotion::Neutral))
        .filter_map(|(_, analysis)| analysis.as_ref())
        .collect();
    let told_none = |a: &Analysis| !a.sure || matches!(a.label, Emotion::Neutral | Emotion::Calm);
    let n_told_none = neutral.iter().filter(|a| told_none(a)).count();
    CorpusReport {
        clips: outcomes.len(),
        skipped: list.len() - outcomes.len(),
        speakers: speakers.len(),
        calm_or_unsure: (!neutral.is_empty()).then(|| n_told_none as f64 / neutral.len() as f64),
        metrics: Metrics::of(&outcomes, &classes),
        classes,
    }
}
