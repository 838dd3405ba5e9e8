//! A recording's views as the network wants them: the recording itself and altered ones,
//! whole and cropped, encoded or from the cache.

use super::augment::{self, altered};
use super::cache::{Cache, Key};
use super::corpora::Recording;
use super::examples::{Caches, Preparation};
use super::frames::Frames;
use super::throats::{Throat, voice};
use super::tuning::Lower;
use crate::analysis::SILENCE_DBFS;
use crate::analysis::speech::{Heard, stretches};
use crate::audio;
use crate::features::FeatureMatrix;
use crate::model::Encoder;
use crate::model::encoder::beside;
use crate::model::header::Pooling;
use crate::model::normalize::{averaged, pooled};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::borrow::Cow;
use std::ops::Range;

/// Crops of each whole view, and of the speech in it, where rows are clips.
pub(super) const N_CROPS: [usize; 2] = [3, 1];

/// The row that the speech in a view is, from its first voice to its last; those before
/// are the whole view and crops of it.
pub(super) const SPOKEN: usize = 1 + N_CROPS[0];

/// Shortest and longest crop, seconds, of clips that are long enough.
const CROP_S: [f64; 2] = [1.4, 4.0];

/// A view, and what layers that are tuned read of it.
type View = (Frames, Option<Lower>);

/// The recording and its altered views, from the cache where it has them; those of a group
/// share a throat, another in each view.
pub(super) fn views(
    recording: &Recording,
    group: Option<usize>,
    encoder: &mut Encoder,
    preparation: &Preparation,
) -> Result<(Vec<View>, usize), Box<dyn std::error::Error>> {
    let key = Key::new(&recording.path, preparation.seed)?;
    let (mut heard_once, mut n_steps) = (None, 0);
    let has_learnt = encoder.n_learnt() > 0;
    let per_step = preparation.architecture.frames_per_step;
    let steps = |frames: FeatureMatrix| averaged(&frames, 0..frames.n_frames(), per_step);
    let spoken = spoken(recording, &key, preparation, &mut heard_once)?;
    let views: Result<Vec<View>, Box<dyn std::error::Error>> = (0..=preparation.n_altered)
        .map(|view| {
            let throat = group.map(|group| Throat::of(&voice(&recording.person(), group, view)));
            let key = if view == 0 {
                key.clone()
            } else {
                let mut with = format!("{} {}", augment::VERSION, preparation.talkers.name());
                if let Some(throat) = throat {
                    with.push_str(&format!(" {throat:?}"));
                }
                key.view(view, &with)
            };
            let cached = |cache: fn(&Caches) -> &Cache| {
                preparation.cache.and_then(|caches| cache(caches).get(&key))
            };
            let mut features = cached(|c| &c.features);
            let mut learnt = has_learnt.then(|| cached(|c| &c.learnt)).flatten();
            let mut lower: Option<Vec<Frames>> = preparation
                .cache
                .filter(|_| preparation.tuned)
                .and_then(|caches| caches.lower.iter().map(|c| c.get(&key)).collect());
            let lacking = features.is_none()
                || has_learnt && learnt.is_none()
                || preparation.tuned && lower.is_none();
            if lacking {
                let samples = match &heard_once {
                    Some(samples) => samples,
                    None => heard_once.insert(heard(recording)?),
                };
                let mut rng = StdRng::seed_from_u64(key.seed());
                let samples = match view {
                    0 => Cow::Borrowed(samples),
                    _ => Cow::Owned(altered(samples, preparation.talkers, throat, &mut rng)?),
                };
                let caches = preparation.cache;
                let keep = |cache: fn(&Caches) -> &Cache, frames: &Frames| {
                    if let Some(caches) = caches {
                        cache(caches).put(&key, frames);
                    }
                };
                if features.is_none() {
                    let own = Frames::from(steps(encoder.features(&samples)?));
                    keep(|c| &c.features, &own);
                    features = Some(own);
                }
                if has_learnt && learnt.is_none() || preparation.tuned && lower.is_none() {
                    let all = encoder.learnt(&samples)?;
                    if preparation.tuned {
                        let own = encoder.below_tuned_layers(&samples, &all)?;
                        let own: Vec<Frames> = own.iter().map(Frames::half).collect();
                        let caches = caches.map_or(&[][..], |c| &c.lower);
                        for (cache, frames) in caches.iter().zip(&own) {
                            cache.put(&key, frames);
                        }
                        lower = Some(own);
                    }
                    let own = Frames::half(&steps(all));
                    keep(|c| &c.learnt, &own);
                    learnt = Some(own);
                }
            }
            let features = features.ok_or("no features")?;
            let all = joined(&features, learnt.as_ref());
            if view == 0 {
                n_steps = all.n_frames();
            }
            // An altered view may be slower or faster.
            let at = |step: usize| step.min(n_steps) * all.n_frames() / n_steps.max(1);
            let spoken = at(spoken.start)..at(spoken.end);
            let (wanted, crops) = wanted(&all, spoken, preparation, key.seed());
            Ok((wanted, lower.map(|frames| Lower { frames, crops })))
        })
        .collect();
    Ok((views?, n_steps))
}

/// Both parts of a view.
fn joined<'a>(features: &'a Frames, learnt: Option<&Frames>) -> Cow<'a, FeatureMatrix> {
    match learnt {
        Some(learnt) => Cow::Owned(beside(&features.matrix(), &learnt.matrix())),
        None => features.matrix(),
    }
}

/// A view as the network wants it: the speech in it; or, where rows are clips, all of it,
/// its speech and crops of both, and the steps each row is of.
fn wanted(
    steps: &FeatureMatrix,
    spoken: Range<usize>,
    preparation: &Preparation,
    seed: u64,
) -> (Frames, Vec<Range<usize>>) {
    let mut ranges = Vec::new();
    let rows = match preparation.architecture.pooling {
        Pooling::Attentive => averaged(steps, spoken, 1),
        Pooling::Statistics => {
            let mut rng = StdRng::seed_from_u64(seed);
            for (of, n) in [0..steps.n_frames(), spoken].into_iter().zip(N_CROPS) {
                ranges.extend(crops(of, n, preparation.step_s(), &mut rng));
            }
            clips(steps, &ranges)
        }
    };
    let frames = if preparation.half {
        Frames::half(&rows)
    } else {
        rows.into()
    };
    (frames, ranges)
}

/// All of a range of steps, and so many random crops of it.
fn crops(of: Range<usize>, n_crops: usize, step_s: f64, rng: &mut impl Rng) -> Vec<Range<usize>> {
    let n = of.len();
    let [least, most] = CROP_S.map(|s| ((s / step_s) as usize).min(n));
    (0..=n_crops)
        .map(|crop| {
            let kept = match crop {
                0 => n,
                _ => ((n as f32 * rng.random_range(0.5..1.0f32)) as usize).clamp(least, most),
            };
            let start = of.start + rng.random_range(0..=n - kept);
            start..start + kept
        })
        .collect()
}

/// What is pooled of each crop, a row each.
pub(super) fn clips(steps: &FeatureMatrix, crops: &[Range<usize>]) -> FeatureMatrix {
    let rows = crops.iter();
    let rows = rows.flat_map(|crop| pooled(steps, crop.clone()).as_slice().to_vec());
    FeatureMatrix::from_rows(rows.collect(), 2 * steps.n_features())
}

/// A recording's samples, unless there is nothing to hear.
fn heard(recording: &Recording) -> Result<Vec<f32>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(&recording.path)?;
    let name = recording.path.to_string_lossy();
    let samples = audio::load(bytes, &name)?.clip.into_samples();
    let peak = samples.iter().fold(0.0f32, |p, s| p.max(s.abs()));
    if 20.0 * peak.max(1e-10).log10() < SILENCE_DBFS {
        return Err("silent".into());
    }
    Ok(samples)
}

/// The steps from the recording's first voice to its last; all of it where too little is
/// found to be judged.
fn spoken(
    recording: &Recording,
    key: &Key,
    preparation: &Preparation,
    heard_once: &mut Option<Vec<f32>>,
) -> Result<Range<usize>, Box<dyn std::error::Error>> {
    let cache = preparation.cache.map(|c| &c.speech);
    let kept = cache.and_then(|c| c.get(key));
    let ends = match kept.as_ref().map(Frames::matrix) {
        Some(kept) => [kept.frame(0)[0], kept.frame(0)[1]],
        None => {
            let samples = match heard_once {
                Some(samples) => samples,
                None => heard_once.insert(heard(recording)?),
            };
            let found = Heard::of(&stretches(samples), samples.len());
            let found = found.map_or(0..samples.len(), |heard| heard.spoken);
            let ends = [found.start, found.end].map(|sample| sample as f32);
            if let Some(cache) = cache {
                cache.put(key, &FeatureMatrix::from_rows(ends.to_vec(), 2).into());
            }
            ends
        }
    };
    let step = preparation.architecture.frames_per_step * preparation.encoder.hop_samples();
    Ok(ends[0] as usize / step..(ends[1] as usize).div_ceil(step))
}
