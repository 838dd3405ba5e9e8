use super::front_ends::{FrontEndHeader, FrontEndKind, HOP_SAMPLES, MAX_SAMPLES};
use super::header::{Architecture, FORMAT_VERSION, Pooling, TrainingFacts};
use super::network::Network;
use super::weights::{Precision, Weight, Weights};
use super::*;
use crate::features::{FeatureConfig, FeatureGroup};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};

/// Units of the small speaker encoder's two layers.
const HIDDEN: usize = 4;

fn speaker_weights() -> Weights {
    let wave = |n: usize| -> Vec<f32> { (0..n).map(|i| (i as f32).sin() * 0.5).collect() };
    let mut weights = Weights::new();
    for (layer, n_inputs) in [40, HIDDEN].into_iter().enumerate() {
        let parts = [
            ("weight_ih", vec![4 * HIDDEN, n_inputs]),
            ("weight_hh", vec![4 * HIDDEN, HIDDEN]),
            ("bias_ih", vec![4 * HIDDEN]),
            ("bias_hh", vec![4 * HIDDEN]),
        ];
        for (name, shape) in parts {
            let values = wave(shape.iter().product());
            let weight = Weight::new(&shape, &values, Precision::EIGHT_BITS);
            weights.insert(format!("{name}_l{layer}"), weight);
        }
    }
    weights
}

/// A model of two prosodic columns and a small speaker encoder.
fn artifact() -> Artifact {
    artifact_with(Pooling::Attentive)
}

fn artifact_with(pooling: Pooling) -> Artifact {
    let n_features = 2 + 2 * HIDDEN;
    let architecture = Architecture {
        frames_per_step: 2,
        window_normalized: false,
        convolutions: Vec::new(),
        recurrent: None,
        pooling,
        told_baseline: true,
        heads: 2,
        as_they_are: match pooling {
            Pooling::Attentive => Vec::new(),
            Pooling::Statistics => vec![vec![0..2, n_features..n_features + 2]],
        },
        fading: match pooling {
            Pooling::Attentive => Vec::new(),
            Pooling::Statistics => vec![0..1, n_features..n_features + 1],
        },
        dense: 3,
        dropout: 0.0,
    };
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let n_columns = architecture.n_columns(n_features);
    Network::new(&architecture, n_columns, &vb).expect("is made");
    // Not random ones: now and then none of so few units would answer.
    let vars = map.data().lock().expect("no thread has panicked");
    let mut names: Vec<&String> = vars.keys().collect();
    names.sort();
    let weight = |(k, name): (usize, &String)| {
        let shape = vars[name].shape();
        let wave = |i: usize| (0.9 * i as f32 + k as f32).sin();
        let values: Vec<f32> = match name.ends_with("running_var") {
            true => vec![1.0; shape.elem_count()],
            false => (0..shape.elem_count()).map(wave).collect(),
        };
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor");
        (name.clone(), tensor)
    };
    let weights = names.into_iter().enumerate().map(weight).collect();
    Artifact {
        header: ModelHeader {
            format_version: FORMAT_VERSION,
            name: "small".into(),
            classes: Emotion::ALL.iter().map(|e| e.name().to_owned()).collect(),
            features: FeatureConfig {
                groups: vec![FeatureGroup::LogEnergy, FeatureGroup::ZeroCrossingRate],
                ..FeatureConfig::default()
            },
            front_ends: vec![FrontEndHeader {
                kind: FrontEndKind::Speaker,
                origin: "tests".into(),
                version: "1".into(),
                sha256: String::new(),
                license: "MIT".into(),
                hop_samples: HOP_SAMPLES,
            }],
            architecture,
            normalizer: normalize::Normalizer {
                mean: vec![0.0; n_columns],
                deviation: vec![1.0; n_columns],
                within: vec![1.0; n_columns],
            },
            calibration: calibration::Calibration::default(),
            training: TrainingFacts::default(),
            checksum: String::new(),
        },
        weights,
        front_ends: vec![Arc::new(speaker_weights())],
    }
}

fn tone(n: usize) -> Vec<f32> {
    (0..n).map(|i| 0.3 * (i as f32 * 0.05).sin()).collect()
}

#[test]
fn a_model_with_front_ends_survives_its_file() {
    let artifact = artifact();
    let mut model = EmotionModel::new(artifact.clone()).expect("fits");
    let samples = tone(16_000);
    let frames = model.encode(&samples).expect("encodes");
    let columns = model.columns(&frames, 0..50).expect("fits");
    let logits = model.logits(&columns).expect("answers");
    for precision in [
        Precision::Full,
        Precision::Half,
        Precision::EIGHT_BITS,
        Precision::Whole(48),
    ] {
        let bytes = artifact.to_bytes(precision).expect("is written");
        let mut back = EmotionModel::load(&bytes).expect("is read");
        assert_eq!(back.header().front_ends, artifact.header.front_ends);
        // Front ends keep their own precision, whatever the network's.
        assert_eq!(back.encode(&samples).expect("encodes"), frames);
        let tolerance = match precision {
            Precision::Full => 0.0,
            Precision::Half => 1e-2,
            Precision::Whole(_) => 0.2,
        };
        for (a, b) in back.logits(&columns).expect("answers").iter().zip(logits) {
            assert!((a - b).abs() <= tolerance, "{precision:?}: {a} {b}");
        }
    }
}

#[test]
fn frames_come_every_20_ms_whatever_the_length() {
    let mut model = EmotionModel::new(artifact()).expect("fits");
    assert_eq!(model.frame_hop_samples(), HOP_SAMPLES);
    for n in [
        1,
        159,
        320,
        479,
        480,
        8_000,
        MAX_SAMPLES,
        MAX_SAMPLES + 1,
        2 * MAX_SAMPLES + 3_000,
    ] {
        let frames = model.encode(&tone(n)).expect("encodes");
        assert_eq!(
            frames.n_frames(),
            (n / 160).div_ceil(2).max(1),
            "{n} samples"
        );
        assert_eq!(frames.n_features(), 2 + 2 * HIDDEN);
        let last = frames.frame(frames.n_frames() - 1);
        assert!(last[2..].iter().any(|v| *v != 0.0), "{n} samples");
    }
    assert_eq!(model.encode(&[]).expect("encodes").n_frames(), 0);
    let fault = model.encode(&[0.0, f32::NAN]);
    assert!(matches!(fault, Err(ModelError::Features(_))));
}

#[test]
fn a_missing_front_end_is_refused() {
    let mut artifact = artifact();
    artifact.header.front_ends.clear();
    artifact.front_ends.clear();
    let error = EmotionModel::new(artifact).err();
    assert!(
        matches!(error, Some(ModelError::Length { .. })),
        "{error:?}"
    );
}

#[test]
fn columns_that_are_not_there_cannot_be_read_as_they_are() {
    for pooling in [Pooling::Attentive, Pooling::Statistics] {
        let mut artifact = artifact_with(pooling);
        let n_columns = artifact.header.normalizer.mean.len();
        let beyond = 0..n_columns + 1;
        let reversed = Range { start: 1, end: 0 };
        for (as_they_are, fading) in [
            (vec![Vec::new(), vec![beyond.clone()]], Vec::new()),
            (vec![vec![0..1]], vec![beyond]),
            (vec![vec![0..1]], vec![reversed]),
        ] {
            artifact.header.architecture.as_they_are = as_they_are;
            artifact.header.architecture.fading = fading;
            let error = EmotionModel::new(artifact.clone()).err();
            assert!(
                matches!(error, Some(ModelError::Length { .. })),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a_baseline_changes_the_answer_and_can_be_forgotten() {
    for pooling in [Pooling::Attentive, Pooling::Statistics] {
        let mut model = EmotionModel::new(artifact_with(pooling)).expect("fits");
        let frames = model.encode(&tone(32_000)).expect("encodes");
        let stranger = model.predict(&frames, 0..60).expect("answers");
        for kind in [BaselineKind::Ordinary, BaselineKind::Session] {
            let mut baseline = Baseline::new(kind);
            model.compare_with(Some(&baseline)).expect("is empty");
            assert_eq!(model.predict(&frames, 0..60).expect("answers"), stranger);
            for start in [0, 30, 50] {
                let utterance = model.columns(&frames, start..start + 50).expect("fits");
                baseline.add(utterance);
            }
            model.compare_with(Some(&baseline)).expect("fits");
            let known = model.predict(&frames, 0..60).expect("answers");
            assert_ne!(known, stranger, "{pooling:?} {kind:?}");
            model.compare_with(None).expect("nothing can be wrong");
            assert_eq!(model.predict(&frames, 0..60).expect("answers"), stranger);
        }
        let mut foreign = Baseline::new(BaselineKind::Session);
        foreign.add(FeatureMatrix::from_rows(vec![0.0; 3], 3));
        let error = model.compare_with(Some(&foreign)).err();
        assert!(matches!(error, Some(ModelError::Width { .. })));
    }
}

#[test]
fn what_is_strange_is_answered_less_surely_until_the_voice_is_known() {
    let familiar = artifact_with(Pooling::Statistics);
    let n_columns = familiar.header.normalizer.mean.len();
    let mut strange = familiar.clone();
    strange.header.calibration.caution = 0.5;
    let zeros = vec![0f32; domains::N_DIRECTIONS * n_columns];
    let shape = (domains::N_DIRECTIONS, n_columns);
    let directions = Tensor::from_vec(zeros, shape, &Device::Cpu).expect("a tensor");
    // Everything lies three deviations away.
    let centres = Tensor::new(&[3f32; domains::N_DIRECTIONS], &Device::Cpu).expect("a tensor");
    strange
        .weights
        .insert(domains::DIRECTIONS.into(), directions);
    strange.weights.insert(domains::CENTRES.into(), centres);
    // Half of it is a fault, not a model that tells nothing.
    for missing in [domains::DIRECTIONS, domains::CENTRES] {
        let mut half = strange.clone();
        half.weights.remove(missing);
        let error = EmotionModel::new(half).err();
        assert!(
            matches!(error, Some(ModelError::Length { .. })),
            "{error:?}"
        );
    }
    // As files keep it.
    let bytes = strange.to_bytes(Precision::EIGHT_BITS).expect("is written");
    let mut strange = EmotionModel::load(&bytes).expect("is read");
    let mut familiar = EmotionModel::new(familiar).expect("fits");
    let frames = familiar.encode(&tone(32_000)).expect("encodes");
    let columns = familiar.columns(&frames, 0..60).expect("fits");
    assert_eq!(familiar.answer(&columns).expect("answers").novelty, 1.0);
    assert_eq!(strange.answer(&columns).expect("answers").novelty, 9.0);
    let confidence = |model: &EmotionModel| {
        let prediction = model.predict(&frames, 0..60).expect("answers");
        prediction.scores.top().1
    };
    assert!(confidence(&strange) < confidence(&familiar));
    let mut baseline = Baseline::new(BaselineKind::Ordinary);
    baseline.add(columns.clone());
    strange.compare_with(Some(&baseline)).expect("fits");
    let novelty = strange.answer(&columns).expect("answers").novelty;
    assert!((1.0..9.0).contains(&novelty), "{novelty}");
}
