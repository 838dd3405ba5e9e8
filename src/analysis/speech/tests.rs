//! Voices are heard, whatever else sounds is not.

use super::*;
use crate::audio::{SAMPLE_RATE_HZ, load};
use proptest::prelude::*;
use std::f32::consts::TAU;
use std::path::Path;

fn fixtures() -> Vec<(String, Vec<f32>)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let voices = std::fs::read_dir(data.join("voices")).expect("a folder");
    let mut paths: Vec<_> = voices.map(|entry| entry.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "flac"));
    paths.push(data.join("speech.wav"));
    paths
        .into_iter()
        .map(|path| {
            let name = path.to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).expect("is read");
            let clip = load(bytes, &name).expect("decodes").clip;
            (name, clip.into_samples())
        })
        .collect()
}

fn samples_in(seconds: f32) -> usize {
    (seconds * SAMPLE_RATE_HZ as f32) as usize
}

fn signal(seconds: f32, f: impl FnMut(f32) -> f32) -> Vec<f32> {
    let times = (0..samples_in(seconds)).map(|i| i as f32 / SAMPLE_RATE_HZ as f32);
    times.map(f).collect()
}

/// White noise, −1..1, the same every time.
fn white(seconds: f32) -> Vec<f32> {
    let mut state = 12_345u32;
    signal(seconds, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    })
}

/// White noise through a pole: 0 leaves it, near 1 it is brown.
fn coloured(seconds: f32, pole: f32) -> Vec<f32> {
    let mut low = 0.0;
    let gain = (1.0 - pole * pole).sqrt();
    let white = white(seconds);
    white
        .iter()
        .map(|w| {
            low = pole * low + gain * w;
            low
        })
        .collect()
}

/// An instrument: the level of each harmonic, and how a note rises and fades.
struct Instrument {
    harmonics: &'static [f32],
    attack_s: f32,
    fade_per_s: f32,
    vibrato: f32,
}

const ORGAN: Instrument = Instrument {
    harmonics: &[1.0, 0.7, 0.5, 0.4, 0.0, 0.25, 0.0, 0.2],
    attack_s: 0.02,
    fade_per_s: 0.0,
    vibrato: 0.0,
};
const PIANO: Instrument = Instrument {
    harmonics: &[1.0, 0.5, 0.33, 0.2, 0.15, 0.1, 0.08, 0.05],
    attack_s: 0.004,
    fade_per_s: 3.0,
    vibrato: 0.0,
};
const STRINGS: Instrument = Instrument {
    harmonics: &[1.0, 0.5, 0.33, 0.25, 0.2, 0.17, 0.14, 0.12, 0.11, 0.1],
    attack_s: 0.15,
    fade_per_s: 0.2,
    vibrato: 0.004,
};

/// Plays `notes` (semitones from A3, each chord `beat_s` long).
fn music(instrument: &Instrument, chords: &[&[f32]], beat_s: f32) -> Vec<f32> {
    let chord = |notes: &&[f32]| {
        signal(beat_s, |t| {
            let envelope = (t / instrument.attack_s).min(1.0) * (-instrument.fade_per_s * t).exp();
            let note = |semitones: &f32| {
                let hz = 220.0 * (semitones / 12.0).exp2();
                // Vibrato of 5.5 Hz, as a phase.
                let wobble = instrument.vibrato * hz / 5.5 * (TAU * 5.5 * t).sin();
                let partials = instrument.harmonics.iter().zip(1..);
                partials
                    .filter(|(_, k)| hz * (*k as f32) < 7_800.0)
                    .map(|(a, k)| a * (TAU * k as f32 * hz * t + k as f32 * wobble).sin())
                    .sum::<f32>()
            };
            0.08 * envelope * notes.iter().map(note).sum::<f32>()
        })
    };
    chords.iter().flat_map(chord).collect()
}

fn drums() -> Vec<f32> {
    let noise = white(6.0);
    let mut at = 0;
    signal(6.0, |t| {
        let (beat, since) = ((t / 0.25) as usize, t % 0.25);
        let hiss = noise[at];
        at += 1;
        let kick = (TAU * (50.0 * since + 2.0 * (1.0 - (-30.0 * since).exp()))).sin();
        match beat % 4 {
            0 => 0.6 * kick * (-12.0 * since).exp() + 0.1 * hiss * (-60.0 * since).exp(),
            2 => 0.4 * hiss * (-18.0 * since).exp(),
            _ => 0.15 * hiss * (-60.0 * since).exp(),
        }
    })
}

fn other_sounds() -> Vec<(&'static str, Vec<f32>)> {
    let scaled = |samples: Vec<f32>, gain: f32| samples.iter().map(|s| gain * s).collect();
    let chords: [&[f32]; 4] = [
        &[0.0, 4.0, 7.0],
        &[5.0, 9.0, 12.0],
        &[7.0, 11.0, 14.0],
        &[0.0, 4.0, 7.0, 12.0],
    ];
    let melody: [&[f32]; 12] = [
        &[0.0],
        &[2.0],
        &[4.0],
        &[5.0],
        &[7.0],
        &[4.0],
        &[0.0],
        &[7.0],
        &[5.0],
        &[4.0],
        &[2.0],
        &[0.0],
    ];
    vec![
        ("silence", vec![0.0; samples_in(4.0)]),
        ("a constant", vec![0.3; samples_in(4.0)]),
        ("white noise", scaled(white(5.0), 0.1)),
        ("loud white noise", white(5.0)),
        ("a quiet room", scaled(coloured(6.0, 0.9), 1e-3)),
        ("pinkish noise", scaled(coloured(5.0, 0.9), 0.2)),
        ("brown noise", scaled(coloured(5.0, 0.995), 0.3)),
        (
            "hum",
            signal(5.0, |t| {
                (1..12)
                    .map(|k| (TAU * 50.0 * k as f32 * t).sin() / k as f32)
                    .sum::<f32>()
                    * 0.1
            }),
        ),
        (
            "clicks",
            signal(5.0, |t| if t % 0.37 < 1e-3 { 0.8 } else { 0.0 }),
        ),
        ("a tone", signal(4.0, |t| 0.3 * (TAU * 440.0 * t).sin())),
        ("a low tone", signal(4.0, |t| 0.3 * (TAU * 150.0 * t).sin())),
        (
            "a sweep",
            signal(5.0, |t| {
                0.3 * (TAU * 80.0 * 2.0 * ((t / 2.0).exp2() - 1.0) / std::f32::consts::LN_2).sin()
            }),
        ),
        (
            "beeps",
            signal(5.0, |t| {
                let on = if t % 0.5 < 0.2 { 0.3 } else { 0.0 };
                on * (TAU * 1_000.0 * t).sin()
            }),
        ),
        ("organ chords", music(&ORGAN, &chords, 1.5)),
        ("piano chords", music(&PIANO, &chords, 1.0)),
        ("string chords", music(&STRINGS, &chords, 1.5)),
        ("an organ melody", music(&ORGAN, &melody, 0.4)),
        ("a piano melody", music(&PIANO, &melody, 0.4)),
        ("a string melody", music(&STRINGS, &melody, 0.5)),
        ("drums", drums()),
    ]
}

#[test]
fn every_voice_is_heard_loud_and_soft() {
    for (name, samples) in fixtures() {
        for gain in [1.0, 0.03] {
            let samples: Vec<f32> = samples.iter().map(|s| gain * s).collect();
            let longest = stretches(&samples).iter().map(Range::len).max();
            assert!(
                longest.is_some_and(|n| n >= samples_in(0.5)),
                "{name} times {gain}: {longest:?}"
            );
        }
    }
}

#[test]
fn nothing_else_is_taken_for_a_voice() {
    for (name, samples) in other_sounds() {
        let spans = stretches(&samples);
        assert!(spans.is_empty(), "{name}: {spans:?}");
    }
}

/// A sentence without the silence around it.
fn sentence() -> Vec<f32> {
    let (_, samples) = fixtures().pop().expect("a fixture");
    let spans = stretches(&samples);
    samples[spans[0].clone()].to_vec()
}

#[test]
fn a_pause_parts_and_a_stop_does_not() {
    let sentence = sentence();
    let with_gap = |seconds: f32| {
        let gap = vec![0.0; samples_in(seconds)];
        [&sentence[..], &gap, &sentence].concat()
    };
    // The sentence brings up to 0.14 s of padding on either side.
    assert_eq!(stretches(&with_gap(0.8)).len(), 2);
    let end = sentence.len() - samples_in(0.14);
    let joined = [&sentence[..end], &sentence[samples_in(0.14)..]].concat();
    assert_eq!(stretches(&joined).len(), stretches(&sentence).len());
}

#[test]
fn talk_without_a_pause_is_cut_and_nothing_is_lost() {
    let sentence = sentence();
    let n = samples_in(40.0);
    let talk: Vec<f32> = sentence.iter().cycle().take(n).copied().collect();
    let spans = stretches(&talk);
    assert!(spans.len() >= 5, "{spans:?}");
    let spoken: usize = spans.iter().map(Range::len).sum();
    assert!(spoken > n * 9 / 10, "{spoken} of {n}: {spans:?}");
    assert!(spans.iter().all(|s| s.len() <= samples_in(8.0)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_partition_gives_the_same_stretches_in_order(
        order in prop::collection::vec((0..4usize, 0.1f32..1.5), 1..7),
        sizes in prop::collection::vec(1..9_000usize, 1..9),
    ) {
        let sentence = sentence();
        let mut samples = Vec::new();
        for (kind, seconds) in order {
            match kind {
                0 => samples.extend(vec![0.0; samples_in(seconds)]),
                1 => samples.extend(white(seconds).iter().map(|w| 0.01 * w)),
                _ => samples.extend(&sentence),
            }
        }
        let whole = stretches(&samples);
        let mut end = 0;
        for span in &whole {
            prop_assert!(span.start >= end && span.start < span.end, "{whole:?}");
            prop_assert!(span.len() <= samples_in(8.0));
            end = span.end;
        }
        prop_assert!(end <= samples.len());
        let mut detector = SpeechDetector::new();
        let (mut spans, mut rest) = (Vec::new(), &samples[..]);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            let before = detector.undecided_from();
            let n_found = spans.len();
            detector.push(piece, &mut spans);
            for span in &spans[n_found..] {
                prop_assert!(span.start >= before, "{span:?} before {before}");
            }
            rest = left;
        }
        detector.finish(&mut spans);
        prop_assert_eq!(spans, whole);
    }
}

#[test]
fn a_short_recording_is_heard_with_a_second_around_its_voice() {
    let second = SAMPLE_RATE_HZ as usize;
    let heard = |spans: &[Range<usize>]| Heard::of(spans, 8 * second);
    let phrases = [3 * second..4 * second, 5 * second..5 * second + 100];
    assert_eq!(
        heard(&phrases),
        Some(Heard {
            all: 2 * second..6 * second + 100,
            spoken: 3 * second..5 * second + 100,
        })
    );
    let throughout = second / 2..15 * second / 2;
    let throughout = heard(std::slice::from_ref(&throughout)).expect("is long enough");
    assert_eq!(throughout.all, 0..8 * second);
    // Too short to be judged.
    assert_eq!(heard(&phrases[1..]), None);
    assert_eq!(heard(&[]), None);
}
