//! Live against the file's analysis, and what it costs.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::time::Instant;
use undertone::analysis::live::{Hearing, Live, Moment, STEP_S, WINDOW_S};
use undertone::analysis::{Options, analyze};
use undertone::audio::{Clip, load};
use undertone::emotion::Scores;
use undertone::model::{EmotionModel, shipped};

const RATE_HZ: f64 = 16_000.0;

fn model(name: &str) -> EmotionModel {
    let path = format!(
        "{}/public/{}",
        env!("CARGO_MANIFEST_DIR"),
        shipped::file(name)
    );
    EmotionModel::load(&std::fs::read(path).expect("it is shipped")).expect("it loads")
}

/// Voices that are long enough to be followed.
fn voices() -> Vec<Vec<f32>> {
    let mut paths = vec![common::data_dir().join("speech.wav")];
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/public/samples");
    let samples = std::fs::read_dir(samples).expect("the samples are there");
    paths.extend(samples.filter_map(|entry| Some(entry.ok()?.path())));
    paths.retain(|path| path.extension().is_some_and(|e| e == "wav" || e == "ogg"));
    paths.sort();
    let voices = paths.into_iter().map(|path| {
        let bytes = std::fs::read(&path).expect("it is readable");
        let decoded = load(bytes, &path.to_string_lossy()).expect("is decoded");
        decoded.clip.into_samples()
    });
    voices.collect()
}

fn follow(model: &EmotionModel, samples: &[f32]) -> Vec<Moment> {
    let mut live = Live::new(model, Options::default(), 0.0).expect("starts");
    let steps = samples.chunks_exact((STEP_S * RATE_HZ) as usize);
    steps
        .map(|step| {
            assert!(live.push(step).expect("follows"), "a step is a step");
            live.ask().expect("answers")
        })
        .collect()
}

/// Half the sum of differences: `0..=1`.
fn distance(a: &Scores, b: &Scores) -> f32 {
    let pairs = a.as_array().iter().zip(b.as_array());
    pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / 2.0
}

/// Live does not know what comes: the speaker encoder's level moves where a file
/// has one for all, and Whisper hears the window alone. What is promised of the
/// sample voices: an utterance's last answer and the file's for the window that
/// ends there lie within .2 of each other on average (half the sum of
/// differences), and most lead with
/// the same emotion.
#[test]
fn live_agrees_with_the_file_within_the_stated_tolerance() {
    for name in shipped::NAMES {
        let mut model = model(name);
        let hop = model.frame_hop_samples();
        let (mut distances, mut n_same) = (Vec::new(), 0);
        for samples in voices() {
            let file = analyze(&model, &Clip::new(samples.clone()), Options::default());
            let utterance = file.expect("is analysed").utterances.remove(0);
            let frames = model.encode(&samples).expect("encodes");
            let mut moments = follow(&model, &samples).into_iter();
            let last = moments
                .rfind(|m| m.at_s <= utterance.end_s && m.answer.is_some())
                .expect("a voice is heard");
            let start_s = (last.at_s - WINDOW_S).max(utterance.start_s);
            let frame_at = |s: f64| (s * RATE_HZ) as usize / hop;
            let range = frame_at(start_s)..frame_at(last.at_s).min(frames.n_frames());
            let as_file = model.predict(&frames, range).expect("answers").scores;
            let live = last.answer.expect("it was looked for").scores;
            distances.push(distance(&live, &as_file));
            n_same += usize::from(live.top().0 == as_file.top().0);
        }
        let n = distances.len();
        let mean = distances.iter().sum::<f32>() / n as f32;
        println!("{name}: {mean:.3} apart, {n_same} of {n} lead with the same");
        assert!(n >= 5, "{name}: only {n} voices");
        assert!(mean < 0.2, "{name}: {mean} apart");
        assert!(2 * n_same > n, "{name}: {n_same} of {n}");
    }
}

#[test]
fn silence_is_no_speech() {
    let moments = follow(&model("lstm"), &[0.0; 48_000]);
    assert_eq!(moments.len(), 12);
    assert!(
        moments
            .iter()
            .all(|m| m.hearing == Hearing::NoSpeech && m.answer.is_none())
    );
}

/// `cargo test --release --test live -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn what_live_costs() {
    let mut speech: Vec<f32> = voices().into_iter().flatten().collect();
    speech.truncate(30 * 16_000);
    let duration_s = speech.len() as f64 / RATE_HZ;
    for name in shipped::NAMES {
        let model = model(name);
        let mut live = Live::new(&model, Options::default(), 1.0).expect("starts");
        let (mut push_s, mut ask_s, mut worst_s) = (0.0, 0.0, 0.0f64);
        for step in speech.chunks_exact((STEP_S * RATE_HZ) as usize) {
            let start = Instant::now();
            live.push(step).expect("follows");
            let pushed_s = start.elapsed().as_secs_f64();
            live.ask().expect("answers");
            let all_s = start.elapsed().as_secs_f64();
            push_s += pushed_s;
            ask_s += all_s - pushed_s;
            worst_s = worst_s.max(all_s);
        }
        println!(
            "{name}: {:.1} % of a core to follow, {:.1} % to ask, {:.0} ms at most",
            100.0 * push_s / duration_s,
            100.0 * ask_s / duration_s,
            1_000.0 * worst_s
        );
    }
}
