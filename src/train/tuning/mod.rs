//! Fine-tuning: the last layers of each front end are moved by the emotions, with
//! smaller steps than the heads over them.
//!
//! The layers were made to tell words or people apart; what they make of a clip
//! is pooled over time, so a few passes teach them to keep what tells emotions
//! apart. All below stays as published, and so is computed once: the first tuned
//! layer reads the frames of the one before ([`Lower`]).

mod attention;
mod block;
mod gelu;
mod layer;
mod moving;
mod norm;
mod tuner;

use self::layer::mean;
use self::tuner::Tuner;
use super::batches::{Batching, class_weights};
use super::checkpoint::TunedFrontEnds;
use super::examples::{Example, Examples};
use super::fitting::{Fitting, LABEL_SMOOTHING};
use super::frames::Frames;
use super::trainer::{Progress, Stage, TrainingConfig};
use super::views::clips;
use super::voices::Voices;
use crate::model::front_ends::{FrontEnd, PackedFrontEnd};
use crate::model::header::Architecture;
use crate::model::normalize::averaged;
use candle_core::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rayon::prelude::*;
use std::ops::Range;
use std::time::Instant;

/// Passes of the heads alone before the layers move: random heads would only
/// spoil them.
const WARM_UP: usize = 30;

/// Tunings, each with a seed of its own, whose mean is taken.
const TUNINGS: usize = 2;

/// What tuned layers read of a view.
#[derive(Clone, Debug)]
pub struct Lower {
    /// For each front end, the outputs of the layer below those that are tuned, at its own
    /// step.
    pub frames: Vec<Frames>,
    /// The steps that each row of the view was made of.
    pub crops: Vec<Range<usize>>,
}

/// Where tuned layers' outputs lie in either half of an example's columns,
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
            width: front_ends[i].tuned_width(),
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

/// Front ends as one tuning left them, in the order of [`TrainingConfig::front_ends`].
pub type Tuning = Vec<PackedFrontEnd>;

/// Moves the last layers of each of `config.front_ends` by what `training`
/// shows, in `config.tuning` passes, several times. What the checkpoints have is
/// taken from there.
///
/// # Errors
/// If a front end has no layers, a tensor operation fails, or the folder of
/// checkpoints cannot be written to.
pub(super) fn tune(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    told: &mut impl FnMut(&Progress),
) -> Result<Vec<Tuning>> {
    let mut tunings = Vec::new();
    for n in 0..TUNINGS {
        let config = TrainingConfig {
            // What moves the layers is the comparison with the voice alone.
            architecture: Architecture {
                as_they_are: Vec::new(),
                fading: Vec::new(),
                ..config.architecture.clone()
            },
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
    Ok(tunings)
}

/// The mean of tunings, which holds for new voices better than any one of them ("model
/// soup", Wortsman et al. 2022).
///
/// # Errors
/// If they are not of the same front ends.
pub(super) fn mean_of(tunings: &[Tuning]) -> Result<Tuning> {
    let n_front_ends = tunings.first().map_or(0, Vec::len);
    let of_front_end = |i: usize| {
        let each = tunings.iter().filter_map(|tuning| tuning.get(i).cloned());
        mean(&each.collect::<Vec<_>>())
    };
    (0..n_front_ends).map(of_front_end).collect()
}

/// One tuning, or what the checkpoints have of it.
fn tune_once(
    training: &[&Example],
    examples: &Examples,
    config: &TrainingConfig,
    told: &mut impl FnMut(&Progress),
) -> Result<Tuning> {
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
    let tuned = tuner.tuned()?;
    if let Some(kept) = &kept {
        kept.write(&tuned)?;
    }
    Ok(tuned)
}

/// Passes that `tune` tells of, if each tuning takes so many.
pub fn n_passes(tuning: usize) -> usize {
    TUNINGS * tuning
}

/// Share of the largest step: up over a quarter of a pass, then down a cosine.
fn schedule(done: f64, passes: usize) -> f64 {
    let risen = (4.0 * done * passes as f64).clamp(0.01, 1.0);
    risen * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
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
                    let outputs = front_end.tuned_layers(&frames.matrix());
                    let steps = averaged(&outputs, 0..outputs.n_frames(), per_step);
                    let tuned = clips(&steps, &lower.crops);
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
