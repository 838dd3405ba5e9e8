//! Noise reduction: the switch, the result that says so, and the cleaned sound.

use crate::browser::{Page, Setup, visit};
use crate::common::{self, fixture};
use crate::{check_result, native_with};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use undertone::analysis::Options;
use undertone::audio::load;

/// A voice in steady noise, and the noise alone for a second after it; 16 kHz.
fn noisy() -> Vec<f32> {
    let decoded = load(fixture("speech.wav"), "speech.wav").expect("decodes");
    let speech = decoded.clip.into_samples();
    let mut samples = [&speech[..], &speech, &speech, &[0.0; 16_000]].concat();
    let mut state = 1u32;
    for s in &mut samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *s += ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.02;
    }
    samples
}

/// Makes every player and every sound of the page visible to the test.
const SPY: &str = "window.sounds = new Map(); window.players = [];\
    const make = URL.createObjectURL.bind(URL), free = URL.revokeObjectURL.bind(URL);\
    URL.createObjectURL = blob => { const url = make(blob); sounds.set(url, blob); return url; };\
    URL.revokeObjectURL = url => { sounds.delete(url); free(url); };\
    const Real = window.Audio;\
    window.Audio = function () { const player = new Real(); players.push(player); return player; };";

/// What plays: its length and rate as its header says them, where it is, and
/// how loud its last half second is.
const LOOK: &str = "const [done] = arguments; const player = players.at(-1);\
    sounds.get(player.src).arrayBuffer().then(bytes => {\
        const view = new DataView(bytes);\
        const name = String.fromCharCode(...new Uint8Array(bytes, 0, 4));\
        const n = view.getUint32(40, true) / 2;\
        const end = new Int16Array(bytes, 44 + 2 * (n - 8000), 8000);\
        const power = end.reduce((sum, s) => sum + (s / 32768) ** 2, 0) / 8000;\
        done({ name, n, rate_hz: view.getUint32(24, true), n_bytes: bytes.byteLength,\
            rms: Math.sqrt(power), duration_s: player.duration, at_s: player.currentTime,\
            playing: !player.paused, n_sounds: sounds.size }); });";

impl Page {
    async fn look(&self) -> Value {
        self.run_async(LOOK).await
    }

    /// Looks until what plays is where it is expected.
    async fn look_until(&self, words: &str, expected: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let seen = self.look().await;
            if expected(&seen) {
                return seen;
            }
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "{words}: {seen}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn reduces_noise(&self) -> bool {
        let checked = "return document.querySelector('[data-testid=reduce-noise]').checked";
        self.run(checked, vec![]).await == json!(true)
    }
}

#[tokio::test]
#[ignore = "needs the built page: `make test-e2e`"]
async fn noise_is_reduced_where_asked_for_and_the_cleaned_sound_can_be_heard() {
    visit(Setup::default(), |page| async move {
        page.ready().await;
        page.run(SPY, vec![]).await;
        assert!(!page.reduces_noise().await, "it is off unless asked for");
        page.click("reduce-noise").await;
        let samples = noisy();
        let bytes = common::int_wav(&samples, 1, 16_000);
        page.drop_file("noisy.wav", &bytes).await;
        page.result_of("noisy.wav").await;
        check_result(&page).await;
        assert_eq!(page.attributes("result", "data-denoised").await, ["true"]);
        let text = page.all("result").await[0].text().await.expect("a text");
        assert!(text.contains("noise reduced"), "{text}");
        let expected = native_with(bytes, Options { denoise: true });
        let confidence = page.numbers("result-confidence", "data-value").await[0];
        assert!(
            (confidence - f64::from(expected.confidence)).abs() < 0.006,
            "{confidence}, natively {}",
            expected.confidence
        );

        // The other sound goes on where the first one is.
        let seek = "const seek = document.querySelector('[data-testid=seek]');\
            seek.value = 2; seek.dispatchEvent(new Event('input', { bubbles: true }));";
        page.run(seek, vec![]).await;
        page.click("play-button").await;
        let original = page
            .look_until("the original plays", |seen| {
                seen["playing"] == json!(true) && seen["at_s"].as_f64() > Some(2.0)
            })
            .await;
        page.click("version-cleaned").await;
        page.wait_for("versions", "data-state", &["cleaned"]).await;
        let cleaned = page
            .look_until("the cleaned sound plays on", |seen| {
                seen["playing"] == json!(true) && seen["at_s"].as_f64() > original["at_s"].as_f64()
            })
            .await;
        assert_eq!(cleaned["name"], "RIFF");
        assert_eq!(cleaned["rate_hz"], 16_000);
        assert_eq!(cleaned["n"], samples.len());
        assert_eq!(cleaned["n_bytes"], 44 + 2 * samples.len());
        assert_eq!(cleaned["n_sounds"], 1, "a sound that is gone holds memory");
        let duration_s = samples.len() as f64 / 16_000.0;
        let shown_s = cleaned["duration_s"].as_f64().expect("a length");
        assert!((shown_s - duration_s).abs() < 1e-3, "{shown_s} s");
        let rms = |seen: &Value| seen["rms"].as_f64().expect("a level");
        assert!(
            rms(&cleaned) < 0.2 * rms(&original),
            "{cleaned} of {original}"
        );
        page.click("play-button").await;
        page.look_until("it stops", |seen| seen["playing"] == json!(false))
            .await;
        page.click("version-original").await;
        page.wait_for("versions", "data-state", &["original"]).await;
        let back = page.look().await;
        assert_eq!(back["playing"], false);
        assert!((rms(&back) - rms(&original)).abs() < 1e-6);

        // Without it the same sound is heard anew.
        page.click("reduce-noise").await;
        page.wait_for("result", "data-denoised", &["false"]).await;
        page.result_of("noisy.wav").await;
        assert!(page.all("versions").await.is_empty());
        // The choice is remembered.
        page.click("reduce-noise").await;
        page.wait_for("result", "data-denoised", &["true"]).await;
        page.run("location.reload()", vec![]).await;
        page.ready().await;
        assert!(page.reduces_noise().await, "it is not remembered");
    })
    .await;
}
