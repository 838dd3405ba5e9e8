//! Recordings as frames, by the staircase that the page runs.

use super::augment::{self, altered};
use super::cache::{Cache, Key};
use super::corpora::{Recording, Sex};
use super::frames::Frames;
use super::noise::Talkers;
use super::tuning::Lower;
use crate::analysis::SILENCE_DBFS;
use crate::analysis::speech::{Heard, stretches};
use crate::audio::{self, SAMPLE_RATE_HZ};
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureMatrix;
use crate::model::Encoder;
use crate::model::encoder::beside;
use crate::model::header::{Architecture, Pooling};
use crate::model::normalize::{averaged, mean, pooled};
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

/// Crops of each whole view, and of the speech in it, where rows are clips.
const N_CROPS: [usize; 2] = [3, 1];

/// The row that the speech in a view is, from its first voice to its last; those before
/// are the whole view and crops of it.
pub(super) const SPOKEN: usize = 1 + N_CROPS[0];

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
    /// Whether each row stands for a clip of its own: the first for the whole view, others
    /// for crops of it, and from row `SPOKEN` on for the speech in it and crops of that.
    pub rows_are_clips: bool,
    /// What the front ends' last layers read of each view, where they are tuned.
    pub lower: Vec<Lower>,
}

impl Example {
    /// The columns of the recording as it is and as it is judged.
    pub fn whole(&self) -> Cow<'_, FeatureMatrix> {
        if !self.rows_are_clips {
            return self.views[0].matrix();
        }
        let row = |i: usize| {
            let (matrix, range) = self.views[0].rows(i..i + 1);
            let values = matrix.frame(range.start).to_vec();
            FeatureMatrix::from_rows(values, matrix.n_features())
        };
        Cow::Owned(mean(&row(0), &row(SPOKEN)))
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
    /// Where recordings' speech begins and ends.
    pub speech: Cache,
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
    let spoken = match preparation.architecture.pooling {
        Pooling::Statistics => Some(spoken(recording, &key, preparation, &mut heard_once)?),
        Pooling::Attentive => None,
    };
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
            // An altered view may be slower or faster.
            let at = |step: usize| step.min(n_steps) * all.n_frames() / n_steps.max(1);
            let spoken = spoken.as_ref().map(|s| at(s.start)..at(s.end));
            let (wanted, crops) = wanted(all, spoken, preparation, key.seed());
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
/// clips: where the speech in it is pooled by itself.
fn wanted(
    mut steps: Cow<FeatureMatrix>,
    spoken: Option<Range<usize>>,
    preparation: &Preparation,
    seed: u64,
) -> (Frames, Vec<Range<usize>>) {
    let mut ranges = Vec::new();
    if let Some(spoken) = spoken {
        let mut rng = StdRng::seed_from_u64(seed);
        for (of, n) in [0..steps.n_frames(), spoken].into_iter().zip(N_CROPS) {
            ranges.extend(crops(of, n, preparation.step_s(), &mut rng));
        }
        steps = Cow::Owned(clips(&steps, &ranges));
    }
    let frames = if preparation.half {
        Frames::half(&steps)
    } else {
        steps.into_owned().into()
    };
    (frames, ranges)
}

/// All of a range of steps, and so many random crops of it.
fn crops(of: Range<usize>, n_crops: usize, step_s: f64, rng: &mut impl Rng) -> Vec<Range<usize>> {
    let n = of.len();
    let [least, most] = CROP_S.map(|s| ((s / step_s) as usize).min(n));
    (0..=n_crops)
        .map(|crop| {
            let kept = match crop {
                0 => n,
                _ => ((n as f32 * rng.random_range(0.5..1.0f32)) as usize).clamp(least, most),
            };
            let start = of.start + rng.random_range(0..=n - kept);
            start..start + kept
        })
        .collect()
}

/// What is pooled of each crop, a row each.
pub(super) fn clips(steps: &FeatureMatrix, crops: &[Range<usize>]) -> FeatureMatrix {
    let rows = crops.iter();
    let rows = rows.flat_map(|crop| pooled(steps, crop.clone()).as_slice().to_vec());
    FeatureMatrix::from_rows(rows.collect(), 2 * steps.n_features())
}

/// A recording's samples, unless there is nothing to hear.
fn heard(recording: &Recording) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(&recording.path)?;
    let name = recording.path.to_string_lossy();
    let samples = audio::load(bytes, &name)?.clip.into_samples();
    let peak = samples.iter().fold(0.0f32, |p, s| p.max(s.abs()));
    if 20.0 * peak.max(1e-10).log10() < SILENCE_DBFS {
        return Err("silent".into());
    }
    Ok(samples)
}

/// The steps from the recording's first voice to its last; all of it where too little is
/// found to be judged.
fn spoken(
    recording: &Recording,
    key: &Key,
    preparation: &Preparation,
    heard_once: &mut Option<Vec<f32>>,
) -> Result<Range<usize>, Box<dyn std::error::Error>> {
    let cache = preparation.cache.map(|c| &c.speech);
    let kept = cache.and_then(|c| c.get(key));
    let ends = match kept.as_ref().map(Frames::matrix) {
        Some(kept) => [kept.frame(0)[0], kept.frame(0)[1]],
        None => {
            let samples = match heard_once {
                Some(samples) => samples,
                None => heard_once.insert(heard(recording)?),
            };
            let found = Heard::of(&stretches(samples), samples.len());
            let found = found.map_or(0..samples.len(), |heard| heard.spoken);
            let ends = [found.start, found.end].map(|sample| sample as f32);
            if let Some(cache) = cache {
                cache.put(key, &FeatureMatrix::from_rows(ends.to_vec(), 2).into());
            }
            ends
        }
    };
    let step = preparation.architecture.frames_per_step * preparation.encoder.hop_samples();
    Ok(ends[0] as usize / step..(ends[1] as usize).div_ceil(step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::audio::Clip;
    use crate::model::{Artifact, EmotionModel};

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

    #[test]
    fn training_hears_what_the_analysis_hears() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(root.join("public/model/undertone-light.safetensors"));
        let artifact = Artifact::from_bytes(&bytes.expect("is read")).expect("is a model");
        let encoder = Encoder::new(&artifact.header.features, &artifact.packed_front_ends());
        let encoder = encoder.expect("is built");
        let model = EmotionModel::new(artifact.clone()).expect("fits");
        let name = "ravdess-03-01-06-02-01-01-08.flac";
        let bytes = std::fs::read(root.join("tests/data/voices").join(name));
        let clip = audio::load(bytes.expect("is read"), name).expect("decodes");
        let silence = |seconds: f32| vec![0.0; (seconds * SAMPLE_RATE_HZ as f32) as usize];
        let samples = [silence(0.8), clip.clip.into_samples(), silence(0.7)].concat();
        let folder = tempfile::tempdir().expect("is made");
        let recording = Recording {
            path: folder.path().join("a.wav"),
            ..recording("ravdess", Emotion::Fearful)
        };
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE_HZ,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut wav = hound::WavWriter::create(&recording.path, spec).expect("is made");
        for sample in &samples {
            wav.write_sample(*sample).expect("is written");
        }
        wav.finalize().expect("is written");
        let preparation = Preparation {
            encoder: &encoder,
            half: true,
            cache: None,
            talkers: &Talkers::default(),
            architecture: &artifact.header.architecture,
            tuned: false,
            n_altered: 1,
            seed: 1,
        };
        let list = [recording];
        let hidden = ProgressBar::hidden();
        let examples = Examples::prepare(&list, &corpora(&list), &preparation, &hidden);
        let [example] = &examples.list[..] else {
            panic!("{:?}", examples.faults)
        };
        assert_eq!(example.views.len(), 2);
        assert_eq!(example.views[0].n_frames(), SPOKEN + 1 + N_CROPS[1]);
        let logits = model.logits(&example.whole()).expect("fits");
        let calibration = &artifact.header.calibration;
        let trained = calibration.scores(logits, example.duration_s);
        let analysis = analyze(&model, &Clip::new(samples), Options::default()).expect("is judged");
        assert!(analysis.utterances[0].start_s > 0.5, "begins with silence");
        // Half precision, and frames grouped from another one on.
        for (a, b) in trained.as_array().iter().zip(analysis.scores.as_array()) {
            assert!((a - b).abs() < 0.01, "{a} {b}");
        }
    }
}
