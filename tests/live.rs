//! Live against the file's analysis, and what it costs.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::time::Instant;
use undertone::analysis::live::{Hearing, Live, Moment, STEP_S, WINDOW_S};
use undertone::audio::load;
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

/// The fixture voices, one after another.
fn voices() -> Vec<(String, Vec<f32>)> {
    let folder = common::data_dir().join("voices");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".flac"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let bytes = common::fixture(&format!("voices/{name}"));
            let decoded = load(bytes, &name).expect("is decoded");
            (name, decoded.clip.into_samples())
        })
        .collect()
}

fn follow(model: &EmotionModel, samples: &[f32]) -> Vec<Moment> {
    let mut live = Live::new(model, 0.0).expect("starts");
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

/// A file's answer for the window that ends here: it encodes up to 8 s at once
/// and judges frames of it.
fn as_file(model: &mut EmotionModel, samples: &[f32], end: usize) -> Scores {
    let hop = model.frame_hop_samples();
    let frames = model.encode(samples).expect("encodes");
    let last = end.div_ceil(hop).min(frames.n_frames());
    let first = end.saturating_sub((WINDOW_S * RATE_HZ) as usize) / hop;
    model.predict(&frames, first..last).expect("answers")
}

/// Live does not know what comes, and so hears a level that moves where the
/// file has one for all. What is promised: over the fixture voices the scores of
/// a moment and of the file's window that ends there lie within .15 of each
/// other on average (half the sum of differences), and four times in five they
/// lead with the same emotion.
#[test]
fn live_agrees_with_the_file_within_the_stated_tolerance() {
    for name in shipped::NAMES {
        let mut model = model(name);
        let (mut distances, mut same) = (Vec::new(), 0);
        for (_, samples) in voices() {
            let samples = &samples[..samples.len().min(128_000)];
            for moment in follow(&model, samples) {
                let Some(answer) = moment.answer else {
                    continue;
                };
                let file = as_file(&mut model, samples, (moment.at_s * RATE_HZ) as usize);
                distances.push(distance(&answer.scores, &file));
                same += usize::from(file.top().0 == answer.scores.top().0);
            }
        }
        let n = distances.len();
        let mean = distances.iter().sum::<f32>() / n as f32;
        let share = same as f32 / n as f32;
        println!("{name}: {n} moments, mean distance {mean:.3}, same leader {share:.3}");
        assert!(n > 50, "{name}: only {n} moments");
        assert!(mean < 0.15, "{name}: {mean} apart");
        assert!(share > 0.8, "{name}: {share} lead with the same");
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
    let mut speech: Vec<f32> = voices().into_iter().flat_map(|(_, s)| s).collect();
    speech.truncate(30 * 16_000);
    let duration_s = speech.len() as f64 / RATE_HZ;
    for name in shipped::NAMES {
        let model = model(name);
        let mut live = Live::new(&model, 1.0).expect("starts");
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
