//! The features are librosa's: `tests/golden/features/make.py` wrote what
//! librosa 0.11 makes of two recordings and seven synthetic signals.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup, FeatureMatrix};

const GOLDEN: &[u8] = include_bytes!("golden/features/golden.safetensors");

/// The signals that are stored beside their features.
const SYNTHETIC: [&str; 7] = ["chirp", "voice", "noise", "mixed", "impulse", "dc", "brief"];

fn golden(name: &str) -> (Vec<f32>, usize) {
    let file = SafeTensors::deserialize(GOLDEN).expect("a safetensors file");
    let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(tensor.dtype(), Dtype::F32);
    let values = tensor.data().chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    (values.collect(), tensor.shape()[1])
}

fn synthetic(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(GOLDEN).expect("a safetensors file");
    let tensor = file.tensor(&format!("{name}/samples")).expect(name);
    let samples = tensor.data().chunks_exact(2);
    samples
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect()
}

fn signals() -> Vec<(&'static str, Vec<f32>)> {
    let recordings = ["speech", "quiet"].map(|name| {
        let samples = common::reference(&format!("{name}.wav"));
        (name, samples[..19_200].to_vec())
    });
    let synthetic = SYNTHETIC.map(|name| (name, synthetic(name)));
    recordings.into_iter().chain(synthetic).collect()
}

fn features(group: FeatureGroup, samples: &[f32]) -> FeatureMatrix {
    let config = FeatureConfig {
        groups: vec![group],
        ..FeatureConfig::all()
    };
    let mut extractor = Extractor::new(&config).expect("a sensible configuration");
    extractor.extract(samples).expect("finite samples")
}

/// Compares one group over all signals; `tolerance` says how far a value may
/// lie from a golden one, by the signal's name and the golden value.
fn compare(group: FeatureGroup, golden_name: &str, tolerance: impl Fn(&str, f32) -> f32) {
    let mut faults = Vec::new();
    for (signal, samples) in signals() {
        let what = format!("{signal}/{golden_name}");
        let actual = features(group, &samples);
        let (expected, width) = golden(&what);
        assert_eq!(actual.n_features(), width, "{what}");
        assert_eq!(actual.as_slice().len(), expected.len(), "{what}");
        let mut worst = (0.0, String::new());
        for (i, (a, e)) in actual.as_slice().iter().zip(&expected).enumerate() {
            let excess = (a - e).abs() / tolerance(signal, *e);
            if excess > worst.0 || excess.is_nan() {
                let (frame, column) = (i / width, i % width);
                worst = (
                    excess,
                    format!("{what}, frame {frame}, column {column}: {a} is not {e}"),
                );
            }
        }
        println!("{what}: {:.3} of the tolerance; {}", worst.0, worst.1);
        if worst.0.is_nan() || worst.0 > 1.0 {
            faults.push(worst.1);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Decibels agree to a thousandth.
const DB: f32 = 1e-3;

/// Linear quantities agree to a ten-thousandth of their own size, or of one.
fn relative(_: &str, expected: f32) -> f32 {
    1e-4 * expected.abs().max(1.0)
}

#[test]
fn log_mel_bands() {
    compare(FeatureGroup::LogMel, "log_mel", |_, _| DB);
}

#[test]
fn cepstra() {
    compare(FeatureGroup::Mfcc, "mfcc", |_, _| DB);
}

#[test]
fn slopes_of_the_cepstra() {
    compare(FeatureGroup::MfccDelta, "mfcc_delta", |_, _| DB);
    compare(FeatureGroup::MfccDelta2, "mfcc_delta2", |_, _| DB);
}

#[test]
fn chroma() {
    compare(FeatureGroup::Chroma, "chroma", relative);
}

#[test]
fn contrast() {
    // A valley is the one or two weakest bins of a band, up to 100 dB below the
    // strongest of the frame. A 32-bit transform is good to about 140 dB below
    // it, which is a hundredth of such a bin: 0.05 dB.
    compare(FeatureGroup::Contrast, "contrast", |_, _| 0.05);
}

#[test]
fn zero_crossings() {
    // A count over 400: exact but for rounding.
    compare(FeatureGroup::ZeroCrossingRate, "zcr", |_, _| 1e-6);
}

#[test]
fn energy() {
    compare(FeatureGroup::LogEnergy, "log_energy", |_, _| DB);
}

#[test]
fn the_spectrum_s_shape() {
    compare(FeatureGroup::Centroid, "centroid", relative);
    compare(FeatureGroup::Bandwidth, "bandwidth", relative);
    compare(FeatureGroup::Rolloff, "rolloff", relative);
    compare(FeatureGroup::Flatness, "flatness", relative);
}
