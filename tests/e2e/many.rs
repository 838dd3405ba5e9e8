//! Many recordings at once, and long ones.

use super::browser::{Page, Setup, visit};
use super::common;
use super::common::fixture;
use serde_json::json;
use std::time::{Duration, Instant};

impl Page {
    /// Drops several files at once.
    async fn drop_files(&self, files: &[(String, Vec<u8>)]) {
        let script = "const data = new DataTransfer();\
            for (const [name, bytes] of arguments[0])\
                data.items.add(new File([new Uint8Array(bytes)], name));\
            const zone = document.querySelector('[data-testid=drop-zone]');\
            for (const type of ['dragenter', 'dragover', 'drop'])\
                zone.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));";
        self.run(script, vec![json!(files)]).await;
    }

    async fn row_states(&self) -> Vec<String> {
        self.attributes("batch-row", "data-state").await
    }
}

/// Twelve files, of which the fifth is no sound.
fn twelve() -> Vec<(String, Vec<u8>)> {
    (1..=12)
        .map(|i| match i {
            5 => (format!("{i}.wav"), common::text()),
            _ => (format!("{i}.wav"), fixture("speech.wav")),
        })
        .collect()
}

/// The fixture again and again for so many seconds.
fn wave(seconds: usize) -> Vec<u8> {
    let once = common::reference("speech.wav");
    let samples: Vec<f32> = once
        .iter()
        .cycle()
        .take(seconds * 16_000)
        .copied()
        .collect();
    common::int_wav(&samples, 1, 16_000)
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn twelve_files_fill_a_table_and_a_bad_one_stops_none() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        page.drop_files(&twelve()).await;
        page.wait_for("batch", "data-state", &["running"]).await;
        assert_eq!(page.row_states().await.len(), 12);
        page.wait_for("batch", "data-state", &["done"]).await;
        let states = page.row_states().await;
        for (i, state) in states.iter().enumerate() {
            let expected = if i == 4 { "failed" } else { "done" };
            assert_eq!(state, expected, "row {i}");
        }
        assert_eq!(page.attributes("batch", "data-done").await, ["11"]);
        assert_eq!(page.all("batch-fault").await.len(), 1);
        // The model was fetched once, whoever works with it.
        let paths = page.site.paths();
        let fetched = paths.iter().filter(|p| p.ends_with(".safetensors"));
        assert_eq!(fetched.count(), 1, "{paths:?}");
        // One row opens its full result, and one comes back to where one was.
        page.click("batch-open").await;
        page.result_of("1.wav").await;
        page.click("batch-back").await;
        page.wait_until("batch", true).await;
        let focus = "return document.activeElement.dataset.testid";
        let started = Instant::now();
        while page.run(focus, vec![]).await != json!("batch-open") {
            assert!(started.elapsed() < Duration::from_secs(5), "focus is lost");
        }
        // By name, numbers by value, and back again.
        page.click("batch-sort").await;
        page.click("batch-sort").await;
        let names = page.attributes("batch-row", "data-file").await;
        assert_eq!((names[0].as_str(), names[11].as_str()), ("12.wav", "1.wav"));
        // A single file is shown by itself, and the table stays.
        page.drop_file("alone.wav", &fixture("speech.wav")).await;
        page.result_of("alone.wav").await;
        page.wait_until("batch-back", true).await;
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn many_can_be_held_taken_up_again_and_given_up() {
    // Long enough that they are still being judged when that is to be held.
    let folder = tempfile::tempdir().expect("a folder");
    let long = wave(30);
    let files = twelve().into_iter().map(|(name, bytes)| {
        let path = folder.path().join(name);
        let is_sound = bytes.starts_with(b"RIFF");
        std::fs::write(&path, if is_sound { &long } else { &bytes }).expect("is written");
        path
    });
    let files: Vec<_> = files.collect();
    visit(Setup::default(), |page| async move {
        page.ready().await;
        page.choose_all(&files).await;
        page.wait_for("batch-row", "data-state", &["done"]).await;
        page.click("batch-pause").await;
        page.wait_for("batch", "data-state", &["paused"]).await;
        // What was under way when it was pressed may still be told.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let held = page.row_states().await;
        assert!(held.contains(&"waiting".to_owned()), "{held:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(page.row_states().await, held);
        page.click("batch-pause").await;
        page.wait_for("batch", "data-state", &["running"]).await;
        page.click("batch-cancel").await;
        page.wait_for("batch", "data-state", &["done"]).await;
        let states = page.row_states().await;
        assert!(states.iter().any(|s| s == "stopped"), "{states:?}");
        page.click("batch-continue").await;
        page.wait_for("batch", "data-state", &["running"]).await;
        page.wait_for("batch", "data-done", &["11"]).await;
        page.wait_for("batch", "data-state", &["done"]).await;
        page.click("batch-close").await;
        page.wait_until("batch", false).await;
        page.drop_file("alone.wav", &fixture("speech.wav")).await;
        page.result_of("alone.wav").await;
        assert!(page.all("batch-back").await.is_empty());
    })
    .await;
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn ten_minutes_show_what_was_found_so_far_and_end_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ten-minutes.wav");
    std::fs::write(&path, wave(600)).expect("is written");
    visit(Setup::default(), move |page| async move {
        page.ready().await;
        page.choose(&path).await;
        page.wait_until("partial", true).await;
        let first = page.numbers("partial", "data-heard").await[0];
        assert!((1.0..600.0).contains(&first), "{first}");
        assert!(!page.all("timeline-segment").await.is_empty());
        let started = Instant::now();
        while page.numbers("partial", "data-heard").await.first() == Some(&first) {
            assert!(started.elapsed() < Duration::from_secs(60), "no more came");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // From the press to the page at rest, in the page's own time.
        let cancel = "const done = arguments[arguments.length - 1];\
            const app = document.querySelector('[data-testid=app]'), start = performance.now();\
            new MutationObserver((_, watch) => { if (app.dataset.phase === 'idle') {\
                watch.disconnect(); done(performance.now() - start); } })\
                .observe(app, { attributes: true });\
            document.querySelector('[data-testid=cancel-button]').click();";
        let took_ms = page.run_async(cancel).await;
        assert!(took_ms.as_f64().is_some_and(|ms| ms < 200.0), "{took_ms}");
        assert!(page.all("partial").await.is_empty());
        // The same worker goes on: nothing is loaded again.
        assert_eq!(
            page.attributes("engine-status", "data-state").await,
            ["ready"]
        );
        page.drop_file("speech.wav", &fixture("speech.wav")).await;
        page.result_of("speech.wav").await;
        let fetched = page.site.paths();
        let fetched = fetched.iter().filter(|p| p.ends_with(".safetensors"));
        assert_eq!(fetched.count(), 1);
        drop(folder);
    })
    .await;
}
