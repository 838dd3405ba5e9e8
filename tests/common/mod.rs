//! What several tests share: the fixture recordings and the bad files.
#![allow(dead_code)] // Each test program uses its own share.

use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The folder of the fixture recordings.
pub fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// A fixture's bytes.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = data_dir().join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The 16 kHz samples of a 16-bit mono fixture, read without the code under test.
pub fn reference(name: &str) -> Vec<f32> {
    let mut reader = hound::WavReader::new(Cursor::new(fixture(name))).expect("a WAV file");
    assert_eq!(reader.spec().sample_rate, 16_000);
    assert_eq!(reader.spec().channels, 1);
    reader
        .samples::<i16>()
        .map(|s| f32::from(s.expect("a sample")) / 32_768.0)
        .collect()
}

/// The fixtures that are 1.2 s of `speech.wav`, from 0.3 s on.
pub const VARIANTS: [&str; 12] = [
    "u8-16000-1ch.wav",
    "s16-8000-2ch.wav",
    "s24-22050-1ch.wav",
    "s32-16000-1ch.wav",
    "f32-11025-2ch.wav",
    "s16-96000-1ch.flac",
    "s24-44100-2ch.flac",
    "mpeg1-44100-2ch.mp3",
    "mpeg2-22050-1ch.mp3",
    "vorbis-48000-2ch.ogg",
    "aac-44100-2ch.m4a",
    "aac-48000-1ch.m4a",
];

/// A WAV file of 32-bit floats, interleaved.
pub fn float_wav(samples: &[f32], n_channels: u16, rate_hz: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: n_channels,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a valid format");
    for s in samples {
        writer.write_sample(*s).expect("memory takes every sample");
    }
    writer.finalize().expect("memory takes the header");
    bytes.into_inner()
}

/// A WAV file of 16-bit integers, interleaved.
pub fn int_wav(samples: &[f32], n_channels: u16, rate_hz: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: n_channels,
        sample_rate: rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("a valid format");
    for s in samples {
        let quantised = (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        writer
            .write_sample(quantised)
            .expect("memory takes every sample");
    }
    writer.finalize().expect("memory takes the header");
    bytes.into_inner()
}

/// A file that cannot be judged, and why.
pub struct BadFile {
    /// File name.
    pub name: &'static str,
    /// Its contents.
    pub bytes: Vec<u8>,
    /// `AnalyzeError`'s kind, which is also the page's `data-kind`.
    pub kind: &'static str,
}

/// One of each kind of bad file that people have.
pub fn bad_files() -> Vec<BadFile> {
    let speech = reference("speech.wav");
    let mut not_a_number = speech.clone();
    not_a_number[20_000] = f32::NAN;
    let mut infinite = speech.clone();
    infinite[100] = f32::INFINITY;
    let bad = |name, bytes, kind| BadFile { name, bytes, kind };
    vec![
        bad("empty.wav", Vec::new(), "empty-file"),
        bad("text.wav", text(), "not-audio"),
        bad(
            "header-only.wav",
            fixture("speech.wav")[..44].to_vec(),
            "damaged",
        ),
        bad("no-samples.wav", int_wav(&[], 1, 16_000), "no-samples"),
        bad("silence.wav", int_wav(&[0.0; 32_000], 1, 16_000), "silent"),
        bad(
            "short.wav",
            int_wav(&speech[8_000..9_600], 1, 16_000),
            "too-short",
        ),
        bad("nan.wav", float_wav(&not_a_number, 1, 16_000), "not-finite"),
        bad(
            "infinite.wav",
            float_wav(&infinite, 1, 16_000),
            "not-finite",
        ),
    ]
}

/// Prose, as long as a short recording.
pub fn text() -> Vec<u8> {
    b"Dear diary, this is a text that somebody has renamed. ".repeat(400)
}

/// `speech.wav` broken off in the middle of its samples.
pub fn truncated() -> Vec<u8> {
    let whole = fixture("speech.wav");
    whole[..whole.len() * 6 / 10].to_vec()
}

/// `speech.wav` in seven channels at 48 kHz: the voice in the third alone.
pub fn seven_channels() -> Vec<u8> {
    let samples: Vec<f32> = reference("speech.wav")
        .iter()
        .flat_map(|s| {
            // Held for three samples: crude, and enough to be the same voice.
            let frame = [0.0, 0.0, *s, 0.0, 0.0, 0.0, 0.0];
            [frame, frame, frame].concat()
        })
        .collect();
    int_wav(&samples, 7, 48_000)
}

/// Real voices by name, 16 kHz: the two references (1.2 s of each) and the
/// short excerpts of several corpora.
pub fn voices() -> Vec<(String, Vec<f32>)> {
    let references = ["speech", "quiet"].map(|name| {
        let samples = reference(&format!("{name}.wav"));
        (name.to_owned(), samples[..19_200].to_vec())
    });
    let mut files: Vec<PathBuf> = std::fs::read_dir(data_dir().join("voices"))
        .expect("the excerpts' folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "flac"))
        .collect();
    files.sort();
    let excerpts = files.iter().map(|path| {
        let bytes = std::fs::read(path).expect("an excerpt");
        let decoded = undertone::audio::load(bytes, "excerpt.flac").expect("FLAC");
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), decoded.clip.into_samples())
    });
    references.into_iter().chain(excerpts).collect()
}

/// Signals that a formula makes, 16 kHz and 16 bits: 0.3 s each, but for the
/// last. `tests/golden/features/make.py` has the same.
pub fn synthetic() -> Vec<(String, Vec<f32>)> {
    use std::f64::consts::TAU;
    const N: usize = 4_800;
    let mut state = 1u32;
    let noise: Vec<f64> = (0..N)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 16) / 32_768.0 - 1.0
        })
        .collect();
    let seconds = |i: usize| i as f64 / 16_000.0;
    let voice = |i: usize| {
        let partials = (1..20).map(|k| {
            let k = f64::from(k);
            (TAU * 170.0 * k * seconds(i)).sin() / k
        });
        0.2 * partials.sum::<f64>()
    };
    let chirp = |t: f64| 0.1 * (TAU * (100.0 * t + 6_900.0 * t * t / 0.6)).sin();
    let make = |name: &str, n: usize, value: &dyn Fn(usize) -> f64| {
        let samples = (0..n).map(|i| ((value(i) * 32_767.0 + 0.5).floor() / 32_768.0) as f32);
        (name.to_owned(), samples.collect())
    };
    vec![
        make("sine", N, &|i| 0.5 * (TAU * 440.0 * seconds(i)).sin()),
        make("chirp", N, &|i| chirp(seconds(i))),
        make("voice", N, &voice),
        make("noise", N, &|i| 0.2 * noise[i]),
        make("mixed", N, &|i| match i {
            ..1_600 => 0.0,
            1_600..3_200 => voice(i),
            _ => 0.002 * noise[i],
        }),
        make("impulse", N, &|i| if i == 2_000 { 0.9 } else { 0.0 }),
        make("silence", N, &|_| 0.0),
        make("dc", N, &|_| 0.05),
        make("brief", 333, &|i| 0.2 * noise[i]),
    ]
}
