//! The engine gives the same answers natively and as WebAssembly.
//!
//! The native half writes what it found to the file that `UNDERTONE_PARITY`
//! names; the wasm half is compiled with that file inside and compares. `make
//! test-wasm` runs one right after the other, so the file is never stale.

use serde::{Deserialize, Serialize};
use undertone::analysis::{Options, analyze};
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
    let model = EmotionModel::load(MODEL).expect("the model loads");
    CLIPS
        .iter()
        .map(|(file, bytes)| {
            let clip = load(bytes.to_vec(), file).expect(file).clip;
            let features = extractor.extract(clip.samples()).expect(file);
            let analysis = analyze(&model, &clip, Options::default()).expect(file);
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

    /// The one clip whose samples are bit for bit the same on both sides. In
    /// the others decoders and resampler differ in the last bit, about 140 dB
    /// below full scale; the contrast of a band that the resampler has emptied
    /// makes decibels of that, and the scores feel it in their fourth place.
    const EXACT: &str = "speech.wav";

    /// Feature tolerance. A valley of the contrast may lie 100 dB below the
    /// frame's peak, where the last bits of two 32-bit transforms differ; see
    /// `features_golden.rs`.
    fn tolerance(column: &str) -> f32 {
        if column.starts_with("contrast") {
            2e-3
        } else {
            1e-4
        }
    }

    /// Notes the value that lies furthest, if further than `tolerance`,
    /// relative above one.
    fn compare(faults: &mut Vec<String>, what: &str, native: &[f32], wasm: &[f32], tolerance: f32) {
        assert_eq!(native.len(), wasm.len(), "{what}");
        let far = |n: f32, w: f32| (n - w).abs() / n.abs().max(1.0);
        let worst = native
            .iter()
            .zip(wasm)
            .enumerate()
            .max_by(|(_, a), (_, b)| far(*a.0, *a.1).total_cmp(&far(*b.0, *b.1)));
        if let Some((i, (n, w))) = worst
            && (far(*n, *w).is_nan() || far(*n, *w) > tolerance)
        {
            faults.push(format!("{what} {i}: natively {n}, in wasm {w}"));
        }
    }

    #[wasm_bindgen_test]
    fn equals_native() {
        let native: Vec<Outcome> = serde_json::from_str(NATIVE).expect("the native half's file");
        let wasm = outcomes();
        assert_eq!(native.len(), wasm.len());
        let mut faults = Vec::new();
        for (n, w) in native.iter().zip(&wasm) {
            let file = &n.file;
            assert_eq!((file, n.n_samples), (&w.file, w.n_samples));
            assert_eq!(n.windows.len(), w.windows.len(), "{file}");
            let mut check = |what: &str, native: &[f32], wasm: &[f32], tolerance: f32| {
                compare(
                    &mut faults,
                    &format!("{file}: {what}"),
                    native,
                    wasm,
                    tolerance,
                );
            };
            check("sample", &n.samples, &w.samples, 1e-4);
            let exact = file == EXACT;
            let score_tolerance = if exact { 1e-4 } else { 1e-3 };
            check("score", &n.scores, &w.scores, score_tolerance);
            for (a, b) in n.windows.iter().zip(&w.windows) {
                assert_eq!((a.0, a.1), (b.0, b.1), "{file}");
                let what = format!("window at {} s, score", a.0);
                check(&what, &a.2, &b.2, score_tolerance);
            }
            let columns = n.names.iter().enumerate().filter(|_| exact);
            for (column, name) in columns {
                let values = |o: &Outcome| -> Vec<f32> {
                    let from = o.features.iter().copied().skip(column);
                    from.step_by(o.names.len()).collect()
                };
                let what = format!("{name} of frame");
                check(&what, &values(n), &values(w), tolerance(name));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
