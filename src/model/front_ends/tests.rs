use super::*;
use crate::model::weights::{Precision, Weight};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    kind: FrontEndKind,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    amplitude: f64,
    every: usize,
    frames: usize,
    output: Vec<f32>,
}

/// The golden script's formula.
fn weight(k: usize, shape: &[usize], amplitude: f64) -> Weight {
    let values: Vec<f32> = (0..shape.iter().product::<usize>())
        .map(|i| ((0.37 * i as f64 + k as f64).sin() * amplitude) as f32)
        .collect();
    Weight::new(shape, &values, Precision::Full)
}

fn speech() -> Vec<f32> {
    let bytes = include_bytes!("../../../tests/data/speech.wav");
    let decoded = crate::audio::load(bytes.to_vec(), "speech.wav").expect("is decoded");
    decoded.clip.into_samples()
}

fn packed(kind: FrontEndKind, weights: Weights) -> PackedFrontEnd {
    PackedFrontEnd {
        header: FrontEndHeader {
            kind,
            origin: "tests".into(),
            version: "1".into(),
            sha256: String::new(),
            license: "MIT".into(),
            hop_samples: HOP_SAMPLES,
        },
        weights: Arc::new(weights),
    }
}

fn small_front_ends() -> Vec<(PackedFrontEnd, Golden)> {
    let cases: Vec<Golden> =
        serde_json::from_str(include_str!("../../../tests/golden/front_ends/golden.json"))
            .expect("golden file");
    assert_eq!(cases.len(), 2);
    cases
        .into_iter()
        .map(|case| {
            let named = case.names.iter().zip(&case.shapes).enumerate();
            let weights = named
                .map(|(k, (name, shape))| (name.clone(), weight(k, shape, case.amplitude)))
                .collect();
            (packed(case.kind, weights), case)
        })
        .collect()
}

/// Largest and root mean square difference, in deviations of what is expected.
fn differences(actual: &[f32], expected: &[f32]) -> (f32, f32) {
    assert_eq!(actual.len(), expected.len());
    let n = expected.len() as f32;
    let mean = expected.iter().sum::<f32>() / n;
    let variance = expected.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n;
    let pairs = actual.iter().zip(expected);
    let squares = pairs.clone().map(|(a, b)| (a - b).powi(2)).sum::<f32>() / n;
    let worst = pairs.fold(0f32, |w, (a, b)| w.max((a - b).abs()));
    (worst / variance.sqrt(), (squares / variance).sqrt())
}

#[test]
fn agree_with_pytorch() {
    let speech = speech();
    for (packed, case) in small_front_ends() {
        let mut front_end = FrontEnd::new(&packed).expect("the weights fit");
        let frames = front_end.encode(&speech).expect("encodes");
        assert_eq!(frames.n_frames(), case.frames);
        let kept: Vec<f32> = (0..frames.n_frames())
            .step_by(case.every)
            .flat_map(|t| frames.frame(t).iter().step_by(case.every).copied())
            .collect();
        let (worst, _) = differences(&kept, &case.output);
        assert!(worst < 1e-4, "{}: {worst}", case.kind);
    }
}

#[test]
fn a_file_gives_back_what_was_written() {
    for (packed, _) in small_front_ends() {
        let bytes = packed.to_bytes().expect("is written");
        let back = PackedFrontEnd::from_bytes(&bytes).expect("is read");
        assert_eq!(back.header, packed.header);
        assert_eq!(back.weights, packed.weights);
        assert!(PackedFrontEnd::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn any_length_gives_finite_frames() {
    let speech = speech();
    for (packed, _) in small_front_ends() {
        let mut front_end = FrontEnd::new(&packed).expect("the weights fit");
        for n in [1, 100, 201, 400, 8_000] {
            let frames = front_end.encode(&speech[..n]).expect("encodes");
            let expected = (n / (HOP_SAMPLES / 2)).div_ceil(2).max(1);
            assert!(frames.n_frames() >= expected, "{n} samples");
            assert!(frames.as_slice().iter().all(|v| v.is_finite()));
        }
        for value in [0.0, 1.0, f32::MAX] {
            let frames = front_end.encode(&[value; 4_000]).expect("encodes");
            assert!(frames.as_slice().iter().all(|v| v.is_finite()), "{value}");
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_refused() {
    for (packed, _) in small_front_ends() {
        for name in packed.weights.keys().filter(|n| !n.ends_with("bias")) {
            let mut weights = (*packed.weights).clone();
            weights.insert(name.clone(), weight(0, &[3, 1], 1.0));
            let broken = PackedFrontEnd {
                weights: Arc::new(weights),
                ..packed.clone()
            };
            assert!(FrontEnd::new(&broken).is_err(), "{name}");
        }
    }
}

#[derive(Deserialize)]
struct Real {
    output: Vec<f32>,
}

/// With the front ends that `undertone import-encoder` wrote (`SPEAKER`,
/// `WHISPER`) and what the golden script makes of the published files (`REAL`).
#[test]
#[ignore = "needs files that are not part of the project"]
fn real_weights() {
    let read = |variable: &str| {
        let path = std::env::var(variable).unwrap_or_else(|e| panic!("{variable}: {e}"));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let expected: Vec<Real> = serde_json::from_slice(&read("REAL")).expect("golden file");
    let speech = speech();
    for (variable, expected) in ["SPEAKER", "WHISPER"].into_iter().zip(expected) {
        let packed = PackedFrontEnd::from_bytes(&read(variable)).expect("is read");
        let mut front_end = FrontEnd::new(&packed).expect("the weights fit");
        let frames = front_end.encode(&speech).expect("encodes");
        let (worst, mean) = differences(frames.as_slice(), &expected.output);
        let long: Vec<f32> = speech.iter().cycle().take(MAX_SAMPLES).copied().collect();
        let times_ms = (0..5).map(|_| {
            let start = std::time::Instant::now();
            front_end.encode(&long).expect("encodes");
            start.elapsed().as_secs_f64() * 1e3
        });
        let best_ms = times_ms.fold(f64::INFINITY, f64::min);
        println!(
            "{variable}: {mean:.1e} deviations from the published weights, at most {worst:.1e}; 8 s in {best_ms:.0} ms"
        );
        // What 8 bits cost; the golden test holds the arithmetic to 1e-4.
        assert!(mean < 0.1, "{variable}: {mean}");
    }
}
