//! Fine-tuning: a front end's last layer is moved by the emotions, with smaller
//! steps than the heads over it.
//!
//! The layer was made to tell words or people apart; what it makes of a clip is
//! pooled over time, so a few passes teach it to keep what tells emotions apart.
//! All below it stays as published, and so is computed once: the tuned layer
//! reads the frames of the layer before ([`Lower`]).

mod block;
mod layer;
mod operations;

use self::layer::{TrainableLayer, merged};
use super::batches::{Batch, Batching, class_weights};
use super::examples::{Example, Examples, clips};
use super::fitting::{Fitting, LABEL_SMOOTHING};
use super::frames::Frames;
use super::optimizer::{AdamW, Average, clip};
use super::trainer::{Progress, Stage, TrainingConfig};
use super::voices::Voices;
use crate::features::FeatureMatrix;
use crate::model::front_ends::{FrontEnd, PackedFrontEnd};
use crate::model::header::Architecture;
use crate::model::normalize::{Reference, averaged};
use candle_core::{Device, Result, Tensor, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// How a layer is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Passes in which the layer moves.
    pub passes: usize,
    /// Largest step of the layer's weights.
    pub learning_rate: f64,
}

/// Passes of the heads alone before the layer moves: random heads would only
/// spoil it.
const WARM_UP: usize = 30;

/// Largest step of the heads while the layer moves.
const HEADS_RATE: f64 = 5e-4;

/// Clips a step.
const BATCH: usize = 48;

/// What the averaged weights keep of themselves at a step.
const AVERAGED: f64 = 0.99;

/// What a tuned layer reads of a view.
#[derive(Clone, Debug)]
pub struct Lower {
    /// Outputs of the layer before it, at its own step.
    pub frames: Frames,
    /// The steps that each row of the view was made of.
    pub crops: Vec<Range<usize>>,
}

/// One clip of a batch: which example, which of its views, which row of it.
type Pick = (usize, usize, usize);

/// Moves the last layer of `front_end` by what `training` shows; the layer's
/// outputs are the last columns of the examples.
///
/// # Errors
/// If the front end has no layers, or a tensor operation fails.
pub(super) fn tune(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    tuning: Tuning,
    front_end: &PackedFrontEnd,
    told: &mut impl FnMut(&Progress),
) -> Result<PackedFrontEnd> {
    let corpora = &examples.corpora;
    let layer = TrainableLayer::last_of(front_end)?;
    let class_weights = class_weights(training, corpora.len());
    let mut rng = StdRng::seed_from_u64(config.seed ^ 0x766f_6963);
    let (voices, normalizer, _) = Voices::told(training, &config.architecture, &mut rng);
    let batching = Batching {
        architecture: &config.architecture,
        voices: &voices,
        corpora,
        step_s: examples.step_s,
        label_smoothing: LABEL_SMOOTHING,
        class_weights: &class_weights,
    };
    let warm_up = TrainingConfig {
        epochs: WARM_UP,
        ..config.clone()
    };
    let mut fitting = Fitting::new(&warm_up, &batching, normalizer.n_columns())?;
    for pass in 0..WARM_UP {
        fitting.pass(training, pass)?;
    }
    let mut tuner = Tuner {
        training,
        architecture: &config.architecture,
        per_step: config.architecture.frames_per_step * layer.frames_per_row(),
        optimizer: AdamW::new(0.0),
        average: Average::new(AVERAGED),
        layer,
    };
    let start = Instant::now();
    for pass in 0..tuning.passes {
        // A voice is known through the layer as it is by now.
        let moved = match pass {
            0 => None,
            _ => Some(tuner.voices(front_end, &mut rng)?),
        };
        let batching = Batching {
            voices: moved.as_ref().unwrap_or(&voices),
            ..batching
        };
        let seed = config.seed ^ 0x7475_6e65 ^ (pass as u64 + 1) << 32;
        let mut rng = StdRng::seed_from_u64(seed);
        let batches = tuner.batches(config.clips_per_corpus, corpora.len(), &mut rng);
        let mut sum = 0.0;
        for (i, picks) in batches.iter().enumerate() {
            let done = (pass as f64 + i as f64 / batches.len() as f64) / tuning.passes as f64;
            let scale = schedule(done, tuning.passes);
            let rates = [HEADS_RATE * scale, tuning.learning_rate * scale];
            sum += tuner.step(&mut fitting, &batching, picks, rates, &mut rng)?;
        }
        let of_passes = |n: usize| start.elapsed().mul_f64(n as f64 / (pass + 1) as f64);
        told(&Progress {
            stage: Stage::Tuning,
            epoch: pass + 1,
            loss: sum / batches.len().max(1) as f64,
            validation: Vec::new(),
            best: false,
            left: of_passes(tuning.passes - pass - 1),
            whole: of_passes(tuning.passes),
        });
    }
    let mut tuned = tuner.tuned(front_end)?;
    tuned.header.origin += "; the last layer tuned on emotions";
    Ok(tuned)
}

/// Share of the largest step: up over a quarter of a pass, then down a cosine.
fn schedule(done: f64, passes: usize) -> f64 {
    let risen = (4.0 * done * passes as f64).clamp(0.01, 1.0);
    risen * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

struct Tuner<'a> {
    training: &'a [&'a Example],
    architecture: &'a Architecture,
    /// Frames of the layer to a step.
    per_step: usize,
    optimizer: AdamW,
    average: Average,
    layer: TrainableLayer,
}

impl Tuner<'_> {
    /// The front end as its layer is by now.
    fn tuned(&self, front_end: &PackedFrontEnd) -> Result<PackedFrontEnd> {
        Ok(PackedFrontEnd {
            header: front_end.header.clone(),
            weights: Arc::new(merged(&front_end.weights, self.average.weights())?),
        })
    }

    /// The voices through it.
    fn voices(&self, front_end: &PackedFrontEnd, rng: &mut StdRng) -> Result<Voices> {
        let as_they_are: Vec<Example> = self.training.iter().map(|e| e.unaltered()).collect();
        let as_they_are: Vec<&Example> = as_they_are.iter().collect();
        let heard = heard_by(&as_they_are, &self.tuned(front_end)?, self.architecture)?;
        let heard: Vec<&Example> = heard.iter().collect();
        Ok(Voices::told(&heard, self.architecture, rng).0)
    }

    /// A pass's order, of clips of like length.
    fn batches(&self, per_corpus: usize, n_corpora: usize, rng: &mut StdRng) -> Vec<Vec<Pick>> {
        let order = super::batches::epoch(self.training, n_corpora, per_corpus, BATCH, rng);
        let pick = |i: usize, rng: &mut StdRng| {
            let example = self.training[i];
            let view = super::batches::any_view(example, rng);
            (
                i,
                view,
                rng.random_range(0..example.lower[view].crops.len()),
            )
        };
        order
            .into_iter()
            .map(|batch| batch.into_iter().map(|i| pick(i, rng)).collect())
            .collect()
    }

    /// One step of the heads and of the layer; returns the loss.
    fn step(
        &mut self,
        fitting: &mut Fitting,
        batching: &Batching,
        picks: &[Pick],
        [heads_rate, layer_rate]: [f64; 2],
        rng: &mut StdRng,
    ) -> Result<f64> {
        // The clips of each core in a graph of their own: they meet in the
        // heads alone.
        let share = picks.len().div_ceil(rayon::current_num_threads()).max(1);
        let pooled: Vec<Tensor> = picks
            .par_chunks(share)
            .map(|picks| self.pooled(picks))
            .collect::<Result<_>>()?;
        let statistics = Var::from_tensor(&Tensor::cat(&pooled, 0)?.detach())?;
        let batch = self.batch(batching, picks, &statistics, rng)?;
        let (loss, gradients) = fitting.step(&batch, heads_rate, rng)?;
        let Some(upstream) = gradients.get(&statistics) else {
            candle_core::bail!("the heads do not read the layer");
        };
        let mut gradients = pooled
            .par_iter()
            .enumerate()
            .map(|(i, pooled)| {
                let upstream = upstream.narrow(0, i * share, pooled.dim(0)?)?.detach();
                (pooled * upstream)?.sum_all()?.backward()
            })
            .collect::<Result<Vec<_>>>()?;
        let Some(mut sum) = gradients.pop() else {
            candle_core::bail!("a batch without clips");
        };
        for (var, gradients) in self
            .layer
            .vars()
            .values()
            .flat_map(|var| gradients.iter().map(move |g| (var, g)))
        {
            if let (Some(a), Some(b)) = (sum.get(var), gradients.get(var)) {
                let both = (a + b)?;
                sum.insert(var, both);
            }
        }
        clip(&mut sum, self.layer.vars(), 1.0)?;
        self.optimizer.step(self.layer.vars(), &sum, layer_rate)?;
        self.average.update(self.layer.vars())?;
        Ok(loss)
    }

    /// Mean and deviation over the steps of each clip, `[clips, 2 · width]`; the
    /// layer hears a crop by itself, as a short clip.
    fn pooled(&self, picks: &[Pick]) -> Result<Tensor> {
        let clips: Vec<(FeatureMatrix, usize)> = picks
            .iter()
            .map(|&(example, view, row)| {
                let lower = &self.training[example].lower[view];
                let crop = &lower.crops[row];
                let n = lower.frames.n_frames();
                let range = crop.start * self.per_step..(crop.end * self.per_step).min(n);
                let length = range.len();
                let (rows, range) = lower.frames.rows(range);
                let width = rows.n_features();
                let values = &rows.as_slice()[range.start * width..range.end * width];
                (FeatureMatrix::from_rows(values.to_vec(), width), length)
            })
            .collect();
        let width = clips[0].0.n_features();
        let longest = clips.iter().map(|c| c.1).max().unwrap_or(0);
        let n_steps = longest.div_ceil(self.per_step);
        let n_frames = n_steps * self.per_step;
        let mut x = vec![0.0; clips.len() * n_frames * width];
        // What each frame weighs in its step, and each step in the clip.
        let mut in_step = vec![0.0; clips.len() * n_frames];
        let mut in_clip = vec![0.0; clips.len() * n_steps];
        for (i, (matrix, length)) in clips.iter().enumerate() {
            x[i * n_frames * width..][..length * width].copy_from_slice(matrix.as_slice());
            let n_own = length.div_ceil(self.per_step);
            in_clip[i * n_steps..][..n_own].fill(1.0 / n_own as f32);
            for t in 0..*length {
                let first = t / self.per_step * self.per_step;
                let n = (length - first).min(self.per_step);
                in_step[i * n_frames + t] = 1.0 / n as f32;
            }
        }
        let (device, n) = (&Device::Cpu, clips.len());
        let x = Tensor::from_vec(x, (n, n_frames, width), device)?;
        let in_step = Tensor::from_vec(in_step, (n, n_frames, 1), device)?;
        let in_clip = Tensor::from_vec(in_clip, (n, n_steps, 1), device)?;
        let lengths: Vec<usize> = clips.iter().map(|c| c.1).collect();
        let y = self.layer.forward(&x, &lengths)?.broadcast_mul(&in_step)?;
        let width = y.dim(2)?;
        let steps = y.reshape((n, n_steps, self.per_step, width))?.sum(2)?;
        let mean = steps.broadcast_mul(&in_clip)?.sum_keepdim(1)?;
        let variance = steps
            .broadcast_sub(&mean)?
            .sqr()?
            .broadcast_mul(&in_clip)?
            .sum(1)?;
        // The square root's slope stays finite where nothing moves.
        let deviation = (variance + 1e-8)?.sqrt()?;
        Tensor::cat(&[mean.squeeze(1)?, deviation], 1)
    }

    /// The clips compared with what may be known of their voices, with the
    /// layer's columns made of `statistics`.
    fn batch(
        &self,
        batching: &Batching,
        picks: &[Pick],
        statistics: &Var,
        rng: &mut StdRng,
    ) -> Result<Batch> {
        let examples: Vec<&Example> = picks.iter().map(|p| self.training[p.0]).collect();
        let rows = picks
            .iter()
            .map(|&(example, view, row)| {
                let (rows, range) = self.training[example].views[view].rows(row..row + 1);
                let width = rows.n_features();
                let values = rows.frame(range.start).to_vec();
                FeatureMatrix::from_rows(values, width)
            })
            .collect::<Vec<_>>();
        let known = examples.iter().map(|e| batching.voices.any(&e.person, rng));
        let known: Vec<&Reference> = known.collect();
        let mut batch = batching.compared(&examples, &rows, &known)?;
        let n_columns = rows.first().map_or(0, FeatureMatrix::n_features);
        let width = statistics.dim(1)? / 2;
        let mut parts = Vec::new();
        let mut next = 0;
        for half in 0..2 {
            let end = (half + 1) * n_columns / 2;
            parts.push(batch.x.narrow(2, next, end - width - next)?);
            let own = |values: fn(&Reference) -> &[f32]| {
                let all = known.iter().flat_map(|k| &values(k)[end - width..end]);
                Tensor::from_vec(all.copied().collect(), (known.len(), width), &Device::Cpu)
            };
            let compared = statistics
                .narrow(1, half * width, width)?
                .sub(&own(|k| &k.mean)?)?
                .div(&own(|k| &k.deviation)?)?;
            parts.push(compared.unsqueeze(1)?);
            next = end;
        }
        let width = batch.x.dim(2)?;
        parts.push(batch.x.narrow(2, next, width - next)?);
        batch.x = Tensor::cat(&parts, 2)?;
        Ok(batch)
    }
}

/// The examples as a tuned front end makes them.
///
/// # Errors
/// If the front end's weights do not fit.
pub(super) fn heard_by(
    examples: &[&Example],
    front_end: &PackedFrontEnd,
    architecture: &Architecture,
) -> Result<Vec<Example>> {
    let front_end = FrontEnd::new(front_end).map_err(candle_core::Error::wrap)?;
    let per_step = architecture.frames_per_step;
    let heard = |example: &&Example| {
        let views = example.views.iter().zip(&example.lower);
        let views = views
            .map(|(view, lower)| {
                let outputs = front_end.last_layer(&lower.frames.matrix());
                let steps = averaged(&outputs, 0..outputs.n_frames(), per_step);
                let width = steps.n_features();
                let mut rows = view.matrix().into_owned();
                let half = rows.n_features() / 2;
                let tuned = clips(&steps, &lower.crops, architecture);
                for i in 0..rows.n_frames() {
                    let (mean, deviation) = tuned.frame(i).split_at(width);
                    let row = rows.frame_mut(i);
                    row[half - width..half].copy_from_slice(mean);
                    row[2 * half - width..].copy_from_slice(deviation);
                }
                Frames::half(&rows)
            })
            .collect();
        example.with_views(views)
    };
    Ok(examples.par_iter().map(heard).collect())
}

#[cfg(test)]
mod tests;
