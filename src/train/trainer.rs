//! Fits a network: AdamW under a cosine schedule, averaged weights, early
//! stopping on speakers that the weights never see.

use super::batches::{Batch, Batching, class_weights, epoch};
use super::cache::Cache;
use super::corpora::Recording;
use super::examples::{Caches, Corpus, Example, Examples, Preparation, corpora};
use super::metrics::{Metrics, Outcome};
use super::noise::Talkers;
use super::optimizer::{Average, clip, named, seed_weights};
use super::split::Split;
use super::voices::{Voices, statistics};
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::features::FeatureConfig;
use crate::model::DISPLACEMENTS;
use crate::model::Encoder;
use crate::model::artifact::Artifact;
use crate::model::baseline::Displacements;
use crate::model::calibration::Calibration;
use crate::model::front_ends::PackedFrontEnd;
use crate::model::header::{Architecture, FORMAT_VERSION, ModelHeader, TrainingFacts};
use crate::model::network::Network;
use crate::model::normalize::Normalizer;
use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use indicatif::ProgressBar;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Share of validation clips that the model shall be sure of.
const COVERAGE: f64 = 0.8;

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
    /// Whether the validation speakers decide which pass is kept; else the last
    /// is, and once it is calibrated they are trained on too.
    pub early_stopping: bool,
    /// Passes without a better validation after which training stops early.
    pub patience: usize,
    /// Clips a batch.
    pub batch_size: usize,
    /// Largest step of the schedule.
    pub learning_rate: f64,
    /// Most clips of one corpus in a pass.
    pub clips_per_corpus: usize,
    /// Altered views beside each recording.
    pub n_altered: usize,
    /// Seed of weights, order and alteration.
    pub seed: u64,
}

/// How far a training is.
#[derive(Clone, Debug)]
pub struct Progress {
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
        n_altered: config.n_altered,
        seed: 1,
    };
    let examples = Examples::prepare(recordings, &corpora(recordings), &preparation, bar);
    for fault in &examples.faults {
        bar.suspend(|| eprintln!("left out: {fault}"));
    }
    Ok(examples)
}

/// Trains on `split.training`, stops and calibrates on `split.validation`.
///
/// # Errors
/// If there is nothing to train or validate on, or a tensor operation fails.
pub fn train(
    examples: &Examples,
    split: &Split,
    config: &TrainingConfig,
    mut progress: impl FnMut(&Progress),
) -> Result<Artifact> {
    let architecture = &config.architecture;
    let corpora = &examples.corpora;
    let step_s = examples.step_s;
    let training = examples.of(&split.training);
    let validation = examples.of(&split.validation);
    if training.is_empty() || validation.is_empty() {
        candle_core::bail!(
            "{} clips to train on and {} to validate with: give a corpus of at least eight speakers",
            training.len(),
            validation.len()
        );
    }
    let fitted = fit(
        &training,
        &validation,
        corpora,
        config,
        step_s,
        &mut progress,
    )?;
    let calibration = calibrate(&validation, corpora, &fitted.logits);
    // Where nothing is left to the validation speakers but the calibration,
    // they are worth more as voices to learn from.
    let fitted = if config.early_stopping {
        fitted
    } else {
        let all = [training, validation].concat();
        fit(&all, &[], corpora, config, step_s, &mut progress)?
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
    Ok(Artifact {
        header: ModelHeader {
            format_version: FORMAT_VERSION,
            name: config.name.clone(),
            classes: Emotion::ALL.iter().map(|e| e.name().to_owned()).collect(),
            features: config.features.clone(),
            front_ends: config.front_ends.iter().map(|f| f.header.clone()).collect(),
            architecture: architecture.clone(),
            normalizer: fitted.normalizer,
            calibration,
            training: facts(
                split,
                corpora,
                config,
                fitted.epochs,
                !config.early_stopping,
            ),
            checksum: String::new(),
        },
        weights,
        front_ends: config
            .front_ends
            .iter()
            .map(|f| f.weights.clone())
            .collect(),
    })
}

/// A network that has been fitted.
struct Fitted {
    weights: BTreeMap<String, Tensor>,
    normalizer: Normalizer,
    displacements: Displacements,
    /// Of the validation examples.
    logits: Vec<[f32; N_EMOTIONS]>,
    /// Passes that the weights saw.
    epochs: usize,
}

/// Fits a network to `training`. With early stopping, the weights that do best
/// on `validation` are kept, else those of the last pass.
fn fit(
    training: &[&Example],
    validation: &[&Example],
    corpora: &[Corpus],
    config: &TrainingConfig,
    step_s: f64,
    progress: &mut impl FnMut(&Progress),
) -> Result<Fitted> {
    let (normalizer, displacements) = statistics(training);
    let voices = if config.architecture.told_baseline {
        let mut rng = StdRng::seed_from_u64(config.seed ^ 0x766f_6963);
        Voices::draw(training, &normalizer, &displacements, &mut rng)
    } else {
        Voices::strangers(&normalizer)
    };
    let class_weights = class_weights(training, corpora.len());
    let batching = Batching {
        architecture: &config.architecture,
        voices: &voices,
        corpora,
        step_s,
        label_smoothing: 0.05,
        class_weights: &class_weights,
    };
    let mut fitting = Fitting::new(config, &batching, normalizer.n_columns())?;
    let mut best: Option<(f64, usize, BTreeMap<String, Tensor>)> = None;
    let start = Instant::now();
    for pass in 0..config.epochs {
        let loss = fitting.pass(training, pass)?;
        let done = pass + 1;
        let last = done == config.epochs;
        let validated = if config.early_stopping || last || done % 10 == 0 {
            by_corpus(validation, corpora, &fitting.measure(validation)?)
        } else {
            Vec::new()
        };
        let mean = validated.iter().map(|v| v.1).sum::<f64>() / validated.len().max(1) as f64;
        let better = if config.early_stopping {
            best.as_ref().is_none_or(|b| mean > b.0)
        } else {
            last
        };
        if better {
            best = Some((mean, done, fitting.average.weights().clone()));
        }
        progress(&Progress {
            epoch: done,
            loss,
            validation: validated,
            best: better,
            left: start
                .elapsed()
                .mul_f64((config.epochs - done) as f64 / done as f64),
        });
        let since = best.as_ref().map_or(0, |b| done - b.1);
        if config.early_stopping && since >= config.patience {
            break;
        }
    }
    let Some((_, epochs, weights)) = best else {
        candle_core::bail!("no epochs were asked for");
    };
    fitting.average = Average::of(weights.clone());
    let logits = fitting.measure(validation)?;
    Ok(Fitted {
        weights,
        normalizer,
        displacements,
        logits,
        epochs,
    })
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
    let mut learnt = per_step.to_string();
    for front_end in &config.front_ends {
        let sizes: Vec<_> = front_end
            .weights
            .iter()
            .map(|(n, w)| (n, w.shape()))
            .collect();
        learnt += &format!(" {:?} {sizes:?}", front_end.header);
    }
    Caches {
        features: Cache::new(folder, &features),
        learnt: Cache::new(folder, &learnt),
    }
}

/// A network on its way.
struct Fitting<'a> {
    config: &'a TrainingConfig,
    batching: &'a Batching<'a>,
    n_inputs: usize,
    map: VarMap,
    optimizer: AdamW,
    average: Average,
    rng: StdRng,
}

impl<'a> Fitting<'a> {
    fn new(
        config: &'a TrainingConfig,
        batching: &'a Batching,
        n_columns: usize,
    ) -> Result<Fitting<'a>> {
        let n_inputs = batching.architecture.n_inputs(n_columns);
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        Network::new(batching.architecture, n_inputs, &vb)?;
        let mut rng = StdRng::seed_from_u64(config.seed);
        seed_weights(&named(&map), &mut rng)?;
        let optimizer = AdamW::new(
            named(&map).into_values().collect(),
            ParamsAdamW {
                lr: config.learning_rate,
                weight_decay: 0.05,
                ..ParamsAdamW::default()
            },
        )?;
        Ok(Fitting {
            config,
            batching,
            n_inputs,
            map,
            optimizer,
            average: Average::new(0.995),
            rng,
        })
    }

    /// One pass over the examples; returns the mean loss.
    fn pass(&mut self, examples: &[&Example], pass: usize) -> Result<f64> {
        let n_corpora = self.batching.corpora.len();
        let (per_corpus, size) = (self.config.clips_per_corpus, self.config.batch_size);
        let batches = epoch(examples, n_corpora, per_corpus, size, &mut self.rng);
        let vars = named(&self.map);
        let mut sum = 0.0;
        for (i, indices) in batches.iter().enumerate() {
            let done = pass as f64 + i as f64 / batches.len() as f64;
            let rate = self.config.learning_rate * schedule(done, self.config.epochs as f64);
            self.optimizer.set_learning_rate(rate);
            let chosen: Vec<&Example> = indices.iter().map(|i| examples[*i]).collect();
            let batch = self.batching.varied(&chosen, &mut self.rng)?;
            let loss = self.loss(&batch)?;
            let mut gradients = loss.backward()?;
            clip(&mut gradients, &vars, 1.0)?;
            self.optimizer.step(&gradients)?;
            self.average.update(&vars)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
        }
        Ok(sum / batches.len().max(1) as f64)
    }

    /// Weighted cross-entropy over the classes that each corpus tells apart.
    fn loss(&mut self, batch: &Batch) -> Result<Tensor> {
        // The layers hold joined copies of the variables, so the graph is made
        // anew for each step.
        let vb = VarBuilder::from_varmap(&self.map, DType::F32, &Device::Cpu);
        let network = Network::new(self.batching.architecture, self.n_inputs, &vb)?;
        let rate = self.batching.architecture.dropout;
        let rng = std::cell::RefCell::new(&mut self.rng);
        let drop = |shape: &[usize]| -> Result<Tensor> {
            let mut rng = rng.borrow_mut();
            let kept = 1.0 / (1.0 - rate);
            let n = shape.iter().product();
            let values: Vec<f32> = (0..n)
                .map(|_| {
                    if rng.random::<f32>() < rate {
                        0.0
                    } else {
                        kept
                    }
                })
                .collect();
            Tensor::from_vec(values, shape, &Device::Cpu)
        };
        let heads = network.forward(&batch.x, &batch.lengths, Some(&drop))?;
        let n_heads = heads.len() as f64;
        let mut sum = Tensor::zeros(batch.weights.shape(), DType::F32, &Device::Cpu)?;
        for logits in heads {
            let log_p = candle_nn::ops::log_softmax(&(logits + &batch.mask)?, 1)?;
            sum = (sum - (log_p * &batch.targets)?.sum(1)?)?;
        }
        let total = f64::from(batch.weights.sum_all()?.to_scalar::<f32>()?);
        (sum * &batch.weights)?.sum_all()? / (n_heads * total)
    }

    /// Logits of whole recordings under the averaged weights.
    fn measure(&self, examples: &[&Example]) -> Result<Vec<[f32; N_EMOTIONS]>> {
        let weights = self.average.weights().clone().into_iter().collect();
        let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        let network = Network::new(self.batching.architecture, self.n_inputs, &vb)?;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        order.sort_by_key(|i| examples[*i].views[0].n_frames());
        let mut logits = vec![[0.0; N_EMOTIONS]; examples.len()];
        for indices in order.chunks(self.config.batch_size) {
            let chosen: Vec<&Example> = indices.iter().map(|i| examples[*i]).collect();
            let batch = self.batching.whole(&chosen)?;
            let rows = network.logits(&batch.x, &batch.lengths)?.to_vec2::<f32>()?;
            for (i, row) in indices.iter().zip(rows) {
                logits[*i].copy_from_slice(&row);
            }
        }
        Ok(logits)
    }
}

/// Share of the largest step: up over the first pass, then down a cosine.
fn schedule(done: f64, epochs: f64) -> f64 {
    if done < 1.0 {
        return done.max(0.02);
    }
    let share = (done - 1.0) / (epochs - 1.0).max(1.0);
    0.5 * (1.0 + (std::f64::consts::PI * share).cos()).max(0.02)
}

/// Logits with those of classes that the corpus does not tell apart removed.
fn masked(logits: &[f32; N_EMOTIONS], corpus: &Corpus) -> [f32; N_EMOTIONS] {
    std::array::from_fn(|i| {
        if corpus.classes[i] {
            logits[i]
        } else {
            super::batches::MASKED
        }
    })
}

/// Unweighted average recall of each corpus that has several classes.
fn by_corpus(
    examples: &[&Example],
    corpora: &[Corpus],
    logits: &[[f32; N_EMOTIONS]],
) -> Vec<(String, f64)> {
    let mut result = Vec::new();
    for (index, corpus) in corpora.iter().enumerate() {
        let outcomes: Vec<Outcome> = examples
            .iter()
            .zip(logits)
            .filter(|(e, _)| e.corpus == index)
            .map(|(e, l)| Outcome {
                truth: e.emotion,
                scores: Scores::from_logits(masked(l, corpus)),
                sex: e.sex,
            })
            .collect();
        if !outcomes.is_empty() {
            let uar = Metrics::of(&outcomes, &Emotion::ALL).uar;
            result.push((corpus.name.clone(), uar));
        }
    }
    result
}

/// The temperature with the smallest cross-entropy, and the confidence that
/// [`COVERAGE`] of the clips reach.
fn calibrate(
    examples: &[&Example],
    corpora: &[Corpus],
    logits: &[[f32; N_EMOTIONS]],
) -> Calibration {
    let cross_entropy = |temperature: f32| -> f64 {
        let calibration = Calibration {
            temperature,
            sure_threshold: 0.0,
        };
        examples
            .iter()
            .zip(logits)
            .map(|(e, l)| {
                let scores = calibration.scores(masked(l, &corpora[e.corpus]));
                -f64::from(scores.get(e.emotion).max(1e-6).ln())
            })
            .sum()
    };
    // A hundredth of an octave and a half at a time: 0.35 to 5.7.
    let temperature = (-150..=250)
        .map(|i| 2f32.powf(i as f32 / 100.0))
        .min_by(|a, b| cross_entropy(*a).total_cmp(&cross_entropy(*b)))
        .unwrap_or(1.0);
    let mut calibration = Calibration {
        temperature,
        sure_threshold: 0.0,
    };
    let mut confidences: Vec<f32> = logits
        .iter()
        .map(|l| calibration.scores(*l).top().1)
        .collect();
    confidences.sort_by(f32::total_cmp);
    let rank = ((1.0 - COVERAGE) * confidences.len() as f64) as usize;
    calibration.sure_threshold = confidences.get(rank).copied().unwrap_or(0.0);
    calibration
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureMatrix;
    use crate::model::header::{Cell, Pooling, RecurrentConfig};

    #[test]
    fn the_schedule_rises_then_falls() {
        assert!(schedule(0.5, 10.0) < schedule(1.0, 10.0));
        assert!(schedule(5.0, 10.0) < schedule(2.0, 10.0));
        assert!(schedule(9.9, 10.0) > 0.0);
    }

    fn example(emotion: Emotion) -> Example {
        Example {
            corpus: 0,
            person: "a".into(),
            path: PathBuf::new(),
            duration_s: 1.0,
            emotion,
            sex: None,
            views: vec![FeatureMatrix::from_rows(vec![0.0], 1).into()],
            rows_are_clips: false,
        }
    }

    #[test]
    fn a_boaster_is_cooled_down() {
        // Always sure with logit 6, right three times of four: the fitting
        // temperature makes the confidence three quarters.
        let corpora = [Corpus {
            name: "x".into(),
            classes: std::array::from_fn(|i| i < 2),
        }];
        let examples: Vec<Example> = (0..8)
            .map(|i| {
                example(if i % 4 == 0 {
                    Emotion::Neutral
                } else {
                    Emotion::Calm
                })
            })
            .collect();
        let mut logits = [0.0; N_EMOTIONS];
        logits[Emotion::Calm.index()] = 6.0;
        let calibration = calibrate(&examples.iter().collect::<Vec<_>>(), &corpora, &[logits; 8]);
        let p = calibration.scores(masked(&logits, &corpora[0])).top().1;
        assert!(
            (p - 0.75).abs() < 0.01,
            "{p} at {}",
            calibration.temperature
        );
    }

    #[test]
    fn the_network_learns_what_is_plain_to_see() -> Result<()> {
        let mut rng = StdRng::seed_from_u64(3);
        let examples: Vec<Example> = (0..48)
            .map(|i| {
                let high = i % 2 == 0;
                let rows = (0..12)
                    .map(|_| if high { 1.0 } else { -1.0 } + rng.random_range(-0.5..0.5f32))
                    .collect();
                Example {
                    views: vec![FeatureMatrix::from_rows(rows, 1).into()],
                    ..example(if high { Emotion::Happy } else { Emotion::Sad })
                }
            })
            .collect();
        let corpora = [Corpus {
            name: "x".into(),
            classes: [true; N_EMOTIONS],
        }];
        let architecture = Architecture {
            frames_per_step: 1,
            window_normalized: false,
            convolutions: vec![6],
            recurrent: Some(RecurrentConfig {
                cell: Cell::Lstm,
                hidden: 4,
                n_layers: 1,
                bidirectional: true,
            }),
            pooling: Pooling::Attentive,
            told_baseline: true,
            heads: 2,
            dense: 6,
            dropout: 0.1,
        };
        let config = TrainingConfig {
            name: "test".into(),
            features: FeatureConfig::default(),
            front_ends: Vec::new(),
            architecture,
            cache: None,
            talkers: Arc::default(),
            epochs: 12,
            early_stopping: true,
            patience: 12,
            batch_size: 8,
            learning_rate: 0.02,
            clips_per_corpus: 48,
            n_altered: 0,
            seed: 1,
        };
        let examples: Vec<&Example> = examples.iter().collect();
        let fitted = fit(&examples, &examples, &corpora, &config, 0.01, &mut |_| ())?;
        let logits = fitted.logits;
        let uar = by_corpus(&examples, &corpora, &logits)[0].1;
        assert!(uar > 0.95, "{uar}");
        Ok(())
    }
}
