//! Fine-tuning: the last layer of each front end is moved by the emotions, with
//! smaller steps than the heads over it.
//!
//! The layers were made to tell words or people apart; what they make of a clip
//! is pooled over time, so a few passes teach them to keep what tells emotions
//! apart. All below stays as published, and so is computed once: a tuned layer
//! reads the frames of the layer before ([`Lower`]).

mod block;
mod layer;
mod moving;
mod operations;

use self::layer::mean;
use self::moving::Moving;
use super::batches::{Batch, Batching, class_weights};
use super::checkpoint::TunedFrontEnds;
use super::examples::{Example, Examples, clips};
use super::fitting::{Fitting, LABEL_SMOOTHING};
use super::frames::Frames;
use super::trainer::{Progress, Stage, TrainingConfig};
use super::voices::Voices;
use crate::features::FeatureMatrix;
use crate::model::front_ends::{FrontEnd, PackedFrontEnd};
use crate::model::header::Architecture;
use crate::model::normalize::{Reference, averaged};
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use std::ops::Range;
use std::time::Instant;

/// Passes of the heads alone before the layers move: random heads would only
/// spoil them.
const WARM_UP: usize = 30;

/// Largest step of the heads while the layers move.
const HEADS_RATE: f64 = 5e-4;

/// Tunings, each with a seed of its own, whose mean is taken.
const TUNINGS: usize = 2;

/// Clips a step.
const BATCH: usize = 48;

/// What tuned layers read of a view.
#[derive(Clone, Debug)]
pub struct Lower {
    /// For each front end, the outputs of the layer before its last, at that
    /// layer's own step.
    pub frames: Vec<Frames>,
    /// The steps that each row of the view was made of.
    pub crops: Vec<Range<usize>>,
}

/// One clip of a batch: which example, which of its views, which row of it.
type Pick = (usize, usize, usize);

/// Where a last layer's outputs lie in either half of an example's columns,
/// counted from the half's end.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Columns of front ends that follow.
    after: usize,
    /// Columns.
    width: usize,
}

impl Place {
    /// Those of each front end.
    fn of(front_ends: &[FrontEnd]) -> Vec<Place> {
        let place = |i: usize| Place {
            after: front_ends[i + 1..].iter().map(FrontEnd::n_outputs).sum(),
            width: front_ends[i].last_width(),
        };
        (0..front_ends.len()).map(place).collect()
    }

    /// The columns, where a half ends at `end`.
    fn columns(self, end: usize) -> Range<usize> {
        end - self.after - self.width..end - self.after
    }
}

fn unpacked(front_ends: &[PackedFrontEnd]) -> Result<Vec<FrontEnd>> {
    let each = front_ends.iter().map(FrontEnd::new);
    each.collect::<std::result::Result<_, _>>()
        .map_err(candle_core::Error::wrap)
}

/// Moves the last layer of each of `config.front_ends` by what `training`
/// shows, in `config.tuning` passes, several times; returns the mean of what
/// came of it, which holds for new voices a little better than either ("model
/// soup", Wortsman et al. 2022). What the checkpoints have is taken from there.
///
/// # Errors
/// If a front end has no layers, a tensor operation fails, or the folder of
/// checkpoints cannot be written to.
pub(super) fn tune(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    told: &mut impl FnMut(&Progress),
) -> Result<Vec<PackedFrontEnd>> {
    let mut tunings = Vec::new();
    for n in 0..TUNINGS {
        let config = TrainingConfig {
            // No two seeds share a tuning.
            seed: config
                .seed
                .wrapping_sub(1)
                .wrapping_mul(TUNINGS as u64)
                .wrapping_add(1 + n as u64),
            ..config.clone()
        };
        let mut told = |progress: &Progress| {
            told(&Progress {
                epoch: n * config.tuning + progress.epoch,
                left: progress.left + progress.whole * (TUNINGS - 1 - n) as u32,
                whole: progress.whole * TUNINGS as u32,
                ..progress.clone()
            });
        };
        tunings.push(tune_once(training, examples, &config, &mut told)?);
    }
    let of_front_end = |i: usize| tunings.iter().map(|t| t[i].clone()).collect::<Vec<_>>();
    (0..config.front_ends.len())
        .map(|i| mean(&of_front_end(i)))
        .collect()
}

/// One tuning, or what the checkpoints have of it.
fn tune_once(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    told: &mut impl FnMut(&Progress),
) -> Result<Vec<PackedFrontEnd>> {
    let kept = config.checkpoints.as_ref().map(|folder| {
        let heard: Vec<_> = training.iter().map(|e| &e.path).collect();
        let what = format!("{} {heard:?}", config.tuning_settings());
        TunedFrontEnds::new(folder, &what, config.front_ends.len())
    });
    if let Some(front_ends) = kept.as_ref().and_then(TunedFrontEnds::read) {
        return Ok(front_ends);
    }
    let corpora = &examples.corpora;
    let architecture = &config.architecture;
    let class_weights = class_weights(training, corpora.len());
    let mut rng = StdRng::seed_from_u64(config.seed ^ 0x766f_6963);
    let (voices, normalizer, _) = Voices::told(training, architecture, &mut rng);
    let batching = Batching {
        architecture,
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
    let mut tuner = Tuner::new(training, config)?;
    let start = Instant::now();
    for pass in 0..config.tuning {
        // A voice is known through the layers as they are by now.
        let moved = match pass {
            0 => None,
            _ => Some(tuner.voices(&mut rng)?),
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
            let done = (pass as f64 + i as f64 / batches.len() as f64) / config.tuning as f64;
            let scale = schedule(done, config.tuning);
            sum += tuner.step(&mut fitting, &batching, picks, scale, &mut rng)?;
        }
        let of_passes = |n: usize| start.elapsed().mul_f64(n as f64 / (pass + 1) as f64);
        told(&Progress {
            stage: Stage::Tuning,
            epoch: pass + 1,
            loss: sum / batches.len().max(1) as f64,
            validation: Vec::new(),
            best: false,
            left: of_passes(config.tuning - pass - 1),
            whole: of_passes(config.tuning),
        });
    }
    let mut tuned = tuner.tuned()?;
    for front_end in &mut tuned {
        front_end.header.origin += "; the last layer tuned on emotions";
    }
    if let Some(kept) = &kept {
        kept.write(&tuned)?;
    }
    Ok(tuned)
}

/// Passes that [`tune`] tells of, if each tuning takes so many.
pub fn n_passes(tuning: usize) -> usize {
    TUNINGS * tuning
}

/// Share of the largest step: up over a quarter of a pass, then down a cosine.
fn schedule(done: f64, passes: usize) -> f64 {
    let risen = (4.0 * done * passes as f64).clamp(0.01, 1.0);
    risen * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

struct Tuner<'a> {
    training: &'a [&'a Example],
    architecture: &'a Architecture,
    front_ends: &'a [PackedFrontEnd],
    /// Of each front end.
    layers: Vec<Moving>,
    places: Vec<Place>,
}

impl<'a> Tuner<'a> {
    fn new(training: &'a [&'a Example], config: &'a TrainingConfig) -> Result<Tuner<'a>> {
        let front_ends = &config.front_ends;
        let per_row = config.architecture.frames_per_step;
        let layers = front_ends.iter().map(|f| Moving::last_of(f, per_row));
        Ok(Tuner {
            training,
            architecture: &config.architecture,
            front_ends,
            layers: layers.collect::<Result<_>>()?,
            places: Place::of(&unpacked(front_ends)?),
        })
    }

    /// The front ends as their layers are by now.
    fn tuned(&self) -> Result<Vec<PackedFrontEnd>> {
        let each = self.front_ends.iter().zip(&self.layers);
        each.map(|(front_end, layer)| layer.tuned(front_end))
            .collect()
    }

    /// The voices through them.
    fn voices(&self, rng: &mut StdRng) -> Result<Voices> {
        let heard = heard_by(self.training, &self.tuned()?, self.architecture, 1)?;
        let heard: Vec<&Example> = heard.iter().collect();
        Ok(Voices::told(&heard, self.architecture, rng).0)
    }

    /// A pass's order, of clips of like length.
    fn batches(&self, per_corpus: usize, n_corpora: usize, rng: &mut StdRng) -> Vec<Vec<Pick>> {
        let order = super::batches::epoch(self.training, n_corpora, per_corpus, BATCH, rng);
        let pick = |i: usize, rng: &mut StdRng| {
            let example = self.training[i];
            let view = super::batches::any_view(example, rng);
            let n_rows = example.lower[view].crops.len();
            (i, view, rng.random_range(0..n_rows))
        };
        order
            .into_iter()
            .map(|batch| batch.into_iter().map(|i| pick(i, rng)).collect())
            .collect()
    }

    /// One step of the heads and of the layers, of this share of the largest;
    /// returns the loss.
    fn step(
        &mut self,
        fitting: &mut Fitting,
        batching: &Batching,
        picks: &[Pick],
        scale: f64,
        rng: &mut StdRng,
    ) -> Result<f64> {
        // The clips of each core in a graph of their own: they meet in the
        // heads alone.
        let share = picks.len().div_ceil(rayon::current_num_threads()).max(1);
        let pooled: Vec<Vec<Tensor>> = picks
            .par_chunks(share)
            .map(|picks| self.pooled(picks))
            .collect::<Result<_>>()?;
        let statistics = (0..self.layers.len())
            .map(|layer| {
                let parts: Vec<&Tensor> = pooled.iter().map(|p| &p[layer]).collect();
                Var::from_tensor(&Tensor::cat(&parts, 0)?.detach())
            })
            .collect::<Result<Vec<_>>>()?;
        let batch = self.batch(batching, picks, &statistics, rng)?;
        let (loss, upstream) = fitting.step(&batch, HEADS_RATE * scale, rng)?;
        let mut gradients = pooled
            .par_iter()
            .enumerate()
            .map(|(i, pooled)| downwards(pooled, &statistics, &upstream, i * share))
            .collect::<Result<Vec<_>>>()?;
        let Some(mut sum) = gradients.pop() else {
            candle_core::bail!("a batch without clips");
        };
        for layer in &mut self.layers {
            for var in layer.vars().values() {
                for gradients in &gradients {
                    if let (Some(a), Some(b)) = (sum.get(var), gradients.get(var)) {
                        let both = (a + b)?;
                        sum.insert(var, both);
                    }
                }
            }
            layer.step(&mut sum, scale)?;
        }
        Ok(loss)
    }

    /// What each layer makes of the clips, as [`Moving::pooled`]: it hears a
    /// crop by itself, as a short clip.
    fn pooled(&self, picks: &[Pick]) -> Result<Vec<Tensor>> {
        let layers = self.layers.iter().enumerate();
        layers
            .map(|(i, layer)| {
                let clips = picks.iter().map(|&(example, view, row)| {
                    let lower = &self.training[example].lower[view];
                    layer.crop(&lower.frames[i], &lower.crops[row])
                });
                layer.pooled(&clips.collect::<Vec<_>>())
            })
            .collect()
    }

    /// The clips compared with what may be known of their voices, with the
    /// layers' columns made of `statistics`.
    fn batch(
        &self,
        batching: &Batching,
        picks: &[Pick],
        statistics: &[Var],
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
        let half = rows.first().map_or(0, FeatureMatrix::n_features) / 2;
        let mut parts = Vec::new();
        let mut next = 0;
        for (n, (place, statistics)) in [0, 1]
            .into_iter()
            .flat_map(|n| self.places.iter().zip(statistics).map(move |l| (n, l)))
        {
            let columns = place.columns((n + 1) * half);
            parts.push(batch.x.narrow(2, next, columns.start - next)?);
            let own = |values: fn(&Reference) -> &[f32]| {
                let all = known.iter().flat_map(|k| &values(k)[columns.clone()]);
                let shape = (known.len(), place.width);
                Tensor::from_vec(all.copied().collect(), shape, &Device::Cpu)
            };
            let compared = statistics
                .narrow(1, n * place.width, place.width)?
                .sub(&own(|k| &k.mean)?)?
                .div(&own(|k| &k.deviation)?)?;
            parts.push(compared.unsqueeze(1)?);
            next = columns.end;
        }
        let width = batch.x.dim(2)?;
        parts.push(batch.x.narrow(2, next, width - next)?);
        batch.x = Tensor::cat(&parts, 2)?;
        Ok(batch)
    }
}

/// The gradients of the layers' weights by those of what was pooled; the clips
/// are those from `first` on.
fn downwards(
    pooled: &[Tensor],
    statistics: &[Var],
    upstream: &GradStore,
    first: usize,
) -> Result<GradStore> {
    let mut sum = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu)?;
    for (pooled, statistics) in pooled.iter().zip(statistics) {
        let Some(upstream) = upstream.get(statistics) else {
            candle_core::bail!("the heads do not read the layer");
        };
        let upstream = upstream.narrow(0, first, pooled.dim(0)?)?.detach();
        sum = (sum + (pooled * upstream)?.sum_all()?)?;
    }
    sum.backward()
}

/// The examples as tuned front ends make them, with so many views.
///
/// # Errors
/// If the front ends' weights do not fit.
pub(super) fn heard_by(
    examples: &[&Example],
    front_ends: &[PackedFrontEnd],
    architecture: &Architecture,
    n_views: usize,
) -> Result<Vec<Example>> {
    let front_ends = unpacked(front_ends)?;
    let places = Place::of(&front_ends);
    let per_step = architecture.frames_per_step;
    let heard = |example: &&Example| {
        let views = example.views.iter().zip(&example.lower).take(n_views);
        let views = views
            .map(|(view, lower)| {
                let mut rows = view.matrix().into_owned();
                let half = rows.n_features() / 2;
                let each = front_ends.iter().zip(&places).zip(&lower.frames);
                for ((front_end, place), frames) in each {
                    let outputs = front_end.last_layer(&frames.matrix());
                    let steps = averaged(&outputs, 0..outputs.n_frames(), per_step);
                    let tuned = clips(&steps, &lower.crops, architecture);
                    for i in 0..rows.n_frames() {
                        let (mean, deviation) = tuned.frame(i).split_at(place.width);
                        let row = rows.frame_mut(i);
                        row[place.columns(half)].copy_from_slice(mean);
                        row[place.columns(2 * half)].copy_from_slice(deviation);
                    }
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
