//! One network's way from random weights to fitted ones: AdamW under a cosine
//! schedule, averaged weights, early stopping on speakers that the weights never
//! see.

use super::batches::{Batch, Batching, class_weights, epoch};
use super::calibrate::recalls;
use super::checkpoint::{Best, Checkpoint, FittingState};
use super::examples::{Corpus, Example};
use super::optimizer::{AdamW, Average, clip, named, seed_weights};
use super::trainer::{Progress, Stage, TrainingConfig};
use super::voices::Voices;
use crate::emotion::N_EMOTIONS;
use crate::model::baseline::Displacements;
use crate::model::network::Network;
use crate::model::normalize::Normalizer;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Share of a weight that decays at a step of one.
pub(super) const WEIGHT_DECAY: f64 = 0.05;

/// What the averaged weights keep of themselves at a step.
pub(super) const AVERAGED: f64 = 0.995;

/// Share of a target spread over the corpus's classes.
pub(super) const LABEL_SMOOTHING: f32 = 0.05;

/// A network that has been fitted.
pub(super) struct Fitted {
    /// By name.
    pub weights: BTreeMap<String, Tensor>,
    /// Of the training examples.
    pub normalizer: Normalizer,
    /// Of the training voices.
    pub displacements: Displacements,
    /// Of the validation examples.
    pub logits: Vec<[f32; N_EMOTIONS]>,
    /// Passes that the weights saw.
    pub epochs: usize,
}

/// Fits a network to `training`. With early stopping, the weights that do best
/// on `validation` are kept, else those of the last pass. A fit that was cut off
/// goes on from its checkpoint, to the same weights.
pub(super) fn fit(
    training: &[&Example],
    validation: &[&Example],
    corpora: &[Corpus],
    config: &TrainingConfig,
    step_s: f64,
    progress: &mut impl FnMut(&Progress),
) -> Result<Fitted> {
    let mut rng = StdRng::seed_from_u64(config.seed ^ 0x766f_6963);
    let (voices, normalizer, displacements) =
        Voices::told(training, &config.architecture, &mut rng);
    let class_weights = class_weights(training, corpora.len());
    let batching = Batching {
        architecture: &config.architecture,
        voices: &voices,
        corpora,
        step_s,
        label_smoothing: LABEL_SMOOTHING,
        class_weights: &class_weights,
    };
    let mut fitting = Fitting::new(config, &batching, normalizer.n_columns())?;
    let mut best: Option<Best> = None;
    let checkpoint = config.checkpoints.as_ref().map(|folder| {
        let heard = [training, validation]
            .map(|list| -> Vec<&PathBuf> { list.iter().map(|e| &e.path).collect() });
        let settings = config.settings();
        Checkpoint::new(folder, &format!("{settings} {normalizer:?} {heard:?}"))
    });
    let mut first = 0;
    if let Some(state) = checkpoint.as_ref().and_then(Checkpoint::read) {
        first = state.passes;
        best = state.best;
        fitting.resume(state.fitting)?;
    }
    let start = Instant::now();
    let is_over = |best: &Option<Best>, done: usize| {
        let since = best.as_ref().map_or(0, |b| done - b.passes);
        config.patience.is_some_and(|patience| since >= patience)
    };
    for pass in first..config.epochs {
        if is_over(&best, pass) {
            break;
        }
        let loss = fitting.pass(training, pass)?;
        let done = pass + 1;
        let last = done == config.epochs;
        let validated = if config.patience.is_some() || last || done % 10 == 0 {
            recalls(validation, corpora, &fitting.measure(validation)?)
        } else {
            Vec::new()
        };
        let mean = validated.iter().map(|v| v.1).sum::<f64>() / validated.len().max(1) as f64;
        let better = if config.patience.is_some() {
            best.as_ref().is_none_or(|b| mean > b.validated)
        } else {
            last
        };
        if better {
            best = Some(Best {
                validated: mean,
                passes: done,
                weights: fitting.average.weights().clone(),
            });
        }
        let of_passes = |n: usize| start.elapsed().mul_f64(n as f64 / (done - first) as f64);
        progress(&Progress {
            stage: Stage::Fitting,
            epoch: done,
            loss,
            validation: validated,
            best: better,
            left: of_passes(config.epochs - done),
            whole: of_passes(config.epochs),
        });
        if let Some(checkpoint) = &checkpoint {
            checkpoint.write(
                done,
                last || is_over(&best, done),
                &fitting.state(),
                best.as_ref(),
            )?;
        }
    }
    let Some(best) = best else {
        candle_core::bail!("no epochs were asked for");
    };
    fitting.average = Average::of(best.weights.clone());
    let logits = fitting.measure(validation)?;
    Ok(Fitted {
        weights: best.weights,
        normalizer,
        displacements,
        logits,
        epochs: best.passes,
    })
}

/// A network on its way.
pub(super) struct Fitting<'a> {
    config: &'a TrainingConfig,
    batching: &'a Batching<'a>,
    n_columns: usize,
    map: VarMap,
    optimizer: AdamW,
    average: Average,
}

impl<'a> Fitting<'a> {
    pub(super) fn new(
        config: &'a TrainingConfig,
        batching: &'a Batching,
        n_columns: usize,
    ) -> Result<Fitting<'a>> {
        let map = VarMap::new();
        let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
        Network::new(batching.architecture, n_columns, &vb)?;
        let mut rng = StdRng::seed_from_u64(config.seed);
        seed_weights(&named(&map), &mut rng)?;
        Ok(Fitting {
            config,
            batching,
            n_columns,
            map,
            optimizer: AdamW::new(WEIGHT_DECAY),
            average: Average::new(AVERAGED),
        })
    }

    /// What must be kept to go on.
    fn state(&self) -> FittingState {
        let weights = named(&self.map).into_iter();
        FittingState {
            weights: weights
                .map(|(name, w)| (name, w.as_detached_tensor()))
                .collect(),
            optimizer: self.optimizer.clone(),
            average: self.average.clone(),
        }
    }

    /// Goes on from there.
    fn resume(&mut self, state: FittingState) -> Result<()> {
        for (name, var) in named(&self.map) {
            match state.weights.get(&name) {
                Some(weight) => var.set(weight)?,
                None => candle_core::bail!("the checkpoint lacks the weight {name}"),
            }
        }
        self.optimizer = state.optimizer;
        self.average = state.average;
        Ok(())
    }

    /// One pass over the examples; returns the mean loss.
    pub(super) fn pass(&mut self, examples: &[&Example], pass: usize) -> Result<f64> {
        let n_corpora = self.batching.corpora.len();
        let (per_corpus, size) = (self.config.clips_per_corpus, self.config.batch_size);
        // Every pass has random numbers of its own, so that a training that was
        // cut off goes on as if it had not been.
        let mut rng = StdRng::seed_from_u64(self.config.seed ^ (pass as u64 + 1) << 32);
        let batches = epoch(examples, n_corpora, per_corpus, size, &mut rng);
        let mut sum = 0.0;
        for (i, indices) in batches.iter().enumerate() {
            let done = pass as f64 + i as f64 / batches.len() as f64;
            let rate = self.config.learning_rate * schedule(done, self.config.epochs as f64);
            let chosen: Vec<&Example> = indices.iter().map(|i| examples[*i]).collect();
            let batch = self.batching.varied(&chosen, &mut rng)?;
            sum += self.step(&batch, rate, &mut rng)?.0;
        }
        Ok(sum / batches.len().max(1) as f64)
    }

    /// One step; returns the loss and its gradients.
    pub(super) fn step(
        &mut self,
        batch: &Batch,
        rate: f64,
        rng: &mut StdRng,
    ) -> Result<(f64, GradStore)> {
        let vars = named(&self.map);
        let loss = self.loss(batch, rng)?;
        let mut gradients = loss.backward()?;
        clip(&mut gradients, &vars, 1.0)?;
        self.optimizer.step(&vars, &gradients, rate)?;
        self.average.update(&vars)?;
        Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
    }

    /// Weighted cross-entropy over the classes that each corpus tells apart.
    fn loss(&self, batch: &Batch, rng: &mut StdRng) -> Result<Tensor> {
        // The layers hold joined copies of the variables, so the graph is made
        // anew for each step.
        let vb = VarBuilder::from_varmap(&self.map, DType::F32, &Device::Cpu);
        let network = Network::new(self.batching.architecture, self.n_columns, &vb)?;
        let rate = self.batching.architecture.dropout;
        let rng = std::cell::RefCell::new(rng);
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
        let network = Network::new(self.batching.architecture, self.n_columns, &vb)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::features::{FeatureConfig, FeatureMatrix};
    use crate::model::header::{Architecture, Cell, Pooling, RecurrentConfig};
    use std::sync::Arc;

    #[test]
    fn the_schedule_rises_then_falls() {
        assert!(schedule(0.5, 10.0) < schedule(1.0, 10.0));
        assert!(schedule(5.0, 10.0) < schedule(2.0, 10.0));
        assert!(schedule(9.9, 10.0) > 0.0);
    }

    /// High rows are happy, low ones sad.
    fn plain() -> Vec<Example> {
        let mut rng = StdRng::seed_from_u64(3);
        (0..48)
            .map(|i| {
                let high = i % 2 == 0;
                let rows = (0..12)
                    .map(|_| if high { 1.0 } else { -1.0 } + rng.random_range(-0.5..0.5f32))
                    .collect();
                let emotion = if high { Emotion::Happy } else { Emotion::Sad };
                Example::of(emotion, FeatureMatrix::from_rows(rows, 1))
            })
            .collect()
    }

    fn config() -> TrainingConfig {
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
            as_they_are: Vec::new(),
            fading: Vec::new(),
            dense: 6,
            dropout: 0.1,
        };
        TrainingConfig {
            name: "test".into(),
            features: FeatureConfig::default(),
            front_ends: Vec::new(),
            architecture,
            cache: None,
            talkers: Arc::default(),
            epochs: 12,
            patience: Some(12),
            batch_size: 8,
            learning_rate: 0.02,
            clips_per_corpus: 48,
            n_altered: 0,
            throats: false,
            tuning: 0,
            seed: 1,
            checkpoints: None,
        }
    }

    fn fitted(
        config: &TrainingConfig,
        progress: &mut impl FnMut(&Progress),
    ) -> Result<(f64, Fitted)> {
        let examples = plain();
        let corpora = [Corpus {
            name: "x".into(),
            classes: [true; N_EMOTIONS],
        }];
        let examples: Vec<&Example> = examples.iter().collect();
        let fitted = fit(&examples, &examples, &corpora, config, 0.01, progress)?;
        let uar = recalls(&examples, &corpora, &fitted.logits)[0].1;
        Ok((uar, fitted))
    }

    #[test]
    fn the_network_learns_what_is_plain_to_see() -> Result<()> {
        let (uar, _) = fitted(&config(), &mut |_| ())?;
        assert!(uar > 0.95, "{uar}");
        Ok(())
    }

    #[test]
    fn a_fit_that_was_cut_off_goes_on_to_the_same_weights() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let kept = TrainingConfig {
            checkpoints: Some(folder.path().to_owned()),
            ..config()
        };
        let (_, whole) = fitted(&config(), &mut |_| ())?;
        let cut_off = std::panic::catch_unwind(|| {
            fitted(&kept, &mut |p| assert!(p.epoch < 6, "the power is off"))
        });
        assert!(cut_off.is_err());
        let mut passes = Vec::new();
        let (_, resumed) = fitted(&kept, &mut |p| passes.push(p.epoch))?;
        assert!(passes[0] > 1 && passes[0] <= 6, "{passes:?}");
        for (name, weight) in &whole.weights {
            let difference = (weight - &resumed.weights[name])?.abs()?.max_all()?;
            assert_eq!(difference.to_scalar::<f32>()?, 0.0, "{name}");
        }
        // A finished fit is not done again, and another is not mistaken for it.
        passes.clear();
        let (_, again) = fitted(&kept, &mut |p| passes.push(p.epoch))?;
        assert!(passes.is_empty() && again.epochs == whole.epochs);
        let other = TrainingConfig { seed: 2, ..kept };
        fitted(&other, &mut |p| passes.push(p.epoch))?;
        assert_eq!(passes.first(), Some(&1));
        Ok(())
    }
}
