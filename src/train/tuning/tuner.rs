//! Layers that move: one step after another.

use super::moving::Moving;
use super::{Place, heard_by, unpacked};
use crate::features::FeatureMatrix;
use crate::model::front_ends::PackedFrontEnd;
use crate::model::header::Architecture;
use crate::model::normalize::Reference;
use crate::train::batches::{self, Batch, Batching};
use crate::train::examples::Example;
use crate::train::fitting::Fitting;
use crate::train::trainer::TrainingConfig;
use crate::train::views::SPOKEN;
use crate::train::voices::Voices;
use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Tensor, Var};
use rand::Rng;
use rand::rngs::StdRng;
use rayon::prelude::*;

/// Largest step of the heads while the layers move.
const HEADS_RATE: f64 = 5e-4;

/// Clips a step.
const BATCH: usize = 48;

/// One clip of a batch: which example, which of its views, which row of it.
pub type Pick = (usize, usize, usize);

/// The layers that move, and the clips that move them.
pub struct Tuner<'a> {
    training: &'a [&'a Example],
    architecture: &'a Architecture,
    front_ends: &'a [PackedFrontEnd],
    /// Of each front end.
    layers: Vec<Moving>,
    places: Vec<Place>,
}

impl<'a> Tuner<'a> {
    /// The last layers of `config.front_ends` as they are.
    pub fn new(training: &'a [&'a Example], config: &'a TrainingConfig) -> Result<Tuner<'a>> {
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
    pub fn tuned(&self) -> Result<Vec<PackedFrontEnd>> {
        let each = self.front_ends.iter().zip(&self.layers);
        each.map(|(front_end, layer)| layer.tuned(front_end))
            .collect()
    }

    /// The voices through them.
    pub fn voices(&self, rng: &mut StdRng) -> Result<Voices> {
        let heard = heard_by(self.training, &self.tuned()?, self.architecture, 1)?;
        let heard: Vec<&Example> = heard.iter().collect();
        Ok(Voices::told(&heard, self.architecture, rng).0)
    }

    /// A pass's order, of clips of like length.
    pub fn batches(&self, per_corpus: usize, n_corpora: usize, rng: &mut StdRng) -> Vec<Vec<Pick>> {
        let order = batches::epoch(self.training, n_corpora, per_corpus, BATCH, rng);
        let pick = |i: usize, rng: &mut StdRng| {
            let example = self.training[i];
            let view = batches::any_view(example, rng);
            // All of it or a crop: layers tuned without silence judge known rooms worse.
            // It is the heads that are not to rely on it.
            (i, view, rng.random_range(0..SPOKEN))
        };
        order
            .into_iter()
            .map(|batch| batch.into_iter().map(|i| pick(i, rng)).collect())
            .collect()
    }

    /// One step of the heads and of the layers, of this share of the largest;
    /// returns the loss.
    pub fn step(
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
    pub fn pooled(&self, picks: &[Pick]) -> Result<Vec<Tensor>> {
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
    pub fn batch(
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
        // Altered views too are compared with the person: of a voice that nobody has, all
        // views would have to be heard anew after each pass.
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
