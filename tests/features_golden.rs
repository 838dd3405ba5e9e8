//! The features are librosa's: `tests/golden/features/make.py` wrote what
//! librosa 0.11 makes of fourteen recordings of four corpora and of nine
//! synthetic signals, in the project's conventions and in its own defaults.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use safetensors::SafeTensors;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup, FeatureMatrix, librosa};

const GOLDEN: &[u8] = include_bytes!("golden/features/golden.safetensors");

/// One mode's features by name with their widths, in the order of the golden
/// columns.
fn columns(mode: &str) -> Vec<(String, usize)> {
    let (_, header) = SafeTensors::read_metadata(GOLDEN).expect("a safetensors file");
    let metadata = header.metadata().clone().expect("metadata");
    let columns: serde_json::Value = serde_json::from_str(&metadata["columns"]).expect("JSON");
    serde_json::from_value(columns[mode].clone()).expect("names and widths")
}

fn golden(name: &str) -> FeatureMatrix {
    let file = SafeTensors::deserialize(GOLDEN).expect("a safetensors file");
    let tensor = file.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}"));
    let values = tensor.data().chunks_exact(4);
    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    FeatureMatrix::from_rows(values.collect(), tensor.shape()[1])
}

fn signals() -> Vec<(String, Vec<f32>)> {
    [common::voices(), common::synthetic()].concat()
}

/// The frames that are stored: near both ends, and two between.
fn stored(n_frames: usize) -> Vec<usize> {
    let mut rows = vec![1, n_frames / 3, 2 * n_frames / 3, n_frames - 1];
    rows.iter_mut().for_each(|t| *t = (*t).min(n_frames - 1));
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// How far a value may lie from a golden one: a thousandth of a decibel, or a
/// ten-thousandth of a linear quantity.
fn tolerance(feature: &str, expected: f32) -> f32 {
    // Cepstra and their slopes are of decibels too.
    let in_decibels = ["log", "mfcc", "contrast", "flux", "onset"];
    if in_decibels.iter().any(|stem| feature.starts_with(stem)) {
        1e-3
    } else {
        1e-4 * expected.abs().max(1e-3)
    }
}

/// Compares every stored frame of a mode; `features` gives a signal's table,
/// and `start` the first of its columns that is the named feature's.
fn compare(mode: &str, features: impl Fn(&[f32]) -> FeatureMatrix, start: impl Fn(&str) -> usize) {
    let columns = columns(mode);
    let mut worst: Vec<(f32, String)> = vec![(0.0, String::new()); columns.len()];
    for (signal, samples) in signals() {
        if mode == "librosa" && signal == "brief" {
            continue; // librosa refuses slopes of so few frames.
        }
        let (actual, expected) = (features(&samples), golden(&format!("{mode}/{signal}")));
        let rows = stored(actual.n_frames());
        assert_eq!(rows.len(), expected.n_frames(), "{mode}/{signal}");
        for (i, t) in rows.into_iter().enumerate() {
            let mut column = 0;
            for ((feature, width), worst) in columns.iter().zip(&mut worst) {
                let expected = &expected.frame(i)[column..column + width];
                let actual = &actual.frame(t)[start(feature)..][..*width];
                // A flat spectrum has no tuning but its rounding.
                let is_arbitrary = mode == "librosa" && feature == "chroma" && signal == "impulse";
                if is_arbitrary {
                    column += width;
                    continue;
                }
                for (a, e) in actual.iter().zip(expected) {
                    let share = (a - e).abs() / tolerance(feature, *e);
                    if share > worst.0 || share.is_nan() {
                        let what = format!("{feature} of {signal}, frame {t}: {a} is not {e}");
                        *worst = (share, what);
                    }
                }
                column += width;
            }
        }
    }
    for (share, what) in &worst {
        println!("{share:.3} of the tolerance: {what}");
    }
    assert!(worst.iter().all(|w| w.0 <= 1.0), "{worst:#?}");
}

#[test]
fn the_model_s_features() {
    let groups: Vec<FeatureGroup> = columns("streaming")
        .into_iter()
        .map(|(name, _)| serde_json::from_value(name.into()).expect("a group"))
        .collect();
    let config = FeatureConfig {
        groups: groups.clone(),
        ..FeatureConfig::all()
    };
    let mut extractor = Extractor::new(&config).expect("a sensible configuration");
    let start = |feature: &str| {
        let before = columns("streaming")
            .into_iter()
            .take_while(|(name, _)| name != feature);
        before.map(|(_, width)| width).sum()
    };
    let extractor = std::cell::RefCell::new(&mut extractor);
    compare(
        "streaming",
        |samples| extractor.borrow_mut().extract(samples).expect("finite"),
        start,
    );
}

#[test]
fn librosa_s_defaults() {
    let names = librosa::names();
    let start = |feature: &str| {
        let stem = format!("{feature}_");
        names
            .iter()
            .position(|name| name == feature || name.starts_with(&stem))
            .unwrap_or_else(|| panic!("no column {feature}"))
    };
    compare(
        "librosa",
        |samples| librosa::extract(samples).expect("finite"),
        start,
    );
}

#[test]
fn the_model_s_pitch_and_voicing() {
    let config = FeatureConfig {
        groups: vec![FeatureGroup::Pitch, FeatureGroup::Voiced],
        ..FeatureConfig::all()
    };
    let mut extractor = Extractor::new(&config).expect("a sensible configuration");
    let (mut n, mut n_agreed, mut n_voiced) = (0, 0, 0);
    for (signal, samples) in signals() {
        let actual = extractor.extract(&samples).expect("finite");
        let expected = golden(&format!("streaming-pitch/{signal}"));
        assert_eq!(actual.n_frames(), expected.n_frames(), "{signal}");
        for t in 0..actual.n_frames() {
            let ([octaves, probability, voiced], [f0_hz, is_voiced, of_voicing]) =
                (three(&actual, t), three(&expected, t));
            // The whole share of a threshold moves where rounding decides.
            let off = (probability - of_voicing).abs();
            assert!(
                off < 0.02,
                "{signal}, frame {t}: {probability}, not {of_voicing}"
            );
            n += 1;
            if voiced != is_voiced {
                println!("{signal}, frame {t}: voiced {voiced} is not {is_voiced}");
                continue;
            }
            n_agreed += 1;
            if is_voiced == 1.0 {
                n_voiced += 1;
                let hz = 150.0 * octaves.exp2();
                let off = (hz / f0_hz - 1.0).abs();
                assert!(off < 0.01, "{signal}, frame {t}: {hz} Hz is not {f0_hz} Hz");
            } else {
                assert_eq!(octaves, 0.0);
            }
        }
    }
    println!("voicing agrees on {n_agreed} of {n} frames; {n_voiced} are voiced");
    assert!(n_agreed * 100 >= n * 97);
    assert!(n_voiced > 500);
}

fn three(table: &FeatureMatrix, t: usize) -> [f32; 3] {
    table.frame(t).try_into().expect("three columns")
}

#[test]
fn librosa_s_own_pitch_and_voicing() {
    let names = librosa::names();
    let column = |name: &str| names.iter().position(|n| n == name).expect(name);
    let [yin, pyin, voiced] = ["f0_yin_hz", "f0_pyin_hz", "voiced"].map(column);
    let (mut n, mut n_agreed, mut n_voiced) = (0, 0, 0);
    for (signal, samples) in signals() {
        if signal == "brief" {
            continue;
        }
        let actual = librosa::extract(&samples).expect("finite");
        let expected = golden(&format!("librosa-pitch/{signal}"));
        assert_eq!(actual.n_frames(), expected.n_frames(), "{signal}");
        for t in 0..actual.n_frames() {
            let (a, e) = (actual.frame(t), expected.frame(t));
            n += 1;
            if a[voiced] != e[2] {
                println!("{signal}, frame {t}: voiced {} is not {}", a[voiced], e[2]);
                continue;
            }
            n_agreed += 1;
            if e[2] == 1.0 {
                n_voiced += 1;
                for (a, e) in [(a[yin], e[0]), (a[pyin], e[1])] {
                    let off = (a / e - 1.0).abs();
                    assert!(off < 0.01, "{signal}, frame {t}: {a} Hz is not {e} Hz");
                }
            }
        }
    }
    println!("voicing agrees on {n_agreed} of {n} frames; {n_voiced} are voiced");
    assert!(n_agreed * 100 >= n * 97);
    assert!(n_voiced > 100);
}
