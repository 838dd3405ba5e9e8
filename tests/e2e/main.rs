//! The built page in a real browser: `make test-e2e`.
//!
//! Every test also fails if the page asks anything of another origin, asks its
//! own for what is not there, or breaks its own content-security policy.
#![cfg(not(target_arch = "wasm32"))]

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod live;
mod many;
mod noise;
mod site;

use browser::{Microphone, Page, Setup, visit};
use common::fixture;
use serde_json::{Value, json};
use std::io::{Seek, Write};
use std::time::{Duration, Instant};
use undertone::analysis::{Analysis, Options, analyze};
use undertone::audio::load;
use undertone::emotion::Emotion;
use undertone::model::EmotionModel;

/// What the engine says of a recording when it runs natively.
fn native(bytes: Vec<u8>) -> Analysis {
    native_with(bytes, Options::default())
}

/// The same, heard in this way.
fn native_with(bytes: Vec<u8>, options: Options) -> Analysis {
    let weights = include_bytes!("../../public/model/undertone.safetensors");
    let model = EmotionModel::load(weights).expect("the model loads");
    let decoded = load(bytes, "speech.wav").expect("decodes");
    analyze(&model, &decoded.clip, options).expect("is analysed")
}

/// What must be true of any result on the page.
async fn check_result(page: &Page) {
    let emotions = page.attributes("score", "data-emotion").await;
    let values = page.numbers("score", "data-value").await;
    let mut known: Vec<&str> = Emotion::ALL.iter().map(|e| e.name()).collect();
    let mut shown: Vec<&str> = emotions.iter().map(String::as_str).collect();
    known.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, known);
    assert!(
        (values.iter().sum::<f64>() - 1.0).abs() < 0.01,
        "{values:?}"
    );
    let label = &page.attributes("result-label", "data-emotion").await[0];
    let highest = values
        .iter()
        .zip(&emotions)
        .max_by(|a, b| a.0.total_cmp(b.0));
    let (highest, emotion) = highest.expect("eight scores");
    assert_eq!(label, emotion);
    let confidence = page.numbers("result-confidence", "data-value").await[0];
    assert!(
        (confidence - highest).abs() < 0.01,
        "{confidence} and {highest}"
    );
    assert_eq!(page.all("waveform").await.len(), 1);
    let starts = page.numbers("timeline-segment", "data-start").await;
    let ends = page.numbers("timeline-segment", "data-end").await;
    assert!(!starts.is_empty(), "an empty timeline");
    for (end, next) in ends.iter().zip(&starts[1..]) {
        assert!(end <= next, "overlaps: {starts:?} {ends:?}");
    }
    assert!(
        starts.iter().zip(&ends).all(|(s, e)| s < e),
        "{starts:?} {ends:?}"
    );
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_dropped_file_is_judged_as_the_command_judges_it() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        check_result(&page).await;
        let expected = native(fixture("speech.wav"));
        let emotions = page.attributes("score", "data-emotion").await;
        let values = page.numbers("score", "data-value").await;
        for (emotion, value) in emotions.iter().zip(&values) {
            let index = Emotion::ALL.iter().position(|e| e.name() == emotion);
            let wanted = expected.scores.as_array()[index.expect("a known emotion")];
            assert!(
                (value - f64::from(wanted)).abs() < 0.006,
                "{emotion}: {value}, natively {wanted}"
            );
        }
        let end = page.numbers("timeline-segment", "data-end").await;
        let ends: Vec<f64> = expected.utterances.iter().map(|u| u.end_s).collect();
        assert_eq!(end.len(), ends.len());
        for (end, expected) in end.iter().zip(&ends) {
            assert!((end - expected).abs() < 0.02, "{end}, natively {expected}");
        }
        assert!(page.all("error").await.is_empty());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn chosen_files_of_every_kind_are_judged_below_a_path() {
    let setup = Setup {
        prefix: "/some/sub/",
        ..Setup::default()
    };
    visit(setup, |page| async move {
        page.ready().await;
        for name in [
            "s16-96000-1ch.flac",
            "mpeg1-44100-2ch.mp3",
            "vorbis-48000-2ch.ogg",
            "aac-44100-2ch.m4a",
            "s24-22050-1ch.wav",
        ] {
            page.choose(&common::data_dir().join(name)).await;
            page.result_of(name).await;
            check_result(&page).await;
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn bad_files_say_what_is_wrong_and_the_page_goes_on() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        for bad in common::bad_files() {
            page.drop_file(bad.name, &bad.bytes).await;
            page.wait_for("error", "data-kind", &[bad.kind]).await;
            page.wait_for("app", "data-phase", &["failed"]).await;
            let said = page.all("error").await[0].text().await.expect("a text");
            assert!(said.trim().len() > 20, "{}: {said:?}", bad.name);
            page.click("error-dismiss").await;
            page.wait_until("error", false).await;
        }
        page.drop_file("cut.wav", &common::truncated()).await;
        page.result_of("cut.wav").await;
        page.wait_for("notice", "data-kind", &["truncated"]).await;
        page.drop_file("seven.wav", &common::seven_channels()).await;
        page.result_of("seven.wav").await;
        check_result(&page).await;
        // A bad file takes nothing away from the result before it.
        page.drop_file("text.wav", &common::text()).await;
        page.wait_for("error", "data-kind", &["not-audio"]).await;
        assert_eq!(page.attributes("result", "data-file").await, ["seven.wav"]);
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        assert!(page.all("error").await.is_empty());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_spoken_recording_is_judged_and_the_microphone_let_go() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        let spy = "window.streams = [];\
            const media = navigator.mediaDevices, listen = media.getUserMedia.bind(media);\
            media.getUserMedia = async wish => {\
                const stream = await listen(wish); window.streams.push(stream); return stream; };";
        page.run(spy, vec![]).await;
        page.click("record-button").await;
        page.wait_for("record-button", "aria-pressed", &["true"])
            .await;
        page.wait_for("app", "data-phase", &["recording"]).await;
        let started = Instant::now();
        let mut loudest = f64::NEG_INFINITY;
        while started.elapsed() < Duration::from_millis(3_500) {
            let levels = page.numbers("level-meter", "aria-valuenow").await;
            loudest = levels.into_iter().fold(loudest, f64::max);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(
            (-40.0..=0.0).contains(&loudest),
            "the meter rose to {loudest} dBFS"
        );
        page.click("record-button").await;
        page.wait_for("app", "data-phase", &["done"]).await;
        check_result(&page).await;
        // The fake microphone speaks for 2.3 s and then is still.
        let end = page.numbers("timeline-segment", "data-end").await;
        assert!(
            end.last().is_some_and(|s| (1.5..4.0).contains(s)),
            "{end:?}"
        );
        let duration = page.numbers("seek", "max").await[0];
        assert!((3.0..6.0).contains(&duration), "{duration} s were kept");
        let tracks = "return window.streams.map(s => s.getTracks().map(t => t.readyState))";
        assert_eq!(page.run(tracks, vec![]).await, json!([["ended"]]));
        assert_eq!(
            page.attributes("record-button", "aria-pressed").await,
            ["false"]
        );
        assert!(page.all("level-meter").await.is_empty());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_denied_microphone_is_said_and_files_still_work() {
    let setup = Setup {
        microphone: Microphone::Denied,
        ..Setup::default()
    };
    visit(setup, |page| async move {
        page.ready().await;
        page.click("record-button").await;
        page.wait_for("error", "data-kind", &["mic-denied"]).await;
        assert_eq!(
            page.attributes("record-button", "aria-pressed").await,
            ["false"]
        );
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_missing_microphone_is_said() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        // No flag takes the fake microphone away again; this is what a browser
        // without one answers.
        let unplug = "navigator.mediaDevices.getUserMedia = () =>\
            Promise.reject(new DOMException('Requested device not found', 'NotFoundError'));";
        page.run(unplug, vec![]).await;
        page.click("record-button").await;
        page.wait_for("error", "data-kind", &["mic-missing"]).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn an_engine_that_does_not_load_can_be_started_again() {
    visit(Setup::default(), |page| async move {
        page.site.break_files(Some(".safetensors"));
        page.run("location.reload()", vec![]).await;
        page.wait_for("engine-status", "data-state", &["failed"])
            .await;
        page.site.break_files(None);
        page.click("engine-retry").await;
        page.ready().await;
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn the_engine_is_the_one_for_this_browser_and_the_other_says_the_same() {
    visit(Setup::default(), |page| async move {
        let asked = |page: &Page, name: &str| page.site.paths().iter().any(|p| p.ends_with(name));
        page.ready().await;
        assert!(asked(&page, "/worker-relaxed_bg.wasm"));
        assert!(!asked(&page, "/worker_bg.wasm"));
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        let fused = page.numbers("score", "data-value").await;
        page.site.break_files(Some("/worker-relaxed.js"));
        page.run("location.reload()", vec![]).await;
        page.ready().await;
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        assert!(asked(&page, "/worker_bg.wasm"));
        let plain = page.numbers("score", "data-value").await;
        assert_eq!(fused.len(), 8);
        for (a, b) in fused.iter().zip(&plain) {
            assert!((a - b).abs() < 1e-3, "{fused:?} {plain:?}");
        }
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn decoders_come_with_the_first_file_and_are_asked_for_again_if_they_do_not() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        let asked = |page: &Page| page.site.paths().iter().any(|p| p.contains("decoder"));
        assert!(!asked(&page), "{:?}", page.site.paths());
        page.site.break_files(Some("/decoder.js"));
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.wait_for("error", "data-kind", &["no-decoder"]).await;
        page.site.break_files(None);
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn decoders_that_break_down_are_replaced_for_the_next_file() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        page.site.replace_files(
            "/decoder.js",
            "export default async () => {};\
             export class Decoder { static open() { throw new WebAssembly.RuntimeError(); } }",
        );
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.wait_for("error", "data-kind", &["damaged"]).await;
        page.site.break_files(None);
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn two_gigabytes_can_be_broken_off_and_never_freeze_the_page() {
    // A header and a great deal of silence, stored as a hole: so much that it
    // is still under way after some seconds.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.wav");
    let n_bytes = 2_000_000_000u32;
    let mut header = common::int_wav(&[], 1, 16_000);
    let at = header.len();
    header[4..8].copy_from_slice(&(n_bytes + at as u32 - 8).to_le_bytes());
    header[at - 4..].copy_from_slice(&n_bytes.to_le_bytes());
    let mut file = std::fs::File::create(&path).expect("a file");
    file.write_all(&header).expect("is written");
    file.set_len(u64::from(n_bytes) + at as u64).expect("grows");
    file.rewind().expect("rewinds");
    visit(Setup::default(), move |page| async move {
        page.ready().await;
        // The longest time between two ticks of 20 ms is how long it stood still.
        let watch = "window.longest = 0; let last = performance.now();\
            setInterval(() => { const now = performance.now();\
                window.longest = Math.max(window.longest, now - last); last = now; }, 20);";
        page.run(watch, vec![]).await;
        page.choose(&path).await;
        page.wait_for("app", "data-phase", &["analyzing"]).await;
        page.wait_until("progress", true).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let progress = page.numbers("progress", "data-value").await;
        assert!(
            progress.iter().all(|p| (0.0..1.0).contains(p)),
            "{progress:?}"
        );
        page.click("cancel-button").await;
        page.wait_for("app", "data-phase", &["idle", "done"]).await;
        let longest = page.run("return window.longest", vec![]).await;
        let longest = longest.as_f64().expect("milliseconds");
        assert!(
            longest < 1_000.0,
            "the page stood still for {longest:.0} ms"
        );
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        drop(folder);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_sample_is_one_click_away_and_the_keyboard_suffices() {
    let setup = Setup {
        window: (360, 740),
        ..Setup::default()
    };
    visit(setup, |page| async move {
        page.ready().await;
        let samples = page.attributes("sample", "data-sample").await;
        assert!(!samples.is_empty(), "no samples");
        page.click("sample").await;
        page.wait_for("app", "data-phase", &["done"]).await;
        check_result(&page).await;
        let overflow =
            "return document.scrollingElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(
            page.run(overflow, vec![]).await,
            json!(0),
            "wider than the window"
        );
        let focusable = "const e = document.querySelector(`[data-testid=${arguments[0]}]`);\
            e.focus(); return document.activeElement === e";
        for id in [
            "record-button",
            "drop-zone",
            "sample",
            "seek",
            "play-button",
            "download-json",
        ] {
            let focused = page.run(focusable, vec![json!(id)]).await;
            assert_eq!(focused, Value::Bool(true), "{id} cannot be focused");
        }
    })
    .await;
}
