//! Whatever the samples, the features are finite or the fault is named.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use undertone::analysis::VoiceProfile;
use undertone::features::{Extractor, FeatureConfig, FeatureError, FeatureMatrix, librosa};

fn all(samples: &[f32]) -> Result<Vec<FeatureMatrix>, FeatureError> {
    let streaming = Extractor::new(&FeatureConfig::all())?.extract(samples)?;
    Ok(vec![streaming, librosa::extract(samples)?])
}

#[test]
fn awkward_sounds_have_finite_features() {
    let voice = &common::reference("speech.wav")[8_000..16_000];
    let scaled = |gain: f32| voice.iter().map(|s| s * gain).collect::<Vec<f32>>();
    let alternating = |peak: f32| (0..8_000).map(move |i| if i % 2 == 0 { peak } else { -peak });
    let sounds: [(&str, Vec<f32>); 12] = [
        ("one sample", vec![0.5]),
        ("silence", vec![0.0; 8_000]),
        ("negative zero", vec![-0.0; 8_000]),
        ("DC", vec![1.0; 8_000]),
        ("huge DC", vec![f32::MAX; 8_000]),
        ("denormals", scaled(1e-42)),
        ("tiny", scaled(1e-20)),
        (
            "clipped",
            scaled(1e3).iter().map(|s| s.clamp(-1.0, 1.0)).collect(),
        ),
        ("loud", scaled(1e30)),
        ("the fastest", alternating(1.0).collect()),
        ("the fastest and largest", alternating(f32::MAX).collect()),
        ("a voice on DC", voice.iter().map(|s| s + 100.0).collect()),
    ];
    for (name, samples) in sounds {
        for features in all(&samples).expect("finite samples") {
            let fault = features.as_slice().iter().position(|v| !v.is_finite());
            assert_eq!(fault, None, "{name}");
        }
        let profile = VoiceProfile::of(&samples).expect("finite samples");
        let rows = profile.rows();
        let fault = rows.iter().find(|r| r.1.is_some_and(|v| !v.is_finite()));
        assert_eq!(fault, None, "{name}");
    }
}

#[test]
fn what_is_no_number_is_named() {
    for fault in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut samples = vec![0.1; 6_000];
        samples[4_321] = fault;
        let expected = FeatureError::NotFinite { index: 4_321 };
        assert_eq!(all(&samples), Err(expected.clone()));
        assert_eq!(VoiceProfile::of(&samples), Err(expected));
    }
}

#[test]
fn a_constant_beneath_a_voice_hardly_shows() {
    let voice = &common::reference("speech.wav")[8_000..24_000];
    let lifted: Vec<f32> = voice.iter().map(|s| s + 0.2).collect();
    let [a, b] = [voice, &lifted].map(|s| VoiceProfile::of(s).expect("finite"));
    for (without, with) in a.rows().iter().zip(b.rows()) {
        let values = without.1.zip(with.1);
        let off = values.map(|(x, y)| (x - y).abs() / x.abs().max(1.0));
        assert!(off.is_none_or(|off| off < 0.02), "{without:?}, {with:?}");
        assert_eq!(without.1.is_some(), with.1.is_some());
    }
}
