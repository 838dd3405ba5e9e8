//! Recordings as frames, by the staircase that the page runs.

use super::augment::{self, altered};
use super::cache::{Cache, Key};
use super::corpora::{Recording, Sex};
use super::frames::Frames;
use super::noise::Talkers;
use super::tuning::Lower;
use crate::audio::{self, SAMPLE_RATE_HZ};
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureMatrix;
use crate::model::Encoder;
use crate::model::encoder::beside;
use crate::model::header::{Architecture, Pooling};
use crate::model::normalize::{averaged, columns};
use indicatif::{ParallelProgressIterator, ProgressBar};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A class of a corpus with fewer clips than this share of its largest class
/// teaches nothing but that it is rare, and is left out.
const MIN_CLASS_SHARE: f64 = 0.1;

/// Crops beside each whole view, where rows are clips.
const N_CROPS: usize = 3;

/// Shortest and longest crop, seconds, of clips that are long enough.
const CROP_S: [f64; 2] = [1.4, 4.0];

/// One labelled recording, ready to train on.
#[derive(Clone, Debug)]
pub struct Example {
    /// Index into [`Examples::corpora`].
    pub corpus: usize,
    /// Who speaks, `corpus/speaker`.
    pub person: String,
    /// Where the recording lies.
    pub path: PathBuf,
    /// How long it is, seconds.
    pub duration_s: f64,
    /// The label.
    pub emotion: Emotion,
    /// The speaker's sex, where the corpus says.
    pub sex: Option<Sex>,
    /// The recording itself, then its altered views: what
    /// [`crate::model::normalize::columns`] makes of each.
    pub views: Vec<Frames>,
    /// Whether each row stands for a clip of its own, the first for the whole
    /// view and the others for crops of it.
    pub rows_are_clips: bool,
    /// What the front ends' last layers read of each view, where they are tuned.
    pub lower: Vec<Lower>,
}

impl Example {
    /// The columns of the whole recording as it is.
    pub fn whole(&self) -> Cow<'_, FeatureMatrix> {
        let n_rows = if self.rows_are_clips {
            1
        } else {
            self.views[0].n_frames()
        };
        let (matrix, range) = self.views[0].rows(0..n_rows);
        if range.len() == matrix.n_frames() {
            return matrix;
        }
        let n_columns = matrix.n_features();
        Cow::Owned(FeatureMatrix::from_rows(
            matrix.as_slice()[..n_columns].to_vec(),
            n_columns,
        ))
    }

    /// The same with other views.
    pub fn with_views(&self, views: Vec<Frames>) -> Example {
        Example {
            corpus: self.corpus,
            person: self.person.clone(),
            path: self.path.clone(),
            duration_s: self.duration_s,
            emotion: self.emotion,
            sex: self.sex,
            views,
            rows_are_clips: self.rows_are_clips,
            lower: Vec::new(),
        }
    }
}

/// What is known of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Corpus {
    /// Its name.
    pub name: String,
    /// Which classes its clips are told apart by. A corpus of a single class
    /// is told apart from all others.
    pub classes: [bool; N_EMOTIONS],
}

/// A set of examples.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// The corpora they come from.
    pub corpora: Vec<Corpus>,
    /// Seconds of a step.
    pub step_s: f64,
    /// The examples.
    pub list: Vec<Example>,
    /// Recordings that could not be heard, each with the reason.
    pub faults: Vec<String>,
}

/// How recordings become examples.
#[derive(Clone)]
pub struct Preparation<'a> {
    /// What the model encodes with.
    pub encoder: &'a Encoder,
    /// Whether views are kept in half precision.
    pub half: bool,
    /// Where the columns of views are kept from one run to the next.
    pub cache: Option<&'a Caches>,
    /// Whose voices make babble in altered views.
    pub talkers: &'a Talkers,
    /// What the network wants made of them.
    pub architecture: &'a Architecture,
    /// Whether the front ends' last layers are to be tuned.
    pub tuned: bool,
    /// Altered views beside each recording.
    pub n_altered: usize,
    /// Seed of the alterations.
    pub seed: u64,
}

impl Preparation<'_> {
    /// Seconds of a step.
    pub fn step_s(&self) -> f64 {
        let samples = self.architecture.frames_per_step * self.encoder.hop_samples();
        samples as f64 / f64::from(SAMPLE_RATE_HZ)
    }
}

/// Where columns of views are kept: learnt ones take long to make and do not
/// change when a feature does.
#[derive(Clone, Debug)]
pub struct Caches {
    /// The speech features.
    pub features: Cache,
    /// What the front ends make.
    pub learnt: Cache,
    /// What each front end's last layer reads.
    pub lower: Vec<Cache>,
}

/// Labelled recordings' corpora with the classes each has in number.
pub fn corpora(recordings: &[Recording]) -> Vec<Corpus> {
    let mut counts: BTreeMap<&str, [usize; N_EMOTIONS]> = BTreeMap::new();
    for r in recordings {
        if let Some(emotion) = r.emotion {
            counts.entry(&r.corpus).or_default()[emotion.index()] += 1;
        }
    }
    counts
        .into_iter()
        .map(|(name, counts)| {
            let largest = counts.into_iter().max().unwrap_or(0) as f64;
            let classes = counts.map(|n| n as f64 >= MIN_CLASS_SHARE * largest && n > 0);
            let single = classes.iter().filter(|c| **c).count() == 1;
            Corpus {
                name: name.to_owned(),
                classes: if single { [true; N_EMOTIONS] } else { classes },
            }
        })
        .collect()
}

impl Examples {
    /// Those of the given recordings.
    pub fn of(&self, recordings: &[Recording]) -> Vec<&Example> {
        let paths: HashSet<&Path> = recordings.iter().map(|r| r.path.as_path()).collect();
        let own = |e: &&Example| paths.contains(e.path.as_path());
        self.list.iter().filter(own).collect()
    }

    /// Decodes, alters and extracts on all cores. Recordings of other labels
    /// or of classes that their corpus lacks in number are left out.
    pub fn prepare(
        recordings: &[Recording],
        corpora: &[Corpus],
        preparation: &Preparation,
        bar: &ProgressBar,
    ) -> Examples {
        let wanted: Vec<(usize, Emotion, &Recording)> = recordings
            .iter()
            .filter_map(|r| {
                let corpus = corpora.iter().position(|c| c.name == r.corpus)?;
                let emotion = r.emotion?;
                corpora[corpus].classes[emotion.index()].then_some((corpus, emotion, r))
            })
            .collect();
        bar.set_length(wanted.len() as u64);
        let results: Vec<Result<Example, String>> = wanted
            .into_par_iter()
            .progress_with(bar.clone())
            .map_init(
                || preparation.encoder.clone(),
                |encoder, (corpus, emotion, recording)| {
                    let (views, n_steps) = views(recording, encoder, preparation)
                        .map_err(|e| format!("{}: {e}", recording.path.display()))?;
                    let (views, lower): (_, Vec<Option<Lower>>) = views.into_iter().unzip();
                    Ok(Example {
                        corpus,
                        person: recording.person(),
                        path: recording.path.clone(),
                        duration_s: n_steps as f64 * preparation.step_s(),
                        emotion,
                        sex: recording.sex,
                        views,
                        rows_are_clips: preparation.architecture.pooling == Pooling::Statistics,
                        lower: lower.into_iter().flatten().collect(),
                    })
                },
            )
            .collect();
        let mut examples = Examples {
            corpora: corpora.to_vec(),
            step_s: preparation.step_s(),
            ..Examples::default()
        };
        for result in results {
            match result {
                Ok(example) => examples.list.push(example),
                Err(fault) => examples.faults.push(fault),
            }
        }
        examples
    }
}

/// A view, and what layers that are tuned read of it.
type View = (Frames, Option<Lower>);

/// The recording and its altered views, from the cache where it has them.
fn views(
    recording: &Recording,
    encoder: &mut Encoder,
    preparation: &Preparation,
) -> Result<(Vec<View>, usize), Box<dyn std::error::Error>> {
    let key = Key::new(&recording.path, preparation.seed)?;
    let (mut heard_once, mut n_steps) = (None, 0);
    let has_learnt = encoder.n_learnt() > 0;
    let per_step = preparation.architecture.frames_per_step;
    let steps = |frames: FeatureMatrix| averaged(&frames, 0..frames.n_frames(), per_step);
    let views: Result<Vec<View>, Box<dyn std::error::Error>> = (0..=preparation.n_altered)
        .map(|view| {
            let key = if view == 0 {
                key.clone()
            } else {
                let with = format!("{} {}", augment::VERSION, preparation.talkers.name());
                key.view(view, &with)
            };
            let cached = |cache: fn(&Caches) -> &Cache| {
                preparation.cache.and_then(|caches| cache(caches).get(&key))
            };
            let mut features = cached(|c| &c.features);
            let mut learnt = has_learnt.then(|| cached(|c| &c.learnt)).flatten();
            let mut lower: Option<Vec<Frames>> = preparation
                .cache
                .filter(|_| preparation.tuned)
                .and_then(|caches| caches.lower.iter().map(|c| c.get(&key)).collect());
            let lacking = features.is_none()
                || has_learnt && learnt.is_none()
                || preparation.tuned && lower.is_none();
            if lacking {
                let samples = match &heard_once {
                    Some(samples) => samples,
                    None => heard_once.insert(heard(recording)?),
                };
                let mut rng = StdRng::seed_from_u64(key.seed());
                let samples = match view {
                    0 => Cow::Borrowed(samples),
                    _ => Cow::Owned(altered(samples, preparation.talkers, &mut rng)?),
                };
                let caches = preparation.cache;
                let keep = |cache: fn(&Caches) -> &Cache, frames: &Frames| {
                    if let Some(caches) = caches {
                        cache(caches).put(&key, frames);
                    }
                };
                if features.is_none() {
                    let own = Frames::from(steps(encoder.features(&samples)?));
                    keep(|c| &c.features, &own);
                    features = Some(own);
                }
                if has_learnt && learnt.is_none() || preparation.tuned && lower.is_none() {
                    let all = encoder.learnt(&samples)?;
                    if preparation.tuned {
                        let own = encoder.below_last_layers(&samples, &all)?;
                        let own: Vec<Frames> = own.iter().map(Frames::half).collect();
                        let caches = caches.map_or(&[][..], |c| &c.lower);
                        for (cache, frames) in caches.iter().zip(&own) {
                            cache.put(&key, frames);
                        }
                        lower = Some(own);
                    }
                    let own = Frames::half(&steps(all));
                    keep(|c| &c.learnt, &own);
                    learnt = Some(own);
                }
            }
            let features = features.ok_or("no features")?;
            let all = joined(&features, learnt.as_ref());
            if view == 0 {
                n_steps = all.n_frames();
            }
            let (wanted, crops) = wanted(all, preparation, key.seed());
            Ok((wanted, lower.map(|frames| Lower { frames, crops })))
        })
        .collect();
    Ok((views?, n_steps))
}

/// Both parts of a view.
fn joined<'a>(features: &'a Frames, learnt: Option<&Frames>) -> Cow<'a, FeatureMatrix> {
    match learnt {
        Some(learnt) => Cow::Owned(beside(&features.matrix(), &learnt.matrix())),
        None => features.matrix(),
    }
}

/// A view as the network wants it, and the steps each row is of where rows are
/// clips.
fn wanted(
    mut steps: Cow<FeatureMatrix>,
    preparation: &Preparation,
    seed: u64,
) -> (Frames, Vec<Range<usize>>) {
    let mut ranges = Vec::new();
    if preparation.architecture.pooling == Pooling::Statistics {
        let mut rng = StdRng::seed_from_u64(seed);
        ranges = crops(steps.n_frames(), preparation.step_s(), &mut rng);
        steps = Cow::Owned(clips(&steps, &ranges, preparation.architecture));
    }
    let frames = if preparation.half {
        Frames::half(&steps)
    } else {
        steps.into_owned().into()
    };
    (frames, ranges)
}

/// All of so many steps, and random crops.
fn crops(n: usize, step_s: f64, rng: &mut impl Rng) -> Vec<Range<usize>> {
    let [least, most] = CROP_S.map(|s| ((s / step_s) as usize).min(n));
    (0..=N_CROPS)
        .map(|crop| {
            let kept = match crop {
                0 => n,
                _ => ((n as f32 * rng.random_range(0.5..1.0f32)) as usize).clamp(least, most),
            };
            let start = rng.random_range(0..=n - kept);
            start..start + kept
        })
        .collect()
}

/// The columns of each crop, a row each.
pub(super) fn clips(
    steps: &FeatureMatrix,
    crops: &[Range<usize>],
    architecture: &Architecture,
) -> FeatureMatrix {
    // Frames are averaged already.
    let architecture = Architecture {
        frames_per_step: 1,
        ..architecture.clone()
    };
    let rows = crops
        .iter()
        .flat_map(|crop| {
            columns(steps, crop.clone(), &architecture)
                .as_slice()
                .to_vec()
        })
        .collect();
    FeatureMatrix::from_rows(rows, architecture.n_columns(steps.n_features()))
}

/// A recording's samples, unless there is nothing to hear.
fn heard(recording: &Recording) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(&recording.path)?;
    let name = recording.path.to_string_lossy();
    let samples = audio::load(bytes, &name)?.clip.into_samples();
    let peak = samples.iter().fold(0.0f32, |p, s| p.max(s.abs()));
    if 20.0 * peak.max(1e-10).log10() < crate::analysis::SILENCE_DBFS {
        return Err("silent".into());
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(corpus: &str, emotion: Emotion) -> Recording {
        Recording {
            corpus: corpus.into(),
            speaker: "a".into(),
            path: "a.wav".into(),
            emotion: Some(emotion),
            sex: None,
        }
    }

    #[test]
    fn rare_classes_are_masked_and_a_single_one_is_told_from_all() {
        let mut list = vec![recording("x", Emotion::Angry)];
        list.extend((0..20).map(|_| recording("x", Emotion::Sad)));
        list.extend((0..20).map(|_| recording("x", Emotion::Happy)));
        list.extend((0..5).map(|_| recording("y", Emotion::Neutral)));
        let corpora = corpora(&list);
        let x: Vec<Emotion> = Emotion::ALL
            .into_iter()
            .filter(|e| corpora[0].classes[e.index()])
            .collect();
        assert_eq!(x, [Emotion::Happy, Emotion::Sad]);
        assert_eq!(corpora[1].classes, [true; N_EMOTIONS]);
    }
}
