//! Bytes to analysis with the shipped model: good files are judged, bad ones
//! refused by name, and no samples whatever make it fall over.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use candle_core::{Device, Tensor};
use common::{VARIANTS, fixture, reference};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest};
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use undertone::analysis::speech::MAX_SPAN_S;
use undertone::analysis::{
    Analysis, AnalyzeError, Analyzer, Notice, Options, Utterance, analyze, analyze_stream,
};
use undertone::audio::{Clip, ClipReader, load};
use undertone::model::EmotionModel;
use undertone::model::artifact::Artifact;
use undertone::model::domains::{CENTRES, DIRECTIONS, N_DIRECTIONS};
use undertone::model::weights::{Precision, Weight};

fn model() -> EmotionModel {
    EmotionModel::load(include_bytes!("../public/model/lstm.safetensors")).expect("the model loads")
}

fn analyze_file(
    model: &EmotionModel,
    bytes: Vec<u8>,
    name: &str,
) -> Result<Analysis, AnalyzeError> {
    let reader = ClipReader::open(Box::new(Cursor::new(bytes)), name)?;
    analyze_stream(model, reader, Options::default(), |_, _| {
        ControlFlow::Continue(())
    })
}

/// What must be true of any answer.
fn check(analysis: &Analysis) {
    let sum: f32 = analysis.scores.as_array().iter().sum();
    assert!((sum - 1.0).abs() < 1e-4, "scores sum to {sum}");
    assert_eq!((analysis.label, analysis.confidence), analysis.scores.top());
    let mut end_s = 0.0;
    for utterance in &analysis.utterances {
        assert!(utterance.start_s >= end_s, "{:?}", analysis.utterances);
        assert!(utterance.start_s < utterance.end_s, "{utterance:?}");
        assert!(utterance.end_s - utterance.start_s <= MAX_SPAN_S);
        end_s = utterance.end_s;
        if let Some(verdict) = utterance.verdict {
            let top = (verdict.label, verdict.confidence);
            assert_eq!(top, verdict.scores.top());
        }
    }
    assert!(end_s <= analysis.duration_s, "{end_s}");
    let judged = || analysis.utterances.iter().filter(|u| u.verdict.is_some());
    assert!(judged().next().is_some());
    for window in &analysis.windows {
        assert!(window.start_s < window.end_s);
        let within = |u: &Utterance| u.start_s <= window.start_s && window.end_s <= u.end_s;
        assert!(judged().any(within), "{window:?}");
        let sum: f32 = window.scores.as_array().iter().sum();
        assert!((sum - 1.0).abs() < 1e-4);
    }
}

#[test]
fn long_silence_beside_speech_changes_nothing() {
    let model = model();
    let speech = reference("speech.wav");
    let judged = |before_s: f64, after_s: f64| {
        let silence = |seconds: f64| vec![0.0; (seconds * 16_000.0) as usize];
        let samples = [silence(before_s), speech.clone(), silence(after_s)].concat();
        analyze(&model, &Clip::new(samples), Options::default()).expect("is judged")
    };
    let (short, long) = (judged(1.5, 1.5), judged(1.5, 4.0));
    assert!((long.duration_s - short.duration_s - 2.5).abs() < 1e-9);
    assert_eq!(short.utterances, long.utterances);
    for (a, b) in short.scores.as_array().iter().zip(long.scores.as_array()) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn every_format_is_judged_alike() {
    let model = model();
    let default = EmotionModel::load(include_bytes!("../public/model/undertone.safetensors"))
        .expect("the model loads");
    let excerpt = Clip::new(reference("speech.wav")[4_800..24_000].to_vec());
    let expected = analyze(&model, &excerpt, Options::default()).expect("is judged");
    let by_default = analyze(&default, &excerpt, Options::default()).expect("is judged");
    check(&expected);
    for name in VARIANTS {
        let analysis = analyze_file(&model, fixture(name), name).expect(name);
        check(&analysis);
        assert!(analysis.notices.is_empty(), "{name}");
        // Where nothing of the voice is lost the judgement stays: the same scores but for
        // what another sampling rate rounds, and the same answer or none.
        if name.starts_with("s24-44100") || name.starts_with("s32") {
            let scores = analysis.scores.as_array().iter();
            for (a, b) in scores.zip(expected.scores.as_array()) {
                assert!((a - b).abs() < 0.06, "{name}: {a} {b}");
            }
            let answer = |a: &Analysis| a.sure.then_some(a.label);
            assert_eq!(answer(&analysis), answer(&expected), "{name}");
            // What the page asks by itself keeps to one emotion.
            let analysis = analyze_file(&default, fixture(name), name).expect(name);
            assert_eq!(analysis.label, by_default.label, "{name}");
        }
    }
}

#[test]
fn bad_files_are_refused_by_name() {
    let model = model();
    for bad in common::bad_files() {
        let error = analyze_file(&model, bad.bytes, bad.name).expect_err(bad.name);
        assert_eq!(error.kind(), bad.kind, "{}: {error}", bad.name);
    }
}

#[test]
fn what_is_far_from_all_that_was_trained_on_is_judged_with_a_notice() {
    let light = include_bytes!("../public/model/undertone-light.safetensors");
    let mut artifact = Artifact::from_bytes(light).expect("a model");
    artifact.header.calibration.caution = 0.7;
    let n_columns = artifact.header.normalizer.n_columns();
    let zeros = vec![0f32; N_DIRECTIONS * n_columns];
    let directions = Tensor::from_vec(zeros, (N_DIRECTIONS, n_columns), &Device::Cpu);
    let weights = &mut artifact.weights;
    weights.insert(DIRECTIONS.into(), directions.expect("a tensor"));
    // Everything lies at the only centre, then as many deviations from it.
    let clip = Clip::new(reference("speech.wav"));
    let [near, far] = [0f32, 2.0].map(|apart| {
        let centres = Tensor::new(&[apart; N_DIRECTIONS], &Device::Cpu).expect("a tensor");
        artifact.weights.insert(CENTRES.into(), centres);
        let model = EmotionModel::new(artifact.clone()).expect("fits");
        let analysis = analyze(&model, &clip, Options::default()).expect("is judged");
        check(&analysis);
        analysis
    });
    assert!(near.notices.is_empty(), "{:?}", near.notices);
    assert!(
        matches!(far.notices[..], [Notice::Unfamiliar]),
        "{:?}",
        far.notices
    );
    assert_eq!(far.label, near.label);
    assert!(far.confidence < near.confidence);
}

#[test]
fn a_file_cut_short_is_judged_with_a_notice() {
    let analysis = analyze_file(&model(), common::truncated(), "cut.wav").expect("is judged");
    check(&analysis);
    assert!(
        matches!(analysis.notices[..], [Notice::Truncated { .. }]),
        "{:?}",
        analysis.notices
    );
}

#[test]
fn pieces_and_the_whole_give_the_same() {
    let model = model();
    // Longer than one chunk.
    let speech = reference("speech.wav");
    let long: Vec<f32> = speech
        .iter()
        .cycle()
        .take(11 * 16_000 + 77)
        .copied()
        .collect();
    let whole = analyze(&model, &Clip::new(long.clone()), Options::default()).expect("is judged");
    check(&whole);
    for size in [160, 4_097, 50_000] {
        let mut analyzer = Analyzer::new(&model, Options::default());
        for piece in long.chunks(size) {
            analyzer.push(piece).expect("is taken");
        }
        assert_eq!(
            analyzer.finish().as_ref(),
            Ok(&whole),
            "in pieces of {size}"
        );
    }
}

#[test]
fn breaking_off_ends_it() {
    let bytes = fixture("s16-96000-1ch.flac");
    let reader = ClipReader::open(Box::new(Cursor::new(bytes)), "a.flac").expect("opens");
    let mut calls = 0;
    let result = analyze_stream(&model(), reader, Options::default(), |fraction, _| {
        assert!((0.0..=1.0).contains(&fraction));
        calls += 1;
        if calls == 2 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(result, Err(AnalyzeError::Cancelled));
}

/// Sound of all sorts: ordinary, clipped, far too loud, constant, sparse.
fn any_samples() -> impl Strategy<Value = Vec<f32>> {
    let length = 0..24_000usize;
    let seeded = |f: fn(usize, u32) -> f32| {
        (0..24_000usize, any::<u32>())
            .prop_map(move |(n, seed)| (0..n).map(|i| f(i, seed)).collect())
    };
    let noise = |i: usize, seed: u32| {
        let bits = (i as u32).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503);
        f32::from((bits >> 8) as i16) / 32_768.0
    };
    prop_oneof![
        seeded(noise),
        seeded(|i, seed| ((i as f32 * (seed % 997) as f32 * 1e-3).sin() * 20.0).clamp(-1.0, 1.0)),
        seeded(|i, seed| (i as f32 * 0.1).sin() * (seed as f32)),
        (length, -1.0f32..1.0).prop_map(|(n, dc)| vec![dc; n]),
        seeded(|i, seed| if i as u32 % 1_000 == seed % 1_000 {
            f32::MAX
        } else {
            0.0
        }),
        prop::collection::vec(any::<f32>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_it_fall_over(samples in any_samples()) {
        static MODEL: Mutex<Option<EmotionModel>> = Mutex::new(None);
        let mut slot = MODEL.lock().expect("no case has panicked");
        let model = slot.get_or_insert_with(model);
        let finite = samples.iter().all(|s| s.is_finite());
        match analyze(model, &Clip::new(samples.clone()), Options::default()) {
            Ok(analysis) => check(&analysis),
            Err(AnalyzeError::NotFinite) => prop_assert!(!finite),
            Err(AnalyzeError::NoSamples) => prop_assert!(samples.is_empty()),
            Err(AnalyzeError::TooShort { duration_s, minimum_s }) => prop_assert!(duration_s < minimum_s),
            Err(AnalyzeError::NoSpeech { .. }) => prop_assert!(samples.len() >= 8_000),
            Err(AnalyzeError::Silent { peak_db }) => prop_assert!(peak_db < -60.0),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn nor_do_bytes(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
        // Noise is hardly ever a sound file, but may look like the start of one.
        let _ = load(bytes, "noise.mp3");
    }
}

/// The front ends' products on 8-bit weights round their inputs; the same
/// weights in full do not.
#[test]
fn eight_bit_products_move_no_score_by_a_fiftieth() {
    let shipped: [&[u8]; 2] = [
        include_bytes!("../public/model/undertone.safetensors"),
        include_bytes!("../public/model/undertone-light.safetensors"),
    ];
    for bytes in shipped {
        let mut artifact = Artifact::from_bytes(bytes).expect("a model");
        let mut eight = EmotionModel::new(artifact.clone()).expect("a model");
        for front_end in &mut artifact.front_ends {
            let weights = front_end.iter().map(|(name, weight)| {
                let full = Weight::new(weight.shape(), &weight.to_f32(), Precision::Full);
                (name.clone(), full)
            });
            *front_end = Arc::new(weights.collect());
        }
        let mut full = EmotionModel::new(artifact).expect("a model");
        let voices = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/voices");
        let mut n_clips = 0;
        for entry in std::fs::read_dir(voices).expect("the fixtures") {
            let path = entry.expect("a file").path();
            if path.extension().is_none_or(|e| e != "flac") {
                continue;
            }
            let bytes = std::fs::read(&path).expect("a clip");
            let clip = load(bytes, "clip.flac").expect("a clip").clip;
            let scores = [&mut eight, &mut full].map(|model| {
                let frames = model.encode(clip.samples()).expect("frames");
                let n = frames.n_frames();
                *model
                    .predict(&frames, 0..n)
                    .expect("scores")
                    .scores
                    .as_array()
            });
            for (a, b) in scores[0].iter().zip(&scores[1]) {
                assert!((a - b).abs() < 0.02, "{}: {a} for {b}", path.display());
            }
            n_clips += 1;
        }
        assert_eq!(n_clips, 12);
    }
}
