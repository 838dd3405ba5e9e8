//! Last layers on their way from what was published to what tells emotions apart.

use super::layer::{TrainableLayers, merged};
use crate::features::FeatureMatrix;
use crate::model::front_ends::{FrontEndKind, PackedFrontEnd};
use crate::train::frames::Frames;
use crate::train::optimizer::{AdamW, Average, clip};
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use std::collections::BTreeMap;
use std::ops::Range;

/// What the averaged weights keep of themselves at a step.
const AVERAGED: f64 = 0.99;

/// Largest step of the layers' weights.
fn rate(kind: FrontEndKind) -> f64 {
    match kind {
        FrontEndKind::Speaker => 1e-3,
        FrontEndKind::Whisper => 2e-4,
    }
}

/// Layers, and how they are moved.
pub struct Moving {
    layers: TrainableLayers,
    rate: f64,
    optimizer: AdamW,
    average: Average,
    /// The layers' frames to a step of the network.
    per_step: usize,
}

impl Moving {
    /// The last layers of `front_end`, of which a step takes so many frames of
    /// 20 ms.
    ///
    /// # Errors
    /// If it has no layers.
    pub fn last_of(front_end: &PackedFrontEnd, frames_per_step: usize) -> Result<Moving> {
        let layers = TrainableLayers::last_of(front_end)?;
        Ok(Moving {
            rate: rate(front_end.header.kind),
            optimizer: AdamW::new(0.0),
            average: Average::new(AVERAGED),
            per_step: frames_per_step * layers.frames_per_row(),
            layers,
        })
    }

    /// The weights that move.
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        self.layers.vars()
    }

    /// Moves them by this share of the largest step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(&mut self, gradients: &mut GradStore, scale: f64) -> Result<()> {
        let vars = self.layers.vars();
        clip(gradients, vars, 1.0)?;
        self.optimizer.step(vars, gradients, self.rate * scale)?;
        self.average.update(vars)
    }

    /// The front end as the layers are by now.
    ///
    /// # Errors
    /// If a weight cannot be read.
    pub fn tuned(&self, front_end: &PackedFrontEnd) -> Result<PackedFrontEnd> {
        let mut tuned = merged(front_end, self.average.weights())?;
        let layers = match self.layers.count() {
            1 => "layer".to_owned(),
            n => format!("{n} layers"),
        };
        tuned.header.origin += &format!("; the last {layers} tuned on emotions");
        Ok(tuned)
    }

    /// The frames of a crop, which counts steps.
    pub fn crop(&self, frames: &Frames, crop: &Range<usize>) -> FeatureMatrix {
        let end = (crop.end * self.per_step).min(frames.n_frames());
        let (rows, range) = frames.rows(crop.start * self.per_step..end);
        let width = rows.n_features();
        let values = &rows.as_slice()[range.start * width..range.end * width];
        FeatureMatrix::from_rows(values.to_vec(), width)
    }

    /// Mean and deviation over the steps of each clip, `[clips, 2 · width]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn pooled(&self, clips: &[FeatureMatrix]) -> Result<Tensor> {
        let width = clips.first().map_or(0, FeatureMatrix::n_features);
        let lengths: Vec<usize> = clips.iter().map(FeatureMatrix::n_frames).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let n_steps = longest.div_ceil(self.per_step);
        let n_frames = n_steps * self.per_step;
        let mut x = vec![0.0; clips.len() * n_frames * width];
        // What each frame weighs in its step, and each step in the clip.
        let mut in_step = vec![0.0; clips.len() * n_frames];
        let mut in_clip = vec![0.0; clips.len() * n_steps];
        for (i, (clip, length)) in clips.iter().zip(&lengths).enumerate() {
            x[i * n_frames * width..][..length * width].copy_from_slice(clip.as_slice());
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
        let y = self.layers.forward(&x, &lengths)?.broadcast_mul(&in_step)?;
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
}
