//! The engine gives the same answers natively and as WebAssembly.
//!
//! The native half writes what it found to the file that `UNDERTONE_PARITY`
//! names; the wasm half is compiled with that file inside and compares. `make
//! test-wasm` runs one right after the other, so the file is never stale.

use serde::{Deserialize, Serialize};
use undertone::analysis::analyze;
use undertone::audio::load;
use undertone::features::{Extractor, FeatureConfig};
use undertone::model::EmotionModel;

const MODEL: &[u8] = include_bytes!("../public/model/lstm.safetensors");

/// One clip that reaches the features untouched, and one of each codec.
const CLIPS: [(&str, &[u8]); 5] = [
    ("speech.wav", include_bytes!("data/speech.wav")),
    (
        "s16-96000-1ch.flac",
        include_bytes!("data/s16-96000-1ch.flac"),
    ),
    (
        "mpeg1-44100-2ch.mp3",
        include_bytes!("data/mpeg1-44100-2ch.mp3"),
    ),
    (
        "vorbis-48000-2ch.ogg",
        include_bytes!("data/vorbis-48000-2ch.ogg"),
    ),
    (
        "aac-44100-2ch.m4a",
        include_bytes!("data/aac-44100-2ch.m4a"),
    ),
];

/// Every seventh sample is compared: any fault shows in more than one.
const SAMPLE_STEP: usize = 7;

/// What the engine makes of one clip.
#[derive(Serialize, Deserialize)]
struct Outcome {
    file: String,
    n_samples: usize,
    samples: Vec<f32>,
    /// Names of the columns, and all frames' values.
    names: Vec<String>,
    features: Vec<f32>,
    scores: Vec<f32>,
    /// Start, end and scores of each window.
    windows: Vec<(f64, f64, Vec<f32>)>,
}

/// Decoding and features need no model, and are compared even without one.
fn outcomes() -> Vec<Outcome> {
    let config = FeatureConfig::all();
    let mut extractor = Extractor::new(&config).expect("a sensible configuration");
    let mut model = EmotionModel::load(MODEL).expect("the model loads");
    CLIPS
        .iter()
        .map(|(file, bytes)| {
            let clip = load(bytes.to_vec(), file).expect(file).clip;
            let features = extractor.extract(clip.samples()).expect(file);
            let analysis = analyze(&mut model, &clip).expect(file);
            Outcome {
                file: (*file).to_owned(),
                n_samples: clip.samples().len(),
                samples: clip
                    .samples()
                    .iter()
                    .copied()
                    .step_by(SAMPLE_STEP)
                    .collect(),
                names: config.names(),
                features: features.as_slice().to_vec(),
                scores: analysis.scores.as_array().to_vec(),
                windows: analysis
                    .windows
                    .iter()
                    .map(|w| (w.start_s, w.end_s, w.scores.as_array().to_vec()))
                    .collect(),
            }
        })
        .collect()
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn native_half() {
    let outcomes = outcomes();
    for outcome in &outcomes {
        assert!((outcome.scores.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(outcome.features.len() % outcome.names.len(), 0);
    }
    let text = serde_json::to_string(&outcomes).expect("numbers and lists serialise");
    if let Some(path) = std::env::var_os("UNDERTONE_PARITY") {
        // Left alone when nothing changed, or the wasm half would be rebuilt.
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            std::fs::write(&path, text).expect("the file is written");
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm_half {
    use super::{Outcome, outcomes};
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    wasm_bindgen_test_configure!(run_in_browser);

    const NATIVE: &str = include_str!(env!("UNDERTONE_PARITY", "run `make test-wasm`"));

    /// Fails where a value lies further than `tolerance`, relative above one.
    fn compare(what: &str, native: &[f32], wasm: &[f32], tolerance: f32) {
        assert_eq!(native.len(), wasm.len(), "{what}");
        let far = |n: &f32, w: &f32| (n - w).abs() / n.abs().max(1.0);
        let worst = native
            .iter()
            .zip(wasm)
            .enumerate()
            .max_by(|(_, a), (_, b)| far(a.0, a.1).total_cmp(&far(b.0, b.1)));
        if let Some((i, (n, w))) = worst {
            assert!(
                far(n, w) <= tolerance,
                "{what} {i}: natively {n}, in wasm {w}"
            );
        }
    }

    #[wasm_bindgen_test]
    fn equals_native() {
        let native: Vec<Outcome> = serde_json::from_str(NATIVE).expect("the native half's file");
        let wasm = outcomes();
        assert_eq!(native.len(), wasm.len());
        for (n, w) in native.iter().zip(&wasm) {
            let file = &n.file;
            assert_eq!((file, n.n_samples), (&w.file, w.n_samples));
            compare(&format!("{file}: sample"), &n.samples, &w.samples, 1e-4);
            compare(&format!("{file}: score"), &n.scores, &w.scores, 1e-4);
            assert_eq!(n.windows.len(), w.windows.len(), "{file}");
            for (a, b) in n.windows.iter().zip(&w.windows) {
                assert_eq!((a.0, a.1), (b.0, b.1), "{file}");
                compare(&format!("{file}: window at {}", a.0), &a.2, &b.2, 1e-4);
            }
            for (column, name) in n.names.iter().enumerate() {
                let values = |o: &Outcome| -> Vec<f32> {
                    o.features
                        .iter()
                        .copied()
                        .skip(column)
                        .step_by(o.names.len())
                        .collect()
                };
                compare(
                    &format!("{file}: {name} of frame"),
                    &values(n),
                    &values(w),
                    1e-4,
                );
            }
        }
    }
}
