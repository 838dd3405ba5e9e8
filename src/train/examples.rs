//! Labelled recordings, ready to train on.

use super::cache::Cache;
use super::corpora::{Recording, Sex};
use super::frames::Frames;
use super::noise::Talkers;
use super::throats::{self, Groups};
use super::tuning::Lower;
use super::views::{SPOKEN, views};
use crate::audio::SAMPLE_RATE_HZ;
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureMatrix;
use crate::model::Encoder;
use crate::model::header::{Architecture, Pooling};
use crate::model::normalize::mean;
use indicatif::{ParallelProgressIterator, ProgressBar};
use rayon::prelude::*;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A class of a corpus with fewer clips than this share of its largest class
/// teaches nothing but that it is rare, and is left out.
const MIN_CLASS_SHARE: f64 = 0.1;

/// One labelled recording, ready to train on.
#[derive(Clone, Debug)]
pub struct Example {
    /// Index into [`Examples::corpora`].
    pub corpus: usize,
    /// Who speaks, `corpus/speaker`.
    pub person: String,
    /// Which of the person's clips it shares the throats of its altered views with; none where
    /// each is altered by itself.
    pub group: Option<usize>,
    /// Where the recording lies.
    pub path: PathBuf,
    /// How long it is, seconds.
    pub duration_s: f64,
    /// The label.
    pub emotion: Emotion,
    /// The speaker's sex, where the corpus says.
    pub sex: Option<Sex>,
    /// The recording itself, then its altered views: the steps of the speech in each, or,
    /// where rows are clips, what is pooled of them.
    pub views: Vec<Frames>,
    /// Whether each row stands for a clip of its own: the first for the whole view, others
    /// for crops of it, and from row `SPOKEN` on for the speech in it and crops of that.
    pub rows_are_clips: bool,
    /// What the layers that are tuned read of each view.
    pub lower: Vec<Lower>,
}

impl Example {
    /// The columns of the recording as it is and as it is judged.
    pub fn whole(&self) -> Cow<'_, FeatureMatrix> {
        self.whole_view(0)
    }

    /// The same of a view.
    pub fn whole_view(&self, view: usize) -> Cow<'_, FeatureMatrix> {
        if !self.rows_are_clips {
            return self.views[view].matrix();
        }
        let row = |i: usize| {
            let (matrix, range) = self.views[view].rows(i..i + 1);
            let values = matrix.frame(range.start).to_vec();
            FeatureMatrix::from_rows(values, matrix.n_features())
        };
        Cow::Owned(mean(&row(0), &row(SPOKEN)))
    }

    /// Whose voice a view is compared with: the person's, or that of the throat that speaks it.
    pub fn voice(&self, view: usize) -> Cow<'_, str> {
        match self.group {
            Some(group) if view > 0 => throats::voice(&self.person, group, view).into(),
            _ => Cow::Borrowed(&self.person),
        }
    }

    /// The same with other views.
    pub fn with_views(&self, views: Vec<Frames>) -> Example {
        Example {
            corpus: self.corpus,
            person: self.person.clone(),
            group: self.group,
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

#[cfg(test)]
impl Example {
    /// A second of somebody in the first corpus: a view, no crops.
    pub fn of(emotion: Emotion, view: FeatureMatrix) -> Example {
        Example {
            corpus: 0,
            person: "a".to_owned(),
            group: None,
            path: PathBuf::new(),
            duration_s: 1.0,
            emotion,
            sex: None,
            views: vec![view.into()],
            rows_are_clips: false,
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
    /// Whether the front ends' upper layers are to be tuned.
    pub tuned: bool,
    /// Altered views beside each recording.
    pub n_altered: usize,
    /// Whether they are of voices that nobody has.
    pub throats: bool,
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
    /// What each front end's tuned layers read.
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
        let groups = preparation
            .throats
            .then(|| Groups::of(wanted.iter().map(|w| w.2)));
        bar.set_length(wanted.len() as u64);
        let results: Vec<Result<Example, String>> = wanted
            .into_par_iter()
            .progress_with(bar.clone())
            .map_init(
                || preparation.encoder.clone(),
                |encoder, (corpus, emotion, recording)| {
                    let group = groups.as_ref().map(|groups| groups.group(recording));
                    let (views, n_steps) = views(recording, group, encoder, preparation)
                        .map_err(|e| format!("{}: {e}", recording.path.display()))?;
                    let (views, lower): (_, Vec<Option<Lower>>) = views.into_iter().unzip();
                    Ok(Example {
                        corpus,
                        person: recording.person(),
                        group,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Options, analyze};
    use crate::audio;
    use crate::audio::Clip;
    use crate::model::{Artifact, EmotionModel};
    use crate::train::views::N_CROPS;

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
        let list = [recording];
        for name in ["undertone-light", "lstm"] {
            let bytes = std::fs::read(root.join(format!("public/model/{name}.safetensors")));
            let artifact = Artifact::from_bytes(&bytes.expect("is read")).expect("is a model");
            let encoder = Encoder::new(&artifact.header.features, &artifact.packed_front_ends());
            let encoder = encoder.expect("is built");
            let model = EmotionModel::new(artifact.clone()).expect("fits");
            let pools = artifact.header.architecture.pooling == Pooling::Statistics;
            let preparation = Preparation {
                encoder: &encoder,
                half: pools,
                cache: None,
                talkers: &Talkers::default(),
                architecture: &artifact.header.architecture,
                tuned: false,
                n_altered: 1,
                throats: pools,
                seed: 1,
            };
            let hidden = ProgressBar::hidden();
            let examples = Examples::prepare(&list, &corpora(&list), &preparation, &hidden);
            let [example] = &examples.list[..] else {
                panic!("{:?}", examples.faults)
            };
            assert_eq!(example.views.len(), 2);
            let n_rows = example.views[0].n_frames();
            if pools {
                assert_eq!(n_rows, SPOKEN + 1 + N_CROPS[1]);
            } else {
                let spoken_s = n_rows as f64 * examples.step_s;
                assert!(
                    spoken_s < example.duration_s - 1.0,
                    "{spoken_s} s are heard"
                );
            }
            let trained = model.prediction(&example.whole(), example.duration_s);
            let trained = trained.expect("fits").scores;
            let clip = Clip::new(samples.clone());
            let analysis = analyze(&model, &clip, Options::default()).expect("is judged");
            assert!(analysis.utterances[0].start_s > 0.5, "begins with silence");
            // Half precision, and frames grouped from another one on.
            for (a, b) in trained.as_array().iter().zip(analysis.scores.as_array()) {
                assert!((a - b).abs() < 0.01, "{name}: {a} {b}");
            }
        }
    }
}
