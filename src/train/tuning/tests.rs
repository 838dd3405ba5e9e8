//! Layers that move are the layers in use, and learn.

use super::layer::{TrainableLayers, merged};
use super::tuner::Pick;
use super::*;
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureMatrix;
use crate::model::front_ends::{FrontEndHeader, FrontEndKind, HOP_SAMPLES};
use crate::model::normalize::inputs;
use crate::model::weights::{Precision, Weight, Weights};
use crate::train::corpora::Recording;
use crate::train::examples::Corpus;
use crate::train::recipe::Recipe;
use crate::train::split::Split;
use crate::train::trainer::{Calibrated, train};
use crate::train::views::SPOKEN;
use candle_core::{Device, Tensor, Var};
use rand::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;

const KINDS: [FrontEndKind; 2] = [FrontEndKind::Speaker, FrontEndKind::Whisper];

const WIDTH: usize = 128;

fn random(shape: &[usize], scale: f32, rng: &mut StdRng) -> Weight {
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-scale..scale)).collect();
    Weight::new(shape, &values, Precision::Full)
}

/// An encoder of three blocks, as files name its weights.
fn weights() -> Weights {
    let mut rng = StdRng::seed_from_u64(5);
    let w = WIDTH;
    let mut shapes = vec![
        ("conv1.weight".to_owned(), vec![w, 8, 3]),
        ("conv1.bias".to_owned(), vec![w]),
        ("conv2.weight".to_owned(), vec![w, w, 3]),
        ("conv2.bias".to_owned(), vec![w]),
        ("embed_positions.weight".to_owned(), vec![40, w]),
    ];
    for block in 0..3 {
        for (part, shape) in [
            ("self_attn.q_proj.weight", vec![w, w]),
            ("self_attn.q_proj.bias", vec![w]),
            ("self_attn.k_proj.weight", vec![w, w]),
            ("self_attn.v_proj.weight", vec![w, w]),
            ("self_attn.v_proj.bias", vec![w]),
            ("self_attn.out_proj.weight", vec![w, w]),
            ("self_attn.out_proj.bias", vec![w]),
            ("self_attn_layer_norm.weight", vec![w]),
            ("self_attn_layer_norm.bias", vec![w]),
            ("final_layer_norm.weight", vec![w]),
            ("final_layer_norm.bias", vec![w]),
            ("fc1.weight", vec![4 * w, w]),
            ("fc1.bias", vec![4 * w]),
            ("fc2.weight", vec![w, 4 * w]),
            ("fc2.bias", vec![w]),
        ] {
            shapes.push((format!("layers.{block}.{part}"), shape));
        }
    }
    shapes
        .into_iter()
        .map(|(name, shape)| (name, random(&shape, 0.2, &mut rng)))
        .collect()
}

fn frames(n: usize, seed: u64) -> FeatureMatrix {
    let mut rng = StdRng::seed_from_u64(seed);
    let values = (0..n * WIDTH).map(|_| rng.random_range(-1.0..1.0f32));
    FeatureMatrix::from_rows(values.collect(), WIDTH)
}

fn tensor(matrix: &FeatureMatrix) -> Result<Tensor> {
    let shape = (1, matrix.n_frames(), matrix.n_features());
    Tensor::from_slice(matrix.as_slice(), shape, &Device::Cpu)
}

/// Columns that are no front end's.
const N_OTHER: usize = 1;

/// Layers that move, above one that stays.
fn n_moving(kind: FrontEndKind) -> usize {
    match kind {
        FrontEndKind::Speaker => 1,
        FrontEndKind::Whisper => 2,
    }
}

fn front_end(kind: FrontEndKind) -> PackedFrontEnd {
    PackedFrontEnd {
        header: FrontEndHeader {
            kind,
            origin: "tests".into(),
            version: "1".into(),
            sha256: String::new(),
            license: "MIT".into(),
            hop_samples: HOP_SAMPLES,
        },
        weights: Arc::new(match kind {
            FrontEndKind::Whisper => weights(),
            FrontEndKind::Speaker => recurrent_weights(),
        }),
    }
}

/// Two recurrent layers, as files name their weights.
fn recurrent_weights() -> Weights {
    let mut rng = StdRng::seed_from_u64(6);
    let gates = 4 * WIDTH;
    let shapes = (0..2).flat_map(|layer| {
        [
            (format!("weight_ih_l{layer}"), vec![gates, WIDTH]),
            (format!("weight_hh_l{layer}"), vec![gates, WIDTH]),
            (format!("bias_ih_l{layer}"), vec![gates]),
            (format!("bias_hh_l{layer}"), vec![gates]),
        ]
    });
    shapes
        .map(|(name, shape)| (name, random(&shape, 0.1, &mut rng)))
        .collect()
}

/// What the layers read: happy clips grow louder in some channels, sad ones
/// softer. In an example's columns `N_OTHER` stand first.
fn examples(architecture: &Architecture) -> Examples {
    let n_layers: usize = KINDS.map(|kind| 1 + n_moving(kind)).iter().sum();
    let half = N_OTHER + n_layers * WIDTH;
    let list = (0..24).map(|i| {
        let happy = i % 2 == 0;
        let n = 9 + i % 5;
        let own = KINDS.map(|kind| {
            let n = if kind == FrontEndKind::Speaker {
                2 * n
            } else {
                n
            };
            let mut own = frames(n, i as u64);
            for t in 0..n {
                let slope = if happy { t } else { n - t } as f32 / n as f32;
                own.frame_mut(t)[..8].iter_mut().for_each(|v| *v += slope);
            }
            Frames::half(&own)
        });
        let n_steps = n.div_ceil(architecture.frames_per_step);
        let both = [0..n_steps, 1..n_steps - 1];
        let crops: Vec<_> = both.into_iter().cycle().take(SPOKEN + 2).collect();
        let rows = FeatureMatrix::from_rows(vec![0.0; crops.len() * 2 * half], 2 * half);
        let emotion = if happy { Emotion::Happy } else { Emotion::Sad };
        Example {
            person: (i / 4).to_string(),
            path: i.to_string().into(),
            rows_are_clips: true,
            lower: vec![Lower {
                frames: own.to_vec(),
                crops,
            }],
            ..Example::of(emotion, rows)
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

fn config(tuning: usize) -> TrainingConfig {
    TrainingConfig {
        name: "test".into(),
        features: Recipe::Undertone.features(),
        front_ends: KINDS.map(front_end).to_vec(),
        architecture: Recipe::Undertone.architecture(0, 0.0),
        cache: None,
        talkers: Arc::default(),
        epochs: 1,
        patience: None,
        batch_size: 8,
        learning_rate: 2e-3,
        clips_per_corpus: 24,
        n_altered: 0,
        throats: false,
        tuning,
        seed: 1,
        checkpoints: None,
    }
}

#[test]
fn training_pools_what_use_pools() -> Result<()> {
    let config = config(1);
    let examples = examples(&config.architecture);
    let all: Vec<&Example> = examples.list.iter().collect();
    let heard = heard_by(&all, &config.front_ends, &config.architecture, 1)?;
    let tuner = Tuner::new(&all, &config)?;
    // Crops are heard by themselves in tuning, as short clips are.
    let picks: Vec<Pick> = (0..all.len()).map(|i| (i, 0, 0)).collect();
    let pooled = tuner.pooled(&picks)?;
    for (&(i, _, row), at) in picks.iter().zip(0..) {
        let columns = heard[i].views[0].matrix();
        let (means, deviations) = columns.frame(row).split_at(columns.n_features() / 2);
        // After what is no front end's, and each front end's first layer.
        let mut end = N_OTHER;
        for (kind, pooled) in KINDS.into_iter().zip(&pooled) {
            let start = end;
            end += (1 + n_moving(kind)) * WIDTH;
            let own = start + WIDTH..end;
            let expected = [&means[own.clone()], &deviations[own]].concat();
            let pooled = pooled.get(at)?.to_vec1::<f32>()?;
            assert_eq!(pooled.len(), expected.len());
            for (a, b) in pooled.iter().zip(&expected) {
                // The columns are kept in half precision.
                assert!((a - b).abs() < 4e-3 * b.abs().max(1.0), "{a} {b}");
            }
            assert!(means[start..start + WIDTH].iter().all(|v| *v == 0.0));
        }
        assert_eq!((means[0], deviations[0]), (0.0, 0.0));
    }
    Ok(())
}

#[test]
fn the_heads_read_what_was_pooled_in_its_place() -> Result<()> {
    let config = config(1);
    let mut examples = examples(&config.architecture);
    hear(&mut examples, &config)?;
    let all: Vec<&Example> = examples.list.iter().collect();
    let mut rng = StdRng::seed_from_u64(1);
    let (voices, ..) = Voices::told(&all, &config.architecture, &mut rng);
    let batching = Batching {
        architecture: &config.architecture,
        voices: &voices,
        corpora: &examples.corpora,
        step_s: examples.step_s,
        label_smoothing: 0.0,
        class_weights: &[[1.0; N_EMOTIONS]],
    };
    let tuner = Tuner::new(&all, &config)?;
    let picks: Vec<Pick> = (0..all.len()).map(|i| (i, 0, 0)).collect();
    let pooled = tuner.pooled(&picks)?;
    let statistics: Vec<Var> = pooled.iter().map(Var::from_tensor).collect::<Result<_>>()?;
    let batch = tuner.batch(
        &batching,
        &picks,
        &statistics,
        &mut StdRng::seed_from_u64(2),
    )?;
    // The same voices are drawn again.
    let mut rng = StdRng::seed_from_u64(2);
    for (example, at) in all.iter().zip(0..) {
        let known = voices.any(&example.person, &mut rng);
        let (rows, range) = example.views[0].rows(0..1);
        let whole = rows.frame(range.start).to_vec();
        let whole = FeatureMatrix::from_rows(whole, rows.n_features());
        let expected = inputs(&whole, known, voices.population(), &config.architecture);
        let own = batch.x.get(at)?.flatten_all()?.to_vec1::<f32>()?;
        assert_eq!(own.len(), expected.n_features());
        for (a, b) in own.iter().zip(expected.frame(0)) {
            assert!((a - b).abs() < 0.05 * b.abs().max(1.0), "{a} {b}");
        }
    }
    Ok(())
}

/// The examples' columns as the published front ends make them.
fn hear(examples: &mut Examples, config: &TrainingConfig) -> Result<()> {
    let all: Vec<&Example> = examples.list.iter().collect();
    let heard = heard_by(&all, &config.front_ends, &config.architecture, 1)?;
    for (example, heard) in examples.list.iter_mut().zip(heard) {
        example.views = heard.views;
    }
    Ok(())
}

#[test]
fn last_layers_learn_and_what_lies_below_stays() -> Result<()> {
    let config = config(6);
    let mut examples = examples(&config.architecture);
    hear(&mut examples, &config)?;
    let all: Vec<&Example> = examples.list.iter().collect();
    let mut losses = Vec::new();
    let tunings = tune(&all, &examples, &config, &mut |p| losses.push(p.loss))?;
    assert_eq!(losses.len(), n_passes(config.tuning));
    let tuned = mean_of(&tunings)?;
    for losses in losses.chunks(config.tuning) {
        assert!(losses[5] < losses[0], "{losses:?}");
    }
    for (published, tuned) in config.front_ends.iter().zip(&tuned) {
        for (name, weight) in published.weights.iter() {
            let moved = tuned.weights[name] != *weight;
            let last = ["layers.1.", "layers.2."]
                .iter()
                .any(|p| name.starts_with(p));
            assert_eq!(moved, last || name.ends_with("_l1"), "{name}");
        }
    }
    Ok(())
}

#[test]
fn what_was_tuned_once_is_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = TrainingConfig {
        checkpoints: Some(folder.path().to_owned()),
        ..config(1)
    };
    let mut examples = examples(&config.architecture);
    hear(&mut examples, &config)?;
    let all: Vec<&Example> = examples.list.iter().collect();
    let mut passes = 0;
    let mut weights = || -> Result<Vec<Arc<Weights>>> {
        let tuned = tune(&all, &examples, &config, &mut |_| passes += 1)?;
        Ok(tuned.into_iter().flatten().map(|f| f.weights).collect())
    };
    assert_eq!(weights()?, weights()?);
    assert_eq!(passes, n_passes(1));
    // Others are tuned by others.
    tune(&all[..20], &examples, &config, &mut |_| passes += 1)?;
    assert_eq!(passes, 2 * n_passes(1));
    Ok(())
}

#[test]
fn the_tunings_of_others_are_averaged_in() -> Result<()> {
    let config = config(1);
    let mut examples = examples(&config.architecture);
    hear(&mut examples, &config)?;
    let recording = |example: &Example| Recording {
        path: example.path.clone(),
        corpus: "x".into(),
        speaker: example.person.clone(),
        sex: None,
        emotion: Some(example.emotion),
    };
    let split = Split {
        training: examples.list.iter().map(recording).collect(),
        validation: Vec::new(),
        test: Vec::new(),
    };
    let trained = |seed, beside: &[Tuning]| {
        let config = TrainingConfig {
            seed,
            ..config.clone()
        };
        train(
            &examples,
            &split,
            &config,
            Calibrated::Later,
            beside,
            |_| (),
        )
    };
    let weights = |front_ends: Tuning| -> Vec<Arc<Weights>> {
        front_ends.into_iter().map(|f| f.weights).collect()
    };
    let (alone, other) = (trained(1, &[])?, trained(2, &[])?);
    let together = trained(1, &other.tunings)?;
    assert_eq!(alone.artifact.front_ends, weights(mean_of(&alone.tunings)?));
    let all = [alone.tunings.clone(), other.tunings].concat();
    assert_eq!(together.artifact.front_ends, weights(mean_of(&all)?));
    assert_ne!(together.artifact.front_ends, alone.artifact.front_ends);
    // What is handed on is its own alone.
    assert_eq!(together.tunings.len(), alone.tunings.len());
    Ok(())
}

#[test]
fn they_are_the_layers_in_use_and_padding_changes_nothing() -> Result<()> {
    for kind in KINDS {
        let front_end = front_end(kind);
        let in_use = FrontEnd::new(&front_end).map_err(candle_core::Error::wrap)?;
        let layer = TrainableLayers::last_of(&front_end)?;
        let per_row = layer.frames_per_row();
        let (short, long) = (frames(10, 1), frames(14, 2));
        let padded = tensor(&short)?.pad_with_zeros(1, 0, 4)?;
        let batch = Tensor::cat(&[padded, tensor(&long)?], 0)?;
        let together = layer.forward(&batch, &[10, 14])?;
        for (i, own) in [short, long].iter().enumerate() {
            let n_rows = own.n_frames() / per_row;
            let expected = tensor(&in_use.tuned_layers(own))?;
            let actual = together.narrow(0, i, 1)?.narrow(1, 0, own.n_frames())?;
            let actual = actual
                .reshape((1, n_rows, per_row, n_moving(kind) * WIDTH))?
                .mean(2)?;
            let difference = (expected - actual)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-4, "{kind}: {difference}");
        }
    }
    Ok(())
}

#[test]
fn every_weight_has_the_slope_that_small_steps_show() -> Result<()> {
    for kind in KINDS {
        let layer = TrainableLayers::last_of(&front_end(kind))?;
        let x = tensor(&frames(6, 3))?;
        let towards = Tensor::cat(&vec![tensor(&frames(6, 4))?; n_moving(kind)], 2)?;
        let loss = || layer.forward(&x, &[6])?.mul(&towards)?.sum_all();
        let gradients = loss()?.backward()?;
        for (name, var) in layer.vars() {
            let gradient = match gradients.get(var) {
                Some(gradient) => gradient.clone(),
                None => panic!("{name} has no gradient"),
            };
            // Along the gradient itself the slope is its norm.
            let norm = gradient.sqr()?.sum_all()?.to_scalar::<f32>()?.sqrt();
            let step = 5e-3 / f64::from(norm);
            let start = var.as_tensor().copy()?;
            let mut values = [0.0; 2];
            for (value, sign) in values.iter_mut().zip([1.0, -1.0]) {
                var.set(&(&start + (&gradient * (sign * step))?)?)?;
                *value = f64::from(loss()?.to_scalar::<f32>()?);
            }
            var.set(&start)?;
            let slope = (values[0] - values[1]) / (2.0 * step);
            let expected = f64::from(norm).powi(2);
            let off = (slope - expected).abs() / expected;
            assert!(off < 0.05, "{name}: {slope} for {expected}");
        }
    }
    Ok(())
}

#[test]
fn what_moved_replaces_what_was_and_nothing_else() -> Result<()> {
    let published = front_end(FrontEndKind::Whisper);
    let name = "layers.1.self_attn.q_proj.weight";
    let moved = Tensor::full(0.5f32, (WIDTH, WIDTH), &Device::Cpu)?;
    let merged = merged(&published, &BTreeMap::from([(name.to_owned(), moved)]))?;
    assert_eq!(merged.weights.len(), published.weights.len());
    for (own, weight) in merged.weights.iter() {
        if own == name {
            assert!(weight.to_f32().iter().all(|v| (v - 0.5).abs() < 1e-6));
        } else {
            assert_eq!(weight, &published.weights[own], "{own}");
        }
    }
    Ok(())
}

#[test]
fn several_tunings_meet_in_the_middle() -> Result<()> {
    for kind in KINDS {
        let Precision::Whole(steps) = kind.precision() else {
            candle_core::bail!("{kind} is not kept in whole numbers")
        };
        let steps = f32::from(steps);
        let published = front_end(kind);
        let tuned = |by: f64| -> Result<PackedFrontEnd> {
            let layer = TrainableLayers::last_of(&published)?;
            let moved = layer.vars().iter().map(|(name, var)| {
                let moved = (var.as_tensor() + by)?;
                Ok((name.clone(), moved))
            });
            merged(&published, &moved.collect::<Result<_>>()?)
        };
        let middle = mean(&[tuned(0.2)?, tuned(-0.1)?])?;
        let moved = TrainableLayers::last_of(&published)?;
        for (name, weight) in middle.weights.iter() {
            let published = &published.weights[name];
            if !moved.vars().contains_key(name) {
                assert_eq!(weight, published, "{name}");
                continue;
            }
            let before = published.to_f32();
            // Of matrices each tuning and their mean are off by half a step at most.
            let largest = before.iter().fold(0.0, |m: f32, v| m.max(v.abs())) + 0.2;
            let off = match weight.shape() {
                [_] => 1e-6,
                _ => largest / steps,
            };
            for (a, b) in weight.to_f32().iter().zip(before) {
                assert!((a - b - 0.05).abs() < off, "{name}: {a}, {b}");
            }
        }
    }
    assert!(mean(&[]).is_err());
    Ok(())
}
