//! Fine-tuning: the last block of Whisper's encoder is moved by the emotions,
//! with smaller steps than the heads over it.
//!
//! The block was made to tell words apart; what it makes of a clip is pooled
//! over time, so a few passes teach it to keep what tells emotions apart. All
//! below it stays as published, and so is computed once: the tuned block reads
//! the frames of the block before ([`Lower`]).

mod block;
mod operations;

use self::block::TrainableBlock;
use super::batches::{Batch, Batching, class_weights};
use super::examples::{Example, Examples, clips};
use super::fitting::{Fitting, LABEL_SMOOTHING};
use super::frames::Frames;
use super::optimizer::{AdamW, Average, clip};
use super::trainer::{Progress, Stage, TrainingConfig};
use super::voices::{Voices, statistics};
use crate::features::FeatureMatrix;
use crate::model::front_ends::{FrontEndKind, PackedFrontEnd, WhisperEncoder};
use crate::model::header::Architecture;
use crate::model::normalize::{Normalizer, averaged};
use candle_core::{Device, Result, Tensor, Var};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// How a block is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// Passes in which the block moves.
    pub passes: usize,
    /// Largest step of the block's weights.
    pub learning_rate: f64,
}

/// Passes of the heads alone before the block moves: random heads would only
/// spoil it.
const WARM_UP: usize = 30;

/// Largest step of the heads while the block moves.
const HEADS_RATE: f64 = 5e-4;

/// Clips a step.
const BATCH: usize = 48;

/// What the averaged weights keep of themselves at a step.
const AVERAGED: f64 = 0.99;

/// What a tuned block reads of a view.
#[derive(Clone, Debug)]
pub struct Lower {
    /// Outputs of the block before it, every 20 ms.
    pub frames: Frames,
    /// The steps that each row of the view was made of.
    pub crops: Vec<Range<usize>>,
}

/// One clip of a batch: which example, which of its views, which row of it.
type Pick = (usize, usize, usize);

/// Moves the last block of `front_end` by what `training` shows; the block's
/// outputs are the last columns of the examples.
///
/// # Errors
/// If the front end is none of Whisper's, or a tensor operation fails.
pub(super) fn tune(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    tuning: Tuning,
    front_end: &PackedFrontEnd,
    told: &mut impl FnMut(&Progress),
) -> Result<PackedFrontEnd> {
    let corpora = &examples.corpora;
    let name = last_block(front_end)?;
    let block = TrainableBlock::new(&front_end.weights, &name)?;
    let (normalizer, _) = statistics(training);
    let class_weights = class_weights(training, corpora.len());
    let voices = Voices::strangers(&normalizer);
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
        batching: &batching,
        normalizer: &normalizer,
        per_step: config.architecture.frames_per_step,
        optimizer: AdamW::new(0.0),
        average: Average::new(AVERAGED),
        block,
    };
    let start = Instant::now();
    for pass in 0..tuning.passes {
        let mut rng = StdRng::seed_from_u64(config.seed ^ 0x7475_6e65 ^ (pass as u64 + 1) << 32);
        let batches = tuner.batches(config.clips_per_corpus, corpora.len(), &mut rng);
        let mut sum = 0.0;
        for (i, picks) in batches.iter().enumerate() {
            let done = (pass as f64 + i as f64 / batches.len() as f64) / tuning.passes as f64;
            let scale = schedule(done, tuning.passes);
            let rates = [HEADS_RATE * scale, tuning.learning_rate * scale];
            sum += tuner.step(&mut fitting, picks, rates, &mut rng)?;
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
    let weights = TrainableBlock::merged(&front_end.weights, &name, tuner.average.weights())?;
    let mut header = front_end.header.clone();
    header.origin += "; the last block tuned on emotions";
    Ok(PackedFrontEnd {
        header,
        weights: Arc::new(weights),
    })
}

/// Share of the largest step: up over a quarter of a pass, then down a cosine.
fn schedule(done: f64, passes: usize) -> f64 {
    let risen = (4.0 * done * passes as f64).clamp(0.01, 1.0);
    risen * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// The name of Whisper's last block.
fn last_block(front_end: &PackedFrontEnd) -> Result<String> {
    if front_end.header.kind != FrontEndKind::Whisper {
        candle_core::bail!("only Whisper's encoder can be tuned, and it must come last");
    }
    let names = (0..).map(|i| format!("layers.{i}"));
    let last = names
        .take_while(|name| {
            let weight = format!("{name}.fc1.weight");
            front_end.weights.contains_key(&weight)
        })
        .last();
    match last {
        Some(name) => Ok(name),
        None => candle_core::bail!("the encoder has no blocks"),
    }
}

struct Tuner<'a> {
    training: &'a [&'a Example],
    batching: &'a Batching<'a>,
    normalizer: &'a Normalizer,
    per_step: usize,
    optimizer: AdamW,
    average: Average,
    block: TrainableBlock,
}

impl Tuner<'_> {
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

    /// One step of the heads and of the block; returns the loss.
    fn step(
        &mut self,
        fitting: &mut Fitting,
        picks: &[Pick],
        [heads_rate, block_rate]: [f64; 2],
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
        let batch = self.batch(picks, &statistics)?;
        let (loss, gradients) = fitting.step(&batch, heads_rate, rng)?;
        let Some(upstream) = gradients.get(&statistics) else {
            candle_core::bail!("the heads do not read the block");
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
            .block
            .vars()
            .values()
            .flat_map(|var| gradients.iter().map(move |g| (var, g)))
        {
            if let (Some(a), Some(b)) = (sum.get(var), gradients.get(var)) {
                let both = (a + b)?;
                sum.insert(var, both);
            }
        }
        clip(&mut sum, self.block.vars(), 1.0)?;
        self.optimizer.step(self.block.vars(), &sum, block_rate)?;
        self.average.update(self.block.vars())?;
        Ok(loss)
    }

    /// Mean and deviation over the steps of each clip, `[clips, 2 · width]`; the
    /// block hears a crop by itself, as a short clip.
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
        let y = self.block.forward(&x, &lengths)?.broadcast_mul(&in_step)?;
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

    /// The clips as strangers', with the block's columns made of `statistics`.
    fn batch(&self, picks: &[Pick], statistics: &Var) -> Result<Batch> {
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
        let mut batch = self.batching.strangers(&examples, &rows)?;
        let n_columns = self.normalizer.n_columns();
        let width = statistics.dim(1)? / 2;
        let mut parts = Vec::new();
        let mut next = 0;
        for half in 0..2 {
            let end = (half + 1) * n_columns / 2;
            parts.push(batch.x.narrow(2, next, end - width - next)?);
            let own = |values: &[f32]| {
                let values = values[end - width..end].to_vec();
                Tensor::from_vec(values, (1, width), &Device::Cpu)
            };
            let compared = statistics
                .narrow(1, half * width, width)?
                .broadcast_sub(&own(&self.normalizer.mean)?)?
                .broadcast_div(&own(&self.normalizer.deviation)?)?;
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
    let encoder = WhisperEncoder::new(&front_end.weights).map_err(candle_core::Error::wrap)?;
    let per_step = architecture.frames_per_step;
    let heard = |example: &&Example| {
        let views = example.views.iter().zip(&example.lower);
        let views = views
            .map(|(view, lower)| {
                let outputs = encoder.last_block(&lower.frames.matrix());
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
mod tests {
    use super::block::tests::{WIDTH, frames, weights};
    use super::*;
    use crate::emotion::{Emotion, N_EMOTIONS};
    use crate::model::front_ends::{FrontEndHeader, HOP_SAMPLES};
    use crate::train::examples::Corpus;
    use crate::train::recipe::Recipe;

    /// A column beside the block's.
    const N_OTHER: usize = 1;

    fn front_end() -> PackedFrontEnd {
        PackedFrontEnd {
            header: FrontEndHeader {
                kind: FrontEndKind::Whisper,
                origin: "tests".into(),
                version: "1".into(),
                sha256: String::new(),
                license: "MIT".into(),
                hop_samples: HOP_SAMPLES,
            },
            weights: Arc::new(weights()),
        }
    }

    /// Happy clips grow louder in some channels, sad ones softer.
    fn examples(architecture: &Architecture) -> Examples {
        let list = (0..24).map(|i| {
            let happy = i % 2 == 0;
            let n = 9 + i % 5;
            let mut own = frames(n, i as u64);
            for t in 0..n {
                let slope = if happy { t } else { n - t } as f32 / n as f32;
                own.frame_mut(t)[..8].iter_mut().for_each(|v| *v += slope);
            }
            let n_steps = n.div_ceil(architecture.frames_per_step);
            let crops = vec![0..n_steps, 1..n_steps - 1];
            let rows = FeatureMatrix::from_rows(
                vec![0.0; crops.len() * 2 * (N_OTHER + WIDTH)],
                2 * (N_OTHER + WIDTH),
            );
            Example {
                corpus: 0,
                person: (i / 4).to_string(),
                path: i.to_string().into(),
                duration_s: 1.0,
                emotion: if happy { Emotion::Happy } else { Emotion::Sad },
                sex: None,
                views: vec![rows.into()],
                rows_are_clips: true,
                lower: vec![Lower {
                    frames: Frames::half(&own),
                    crops,
                }],
            }
        });
        Examples {
            corpora: vec![Corpus {
                name: "x".into(),
                classes: [true; N_EMOTIONS],
            }],
            step_s: 0.04,
            list: list.collect(),
            faults: Vec::new(),
        }
    }

    fn config(tuning: Tuning) -> TrainingConfig {
        TrainingConfig {
            name: "test".into(),
            features: Recipe::Undertone.features(),
            front_ends: vec![front_end()],
            architecture: Recipe::Undertone.architecture(0, 0.0),
            cache: None,
            talkers: Arc::default(),
            epochs: 1,
            early_stopping: false,
            patience: 1,
            batch_size: 8,
            learning_rate: 2e-3,
            clips_per_corpus: 24,
            n_altered: 0,
            tuning: Some(tuning),
            seed: 1,
            checkpoints: None,
        }
    }

    #[test]
    fn training_pools_what_use_pools() -> Result<()> {
        let config = config(Tuning {
            passes: 1,
            learning_rate: 0.0,
        });
        let examples = examples(&config.architecture);
        let all: Vec<&Example> = examples.list.iter().collect();
        let heard = heard_by(&all, &front_end(), &config.architecture)?;
        let (normalizer, _) = statistics(&all);
        let voices = Voices::strangers(&normalizer);
        let batching = Batching {
            architecture: &config.architecture,
            voices: &voices,
            corpora: &examples.corpora,
            step_s: examples.step_s,
            label_smoothing: 0.0,
            class_weights: &[[1.0; N_EMOTIONS]],
        };
        let tuner = Tuner {
            training: &all,
            batching: &batching,
            normalizer: &normalizer,
            per_step: config.architecture.frames_per_step,
            optimizer: AdamW::new(0.0),
            average: Average::new(AVERAGED),
            block: TrainableBlock::new(&front_end().weights, "layers.1")?,
        };
        // Crops are heard by themselves in tuning, as short clips are.
        let picks: Vec<Pick> = (0..all.len()).map(|i| (i, 0, 0)).collect();
        let pooled = tuner.pooled(&picks)?.to_vec2::<f32>()?;
        for (&(i, _, row), pooled) in picks.iter().zip(pooled) {
            let columns = heard[i].views[0].matrix();
            let columns = columns.frame(row);
            let (means, deviations) = columns.split_at(columns.len() / 2);
            let expected = [&means[N_OTHER..], &deviations[N_OTHER..]].concat();
            for (a, b) in pooled.iter().zip(&expected) {
                // The columns are kept in half precision.
                assert!((a - b).abs() < 4e-3 * b.abs().max(1.0), "{a} {b}");
            }
            assert_eq!((means[0], deviations[0]), (0.0, 0.0));
        }
        Ok(())
    }

    #[test]
    fn the_block_learns_and_what_lies_below_stays() -> Result<()> {
        let tuning = Tuning {
            passes: 6,
            learning_rate: 2e-3,
        };
        let config = config(tuning);
        let mut examples = examples(&config.architecture);
        let published = front_end();
        let heard = heard_by(
            &examples.list.iter().collect::<Vec<_>>(),
            &published,
            &config.architecture,
        )?;
        for (example, heard) in examples.list.iter_mut().zip(heard) {
            example.views = heard.views;
        }
        let all: Vec<&Example> = examples.list.iter().collect();
        let mut losses = Vec::new();
        let tuned = tune(&all, &examples, &config, tuning, &published, &mut |p| {
            losses.push(p.loss);
        })?;
        assert_eq!(losses.len(), tuning.passes);
        assert!(losses[5] < losses[0], "{losses:?}");
        for (name, weight) in published.weights.iter() {
            let moved = tuned.weights[name] != *weight;
            assert_eq!(moved, name.starts_with("layers.1."), "{name}");
        }
        Ok(())
    }
}
