//! Layers that move are the layers in use, and learn.

use super::*;
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::model::front_ends::{FrontEndHeader, FrontEndKind, HOP_SAMPLES};
use crate::model::weights::{Precision, Weight, Weights};
use crate::train::examples::Corpus;
use crate::train::recipe::Recipe;
use std::collections::BTreeMap;

/// Both kinds, and a front end's last layer of each is told by its names.
const KINDS: [FrontEndKind; 2] = [FrontEndKind::Whisper, FrontEndKind::Speaker];

const WIDTH: usize = 128;

fn random(shape: &[usize], scale: f32, rng: &mut StdRng) -> Weight {
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-scale..scale)).collect();
    Weight::new(shape, &values, Precision::Full)
}

/// An encoder of two blocks, as files name its weights.
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
    for block in 0..2 {
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
    let shape = (1, matrix.n_frames(), WIDTH);
    Tensor::from_slice(matrix.as_slice(), shape, &Device::Cpu)
}

/// A column beside the block's.
const N_OTHER: usize = 1;

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

/// Happy clips grow louder in some channels, sad ones softer.
fn examples(architecture: &Architecture, per_row: usize) -> Examples {
    let list = (0..24).map(|i| {
        let happy = i % 2 == 0;
        let n = per_row * (9 + i % 5);
        let mut own = frames(n, i as u64);
        for t in 0..n {
            let slope = if happy { t } else { n - t } as f32 / n as f32;
            own.frame_mut(t)[..8].iter_mut().for_each(|v| *v += slope);
        }
        let n_steps = n.div_ceil(per_row * architecture.frames_per_step);
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

fn config(tuning: Tuning, front_end: &PackedFrontEnd) -> TrainingConfig {
    TrainingConfig {
        name: "test".into(),
        features: Recipe::Undertone.features(),
        front_ends: vec![front_end.clone()],
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

fn pools_what_use_pools(kind: FrontEndKind) -> Result<()> {
    let front_end = front_end(kind);
    let tuning = Tuning {
        passes: 1,
        learning_rate: 0.0,
    };
    let config = config(tuning, &front_end);
    let layer = TrainableLayer::last_of(&front_end)?;
    let examples = examples(&config.architecture, layer.frames_per_row());
    let all: Vec<&Example> = examples.list.iter().collect();
    let heard = heard_by(&all, &front_end, &config.architecture)?;
    let tuner = Tuner {
        training: &all,
        architecture: &config.architecture,
        per_step: config.architecture.frames_per_step * layer.frames_per_row(),
        optimizer: AdamW::new(0.0),
        average: Average::new(AVERAGED),
        layer,
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
fn training_pools_what_use_pools() -> Result<()> {
    KINDS.into_iter().try_for_each(pools_what_use_pools)
}

fn learns_and_leaves_what_lies_below(kind: FrontEndKind) -> Result<()> {
    let published = front_end(kind);
    let tuning = Tuning {
        passes: 6,
        learning_rate: 2e-3,
    };
    let config = config(tuning, &published);
    let per_row = TrainableLayer::last_of(&published)?.frames_per_row();
    let mut examples = examples(&config.architecture, per_row);
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
        let last = name.starts_with("layers.1.") || name.ends_with("_l1");
        assert_eq!(moved, last, "{name}");
    }
    Ok(())
}

#[test]
fn the_last_layer_learns_and_what_lies_below_stays() -> Result<()> {
    KINDS
        .into_iter()
        .try_for_each(learns_and_leaves_what_lies_below)
}

#[test]
fn it_is_the_layer_in_use_and_padding_changes_nothing() -> Result<()> {
    for kind in KINDS {
        let front_end = front_end(kind);
        let in_use = FrontEnd::new(&front_end).map_err(candle_core::Error::wrap)?;
        let layer = TrainableLayer::last_of(&front_end)?;
        let per_row = layer.frames_per_row();
        let (short, long) = (frames(10, 1), frames(14, 2));
        let padded = tensor(&short)?.pad_with_zeros(1, 0, 4)?;
        let batch = Tensor::cat(&[padded, tensor(&long)?], 0)?;
        let together = layer.forward(&batch, &[10, 14])?;
        for (i, own) in [short, long].iter().enumerate() {
            let n_rows = own.n_frames() / per_row;
            let expected = tensor(&in_use.last_layer(own))?;
            let actual = together.narrow(0, i, 1)?.narrow(1, 0, own.n_frames())?;
            let actual = actual.reshape((1, n_rows, per_row, WIDTH))?.mean(2)?;
            let difference = (expected - actual)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(difference < 1e-4, "{kind}: {difference}");
        }
    }
    Ok(())
}

#[test]
fn every_weight_has_the_slope_that_small_steps_show() -> Result<()> {
    for kind in KINDS {
        let layer = TrainableLayer::last_of(&front_end(kind))?;
        let x = tensor(&frames(6, 3))?;
        let towards = tensor(&frames(6, 4))?;
        let loss = || layer.forward(&x, &[6])?.mul(&towards)?.sum_all();
        let gradients = loss()?.backward()?;
        for (name, var) in layer.vars() {
            let gradient = match gradients.get(var) {
                Some(gradient) => gradient.clone(),
                None => panic!("{name} has no gradient"),
            };
            // Along the gradient itself the slope is its norm.
            let norm = gradient.sqr()?.sum_all()?.to_scalar::<f32>()?.sqrt();
            let step = 2e-3 / f64::from(norm).max(1.0);
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
    let weights = weights();
    let name = "layers.1.self_attn.q_proj.weight";
    let moved = Tensor::full(0.5f32, (WIDTH, WIDTH), &Device::Cpu)?;
    let merged = merged(&weights, &BTreeMap::from([(name.to_owned(), moved)]))?;
    assert_eq!(merged.len(), weights.len());
    for (own, weight) in &merged {
        if own == name {
            assert!(weight.to_f32().iter().all(|v| (v - 0.5).abs() < 1e-6));
        } else {
            assert_eq!(weight, &weights[own], "{own}");
        }
    }
    Ok(())
}
