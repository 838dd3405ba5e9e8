//! The voice profile's pitch is Praat's: `tests/golden/praat/make.py` wrote
//! what Praat makes of fourteen recordings.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use undertone::analysis::VoiceProfile;
use undertone::audio;

#[test]
fn pitch_is_praat_s() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/praat/golden.json")).expect("JSON");
    let recordings = golden["recordings"].as_object().expect("recordings");
    assert_eq!(recordings.len(), 14);
    for (name, expected) in recordings {
        let at = if name.ends_with(".flac") {
            format!("voices/{name}")
        } else {
            name.clone()
        };
        let decoded = audio::load(common::fixture(&at), name).expect("a recording");
        let profile = VoiceProfile::of(decoded.clip.samples()).expect("finite");
        let pairs = [
            ("median_hz", profile.pitch_median_hz),
            ("low_hz", profile.pitch_low_hz),
            ("high_hz", profile.pitch_high_hz),
        ];
        for (what, actual) in pairs {
            let expected = expected[what].as_f64().expect("a number");
            let off = f64::from(actual.expect("voiced")) / expected - 1.0;
            println!("{name}: {what} {:.3} % off", 100.0 * off);
            assert!(
                off.abs() < 0.01,
                "{name}: {what} {actual:?}, not {expected}"
            );
        }
    }
}
