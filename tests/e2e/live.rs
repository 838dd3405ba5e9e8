//! The microphone: what is shown while it listens, and what is kept.

use crate::browser::{Page, Setup, visit};
use crate::common::{self, fixture};
use crate::{check_result, native};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use undertone::audio::load;

/// Counts what the page's thread hears over message ports (the audio thread's
/// is one) and from workers that start later; must run before the page records.
const SPY: &str = "window.heard = { audio: 0, arrays: 0, texts: 0 };\
    const count = data => {\
        if (ArrayBuffer.isView(data) || data instanceof ArrayBuffer) heard.audio++;\
        else if (Array.isArray(data) && data.some(d => ArrayBuffer.isView(d))) heard.audio++;\
        else if (Array.isArray(data)) heard.arrays++;\
        else heard.texts++; };\
    for (const kind of [MessagePort, Worker]) {\
        const { set, get } = Object.getOwnPropertyDescriptor(kind.prototype, 'onmessage');\
        Object.defineProperty(kind.prototype, 'onmessage', { get, set(ear) {\
            set.call(this, ear && (event => { count(event.data); ear(event); })); } });\
    }";

/// The page's own samples, one after another with pauses, as a file for the
/// fake microphone.
fn conversation(seconds: usize) -> tempfile::NamedTempFile {
    let voices = [
        "1052_TIE_HAP_XX",
        "1002_DFA_ANG_XX",
        "1020_WSI_SAD_XX",
        "1001_IOM_NEU_XX",
    ];
    let mut samples = Vec::new();
    for voice in voices.iter().cycle() {
        if samples.len() >= seconds * 16_000 {
            break;
        }
        let name = format!("{voice}.ogg");
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/public/samples");
        let bytes = std::fs::read(std::path::Path::new(path).join(&name)).expect("a sample");
        let decoded = load(bytes, &name).expect("is decoded");
        samples.extend(decoded.clip.into_samples());
        samples.extend([0.0; 8_000]);
    }
    samples.truncate(seconds * 16_000);
    let file = tempfile::Builder::new()
        .suffix(".wav")
        .tempfile()
        .expect("a file");
    std::fs::write(file.path(), common::int_wav(&samples, 1, 16_000)).expect("is written");
    file
}

async fn record(page: &Page) {
    page.click("record-button").await;
    page.wait_for("app", "data-phase", &["recording"]).await;
}

async fn at_s(page: &Page) -> f64 {
    page.numbers("live", "data-at")
        .await
        .first()
        .copied()
        .unwrap_or(0.0)
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_voice_is_followed_while_it_speaks_and_then_judged_as_a_file() {
    let voice = conversation(20);
    let setup = Setup {
        voice: voice.path().to_owned(),
        ..Setup::default()
    };
    visit(setup, |page| async move {
        page.run(SPY, vec![]).await;
        page.ready().await;
        record(&page).await;
        let started = Instant::now();
        let (mut seen, mut leaders, mut behind) = (Vec::new(), Vec::new(), Vec::new());
        while started.elapsed() < Duration::from_secs(14) {
            let scores = page.numbers("live-score", "data-value").await;
            assert_eq!(scores.len(), 8, "all eight are shown");
            let label = page.attributes("live-label", "data-emotion").await;
            if scores.iter().sum::<f64>() > 0.5 && seen.last() != Some(&scores) {
                assert!(
                    (scores.iter().sum::<f64>() - 1.0).abs() < 0.01,
                    "{scores:?}"
                );
                seen.push(scores);
                leaders.extend(label);
                behind.extend(page.numbers("live", "data-behind").await);
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        leaders.dedup();
        println!("{} answers seen; leading in turn: {leaders:?}", seen.len());
        assert!(seen.len() >= 14, "only {} answers were seen", seen.len());
        assert!(leaders.len() >= 2, "one leader throughout: {leaders:?}");
        behind.sort_by(f64::total_cmp);
        println!(
            "behind by {:.3} s in the middle, {:.3} s at most",
            behind[behind.len() / 2],
            behind[behind.len() - 1]
        );
        assert!(
            !page
                .attributes("live-stretch", "data-emotion")
                .await
                .is_empty()
        );
        let heard = page.run("return window.heard", vec![]).await;
        assert_eq!(heard["audio"], json!(0), "audio came to the page: {heard}");
        assert!(
            heard["arrays"].as_i64() > Some(100),
            "no levels came: {heard}"
        );
        page.click("record-button").await;
        page.wait_for("app", "data-phase", &["done"]).await;
        let heard = page.run("return window.heard", vec![]).await;
        assert_eq!(
            heard["audio"],
            json!(1),
            "the recording comes once: {heard}"
        );
        assert!(page.all("live").await.is_empty());
        check_result(&page).await;
        let end = page.numbers("timeline-segment", "data-end").await;
        assert!(end.last().is_some_and(|s| *s > 13.0), "{end:?}");
        drop(voice);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn an_engine_that_dies_loses_nothing_of_the_recording() {
    let voice = conversation(30);
    let setup = Setup {
        voice: voice.path().to_owned(),
        ..Setup::default()
    };
    visit(setup, |page| async move {
        // The page's next worker can be found again: one that comes after a
        // failure.
        page.site.break_files(Some(".safetensors"));
        page.run("location.reload()", vec![]).await;
        page.wait_for("engine-status", "data-state", &["failed"]).await;
        let spy = "window.engines = []; const Real = window.Worker;\
            window.Worker = function (...args) {\
                const worker = new Real(...args); window.engines.push(worker); return worker; };\
            window.Worker.prototype = Real.prototype;";
        page.run(spy, vec![]).await;
        page.site.break_files(None);
        page.click("engine-retry").await;
        page.ready().await;
        record(&page).await;
        let reach = async |s: f64| {
            let started = Instant::now();
            while at_s(&page).await < s {
                assert!(started.elapsed() < Duration::from_secs(60), "no answer at {s} s");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        reach(3.0).await;
        // A worker that is gone, and the event that says so.
        let kill = "for (const engine of window.engines.splice(0)) {\
            engine.terminate();\
            engine.dispatchEvent(new ErrorEvent('error', { message: 'killed', cancelable: true })); }";
        page.run(kill, vec![]).await;
        let killed_at_s = at_s(&page).await;
        page.wait_for("app", "data-phase", &["recording"]).await;
        // Another follows the voice on, in the recording's own time.
        reach(killed_at_s + 2.0).await;
        let started = page.run("return window.engines.length", vec![]).await;
        assert!(started.as_u64() >= Some(1), "no engine took its place");
        let spoken_s = at_s(&page).await;
        page.click("record-button").await;
        page.wait_for("app", "data-phase", &["done"]).await;
        check_result(&page).await;
        // The recording is as long as what was followed; it may end in a pause.
        let length_s = page.numbers("seek", "max").await;
        assert!(
            length_s.len() == 1 && length_s[0] >= spoken_s,
            "{length_s:?} ends before {spoken_s}"
        );
        drop(voice);
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn another_model_is_loaded_kept_and_a_missing_one_is_refused() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        let choose = "const m = document.querySelector('[data-testid=model]');\
            m.value = arguments[0]; m.dispatchEvent(new Event('change', { bubbles: true }));";
        let value = "return document.querySelector('[data-testid=model]').value";
        page.site.break_files(Some("lstm.safetensors"));
        page.run(choose, vec![json!("lstm")]).await;
        page.wait_for("model-words", "data-refused", &["lstm"])
            .await;
        page.ready().await;
        assert_eq!(page.run(value, vec![]).await, json!("undertone"));
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        let expected = native(fixture("speech.wav"));
        let confidence = page.numbers("result-confidence", "data-value").await[0];
        assert!((confidence - f64::from(expected.confidence)).abs() < 0.006);

        page.site.break_files(None);
        page.run(
            "document.querySelector('[data-testid=model]').focus()",
            vec![],
        )
        .await;
        page.run(choose, vec![json!("lstm")]).await;
        let stored = "return localStorage.getItem('undertone.model')";
        let started = Instant::now();
        while page.run(stored, vec![]).await != json!("lstm") {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "it is not kept"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        page.ready().await;
        // What is shown is judged anew by the model that is chosen, and who chose
        // it by the keyboard is still there.
        let started = Instant::now();
        let other = loop {
            let shown = page.numbers("result-confidence", "data-value").await;
            match shown.first() {
                Some(other) if (other - confidence).abs() > 1e-4 => break *other,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the model before still answers"
            );
        };
        let source = "return document.querySelector('.verdict__source').textContent";
        let source = page.run(source, vec![]).await;
        assert!(
            source.as_str().is_some_and(|s| s.ends_with("· LSTM")),
            "{source}"
        );
        let focused = "return document.activeElement.dataset.testid ?? null";
        while page.run(focused, vec![]).await != json!("model") {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "the focus is lost"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        page.run("location.reload()", vec![]).await;
        page.ready().await;
        assert_eq!(page.run(value, vec![]).await, json!("lstm"));
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        let again = page.numbers("result-confidence", "data-value").await[0];
        assert!((again - other).abs() < 1e-6, "{again} after {other}");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn a_microphone_is_chosen_and_one_that_gives_zeros_is_noticed() {
    let silence = tempfile::Builder::new()
        .suffix(".wav")
        .tempfile()
        .expect("a file");
    std::fs::write(silence.path(), common::int_wav(&[0.0; 160_000], 1, 16_000))
        .expect("is written");
    let setup = Setup {
        voice: silence.path().to_owned(),
        ..Setup::default()
    };
    visit(setup, |page| async move {
        page.ready().await;
        let spy = "window.wishes = [];\
            const media = navigator.mediaDevices, listen = media.getUserMedia.bind(media);\
            media.getUserMedia = wish => { window.wishes.push(wish); return listen(wish); };";
        page.run(spy, vec![]).await;
        record(&page).await;
        page.wait_for("live", "data-hearing", &["no-speech"]).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        page.click("record-button").await;
        page.wait_for("error", "data-kind", &["mic-silent"]).await;
        let ids = "const m = document.querySelector('[data-testid=microphone]');\
            return m ? [...m.options].map(o => o.value) : []";
        let ids: Vec<String> = serde_json::from_value(page.run(ids, vec![]).await).expect("ids");
        assert!(ids.len() > 1, "one microphone to choose from: {ids:?}");
        let choose = "const m = document.querySelector('[data-testid=microphone]');\
            m.value = arguments[0]; m.dispatchEvent(new Event('change', { bubbles: true }));";
        page.run(choose, vec![json!(ids[1])]).await;
        record(&page).await;
        let wished = "return window.wishes.at(-1).audio.deviceId.exact";
        assert_eq!(page.run(wished, vec![]).await, Value::from(ids[1].as_str()));
        page.click("record-button").await;
        page.wait_for("app", "data-phase", &["done", "failed"])
            .await;
        drop(silence);
    })
    .await;
}
