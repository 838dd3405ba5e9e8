//! Recordings as frames, by the staircase that the page runs.

use super::augment::altered;
use super::corpora::Recording;
use crate::audio;
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::{Extractor, FeatureConfig, FeatureMatrix};
use crate::model::normalize::averaged;
use indicatif::{ParallelProgressIterator, ProgressBar};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A class of a corpus with fewer clips than this share of its largest class
/// teaches nothing but that it is rare, and is left out.
const MIN_CLASS_SHARE: f64 = 0.1;

/// One labelled recording, ready to train on.
#[derive(Clone, Debug)]
pub struct Example {
    /// Index into [`Examples::corpora`].
    pub corpus: usize,
    /// The label.
    pub emotion: Emotion,
    /// The recording itself, then its altered views; each row is the mean of
    /// a step's frames.
    pub views: Vec<FeatureMatrix>,
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
    /// The examples.
    pub list: Vec<Example>,
    /// Recordings that could not be heard, each with the reason.
    pub faults: Vec<String>,
}

/// How recordings become examples.
#[derive(Clone, Debug)]
pub struct Preparation<'a> {
    /// The features.
    pub features: &'a FeatureConfig,
    /// Frames averaged into a step.
    pub frames_per_step: usize,
    /// Altered views beside each recording.
    pub n_altered: usize,
    /// Seed of the alterations.
    pub seed: u64,
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
        let extractor = Extractor::new(preparation.features);
        let results: Vec<Result<Example, String>> = wanted
            .into_par_iter()
            .progress_with(bar.clone())
            .enumerate()
            .map_init(
                || extractor.clone(),
                |extractor, (i, (corpus, emotion, recording))| {
                    let extractor = extractor.as_mut().map_err(|e| e.to_string())?;
                    let mut rng = StdRng::seed_from_u64(preparation.seed ^ (i as u64) << 20);
                    let views = views(recording, extractor, preparation, &mut rng)
                        .map_err(|e| format!("{}: {e}", recording.path.display()))?;
                    Ok(Example {
                        corpus,
                        emotion,
                        views,
                    })
                },
            )
            .collect();
        let mut examples = Examples {
            corpora: corpora.to_vec(),
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

fn views(
    recording: &Recording,
    extractor: &mut Extractor,
    preparation: &Preparation,
    rng: &mut StdRng,
) -> Result<Vec<FeatureMatrix>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(&recording.path)?;
    let name = recording.path.to_string_lossy();
    let samples = audio::load(bytes, &name)?.clip.into_samples();
    let peak = samples.iter().fold(0.0f32, |p, s| p.max(s.abs()));
    if 20.0 * peak.max(1e-10).log10() < crate::analysis::SILENCE_DBFS {
        return Err("silent".into());
    }
    let mut frames_of = |samples: &[f32]| -> Result<FeatureMatrix, Box<dyn std::error::Error>> {
        let frames = extractor.extract(samples)?;
        Ok(averaged(
            &frames,
            0..frames.n_frames(),
            preparation.frames_per_step,
        ))
    };
    let mut views = vec![frames_of(&samples)?];
    for _ in 0..preparation.n_altered {
        views.push(frames_of(&altered(&samples, rng)?)?);
    }
    Ok(views)
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
