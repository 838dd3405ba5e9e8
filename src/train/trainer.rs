//! From examples and a split of them to a model: fitted, calibrated on speakers
//! that the weights never saw, with its facts.

use super::augment;
use super::cache::Cache;
use super::calibrate::calibrate;
use super::corpora::Recording;
use super::domains;
use super::examples::{Caches, Corpus, Example, Examples, Preparation, corpora};
use super::fitting::fit;
use super::noise::Talkers;
use super::split::{Split, crossed};
use super::tuning::{Tuning, heard_by, mean_of, n_passes, tune};
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureConfig;
use crate::model::DISPLACEMENTS;
use crate::model::Encoder;
use crate::model::artifact::Artifact;
use crate::model::calibration::{Answer, Calibration};
use crate::model::domains::{CENTRES, DIRECTIONS};
use crate::model::front_ends::PackedFrontEnd;
use crate::model::header::{Architecture, FORMAT_VERSION, ModelHeader, TrainingFacts};
use candle_core::{Device, Error, Result, Tensor};
use indicatif::ProgressBar;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Raised whenever a feature is computed differently, so that kept ones are
/// computed anew.
const FEATURES_VERSION: u32 = 2;

/// What the weights may be used for, which follows from the corpora.
const WEIGHTS_LICENSE: &str = "CC BY-NC-SA 4.0 (learnt from non-commercial corpora)";

/// How to train.
#[derive(Clone, Debug)]
pub struct TrainingConfig {
    /// Name of the model, as shown to people.
    pub name: String,
    /// The speech features.
    pub features: FeatureConfig,
    /// The front ends whose frames follow the features.
    pub front_ends: Vec<PackedFrontEnd>,
    /// The network's shape.
    pub architecture: Architecture,
    /// Where encoded recordings are kept from one run to the next.
    pub cache: Option<PathBuf>,
    /// Whose voices make babble.
    pub talkers: Arc<Talkers>,
    /// Most passes over the data.
    pub epochs: usize,
    /// Passes without a better validation after which training stops early: the
    /// validation speakers decide which pass is kept. Without it the last is, and
    /// they are trained on too.
    pub patience: Option<usize>,
    /// Clips a batch.
    pub batch_size: usize,
    /// Largest step of the schedule.
    pub learning_rate: f64,
    /// Most clips of one corpus in a pass.
    pub clips_per_corpus: usize,
    /// Altered views beside each recording.
    pub n_altered: usize,
    /// Whether they are of voices that nobody has, with which the heads compare them.
    pub throats: bool,
    /// Passes in which the front ends' last layers are tuned; none leaves them as
    /// published.
    pub tuning: usize,
    /// Seed of weights, order and alteration.
    pub seed: u64,
    /// Folder where every fit is kept on its way, to go on if it is cut off.
    pub checkpoints: Option<PathBuf>,
}

impl TrainingConfig {
    /// All that decides a fit but the examples.
    pub(super) fn settings(&self) -> String {
        format!(
            "{} {} {} {:?}",
            self.tuning_settings(),
            n_passes(self.tuning),
            self.epochs,
            self.patience,
        )
    }

    /// All that decides how front ends are tuned but the examples.
    pub(super) fn tuning_settings(&self) -> String {
        let origins = self.front_ends.iter().map(|f| &f.header.sha256);
        format!(
            "{} {} {:?} {:?} {} {} {} {} {} {} {}",
            augment::VERSION,
            self.name,
            origins.collect::<Vec<_>>(),
            self.architecture,
            self.batch_size,
            self.learning_rate,
            self.clips_per_corpus,
            self.n_altered,
            self.throats,
            self.tuning,
            self.seed
        )
    }
}

/// What is being moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The front ends' last layers.
    Tuning,
    /// The network's own weights.
    Fitting,
}

/// How far a training is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What is being moved.
    pub stage: Stage,
    /// Passes done.
    pub epoch: usize,
    /// Mean loss of the last pass.
    pub loss: f64,
    /// Unweighted average recall on the validation speakers by corpus.
    pub validation: Vec<(String, f64)>,
    /// Whether it is the best so far.
    pub best: bool,
    /// Estimated time to the last pass.
    pub left: Duration,
    /// Estimated time of all passes of one fit, of which there may be several.
    pub whole: Duration,
}

/// Recordings as examples for a model, to be split in any way.
///
/// # Errors
/// If the front ends cannot be built.
pub fn prepare(
    recordings: &[Recording],
    config: &TrainingConfig,
    bar: &ProgressBar,
) -> Result<Examples> {
    let encoder = Encoder::new(&config.features, &config.front_ends).map_err(Error::wrap)?;
    let cache = config.cache.as_ref().map(|folder| caches(folder, config));
    let preparation = Preparation {
        encoder: &encoder,
        half: !config.front_ends.is_empty(),
        cache: cache.as_ref(),
        talkers: &config.talkers,
        architecture: &config.architecture,
        tuned: config.tuning > 0,
        n_altered: config.n_altered,
        throats: config.throats,
        seed: 1,
    };
    let examples = Examples::prepare(recordings, &corpora(recordings), &preparation, bar);
    for fault in &examples.faults {
        bar.suspend(|| eprintln!("left out: {fault}"));
    }
    Ok(examples)
}

/// By whom a model that nobody stops is calibrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calibrated {
    /// By the speakers it is trained on, crossed: each is judged by a network
    /// that never heard them.
    Crossed,
    /// Later, by others; until then it believes its scores as they are.
    Later,
}

/// A fitted model, and the examples that test it.
pub struct Trained<'a> {
    /// The model.
    pub artifact: Artifact,
    /// `split.test`, as the model's front ends hear it.
    pub test: Vec<Cow<'a, Example>>,
    /// What its front ends are the mean of; none where they are as published.
    pub tunings: Vec<Tuning>,
}

/// Trains on `split.training` and calibrates by speakers that were not trained
/// on. With early stopping these are `split.validation`, which also decide when
/// to stop; else the model is fitted to all, and `calibrated` says by whom. Its front
/// ends are the mean of its own tunings and of those `beside`, whose speakers must not be
/// those that judge it.
///
/// # Errors
/// If there is nothing to train or validate on, or a tensor operation fails.
pub fn train<'a>(
    examples: &'a Examples,
    split: &Split,
    config: &TrainingConfig,
    calibrated: Calibrated,
    beside: &[Tuning],
    mut progress: impl FnMut(&Progress),
) -> Result<Trained<'a>> {
    let architecture = &config.architecture;
    let corpora = &examples.corpora;
    let step_s = examples.step_s;
    let splits = if config.patience.is_some() {
        vec![split.clone()]
    } else {
        let all = [&split.training[..], &split.validation].concat();
        let crossed = match calibrated {
            Calibrated::Crossed => crossed(&all),
            Calibrated::Later => Vec::new(),
        };
        // At last, nobody validates.
        let whole = Split {
            training: all,
            validation: Vec::new(),
            test: split.test.clone(),
        };
        [crossed, vec![whole]].concat()
    };
    let later = calibrated == Calibrated::Later && config.patience.is_none();
    let validates = |split: &Split| !examples.of(&split.validation).is_empty();
    if !later && !splits.iter().any(validates) {
        candle_core::bail!(
            "nobody is left to say how sure the model may be: give a corpus of eight or more speakers"
        );
    }
    let start = Instant::now();
    let (mut validated, mut answers, mut last) = (Vec::new(), Vec::new(), None);
    for (i, split) in splits.iter().enumerate() {
        let mut told = |p: &Progress| {
            let whole = match i {
                0 => p.whole,
                _ => start.elapsed() / i as u32,
            };
            progress(&Progress {
                left: p.left + whole * (splits.len() - 1 - i) as u32,
                ..p.clone()
            });
        };
        if examples.of(&split.training).is_empty() {
            candle_core::bail!("there is nothing to train on: give corpora of more speakers");
        }
        let heard = Heard::new(examples, split, config, beside, &mut told)?;
        let [training, validation] =
            [&heard.training, &heard.validation].map(|list| list.iter().map(|e| &**e).collect());
        let training: Vec<&Example> = training;
        let validation: Vec<&Example> = validation;
        let fitted = fit(&training, &validation, corpora, config, step_s, &mut told)?;
        let domains = domains::fit(&training, &fitted.normalizer)?;
        let novelties = match &domains {
            Some(domains) => domains.novelties(&validation, &fitted.normalizer)?,
            None => vec![1.0; validation.len()],
        };
        let validated_here = fitted.logits.iter().zip(novelties);
        answers.extend(validated_here.map(|(logits, novelty)| Answer {
            logits: *logits,
            novelty,
        }));
        validated.extend(heard.validation);
        last = Some((fitted, domains, heard.front_ends, heard.test, heard.tunings));
    }
    let Some((fitted, domains, front_ends, test, tunings)) = last else {
        candle_core::bail!("there is nothing to train on");
    };
    let validated: Vec<&Example> = validated.iter().map(|e| &**e).collect();
    let calibration = match later {
        true => Calibration::default(),
        false => calibrate(&validated, corpora, &answers),
    };
    let mut weights = fitted.weights;
    let n_columns = fitted.normalizer.n_columns();
    weights.insert(
        DISPLACEMENTS.to_owned(),
        Tensor::from_slice(
            fitted.displacements.as_slice(),
            (N_EMOTIONS, n_columns),
            &Device::Cpu,
        )?,
    );
    if let Some(domains) = domains {
        weights.insert(DIRECTIONS.to_owned(), domains.directions);
        weights.insert(CENTRES.to_owned(), domains.centres);
    }
    let artifact = Artifact {
        header: ModelHeader {
            format_version: FORMAT_VERSION,
            name: config.name.clone(),
            classes: Emotion::ALL.iter().map(|e| e.name().to_owned()).collect(),
            features: config.features.clone(),
            front_ends: front_ends.iter().map(|f| f.header.clone()).collect(),
            architecture: architecture.clone(),
            normalizer: fitted.normalizer,
            calibration,
            training: facts(
                split,
                corpora,
                config,
                fitted.epochs,
                config.patience.is_none(),
            ),
            checksum: String::new(),
        },
        weights,
        front_ends: front_ends.iter().map(|f| f.weights.clone()).collect(),
    };
    Ok(Trained {
        artifact,
        test,
        tunings,
    })
}

/// A split's examples as the front ends hear them that were tuned by its
/// training.
struct Heard<'a> {
    training: Vec<Cow<'a, Example>>,
    validation: Vec<Cow<'a, Example>>,
    test: Vec<Cow<'a, Example>>,
    front_ends: Vec<PackedFrontEnd>,
    /// Of this split alone.
    tunings: Vec<Tuning>,
}

impl<'a> Heard<'a> {
    fn new(
        examples: &'a Examples,
        split: &Split,
        config: &TrainingConfig,
        beside: &[Tuning],
        told: &mut impl FnMut(&Progress),
    ) -> Result<Heard<'a>> {
        let lists = [&split.training, &split.validation, &split.test].map(|l| examples.of(l));
        if config.tuning == 0 {
            let as_published = |list: Vec<&'a Example>| list.into_iter().map(Cow::Borrowed);
            let [training, validation, test] = lists.map(|l| as_published(l).collect());
            return Ok(Heard {
                training,
                validation,
                test,
                front_ends: config.front_ends.clone(),
                tunings: Vec::new(),
            });
        }
        let tunings = tune(&lists[0], examples, config, told)?;
        let front_ends = mean_of(&[&tunings, beside].concat())?;
        let hear = |list: &[&Example], n_views| -> Result<Vec<_>> {
            let heard = heard_by(list, &front_ends, &config.architecture, n_views)?;
            Ok(heard.into_iter().map(Cow::Owned).collect())
        };
        let [training, validation, test] = &lists;
        let (training, validation, test) = (
            hear(training, 1 + config.n_altered)?,
            hear(validation, 1)?,
            hear(test, 1)?,
        );
        Ok(Heard {
            training,
            validation,
            test,
            front_ends,
            tunings,
        })
    }
}

/// Names everything that decides what a recording is encoded to.
fn caches(folder: &Path, config: &TrainingConfig) -> Caches {
    let per_step = config.architecture.frames_per_step;
    let hop_s = if config.front_ends.is_empty() {
        "own hop"
    } else {
        "front ends' hop"
    };
    let features = format!(
        "{FEATURES_VERSION} {:?} {per_step} {hop_s}",
        config.features
    );
    let named = |front_end: &PackedFrontEnd| {
        let weights = front_end.weights.iter();
        let sizes: Vec<_> = weights.map(|(name, w)| (name, w.shape())).collect();
        format!(" {:?} {sizes:?}", front_end.header)
    };
    let names: Vec<String> = config.front_ends.iter().map(named).collect();
    let below = |name| Cache::new(folder, &format!("below what is tuned of{name}"));
    Caches {
        speech: Cache::new(folder, "samples of the first voice and the last"),
        features: Cache::new(folder, &features),
        lower: names.iter().map(below).collect(),
        learnt: Cache::new(folder, &format!("{per_step}{}", names.concat())),
    }
}

fn facts(
    split: &Split,
    corpora: &[Corpus],
    config: &TrainingConfig,
    epochs: usize,
    validated_too: bool,
) -> TrainingFacts {
    let mut heard: Vec<_> = split.training.iter().collect();
    if validated_too {
        heard.extend(&split.validation);
    }
    let n_clips = |corpus: &Corpus| {
        let own = heard.iter().filter(|r| r.corpus == corpus.name);
        own.filter(|r| r.emotion.is_some_and(|e| corpus.classes[e.index()]))
            .count()
    };
    let speakers: BTreeSet<String> = heard.iter().map(|r| r.person()).collect();
    TrainingFacts {
        corpora: corpora
            .iter()
            .map(|c| (c.name.clone(), n_clips(c)))
            .collect(),
        speakers: speakers.into_iter().collect(),
        epochs,
        seed: config.seed,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        license: WEIGHTS_LICENSE.to_owned(),
    }
}
