//! Real files of every supported kind become the same sound, and bad ones say
//! what is wrong with them.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{VARIANTS, fixture, float_wav, int_wav, reference};
use std::io::{Cursor, Read, Seek, SeekFrom};
use symphonia::core::io::MediaSource;
use undertone::audio::{ClipReader, DecodeError, load};

/// How alike two signals are when one is shifted by the best of up to
/// `reach` samples either way: correlation, level of `b` over `a`, and shift.
fn likeness(a: &[f32], b: &[f32], reach: usize) -> (f64, f64, isize) {
    let shifts = -(reach as isize)..=reach as isize;
    shifts
        .map(|shift| {
            let (skip_a, skip_b) = (shift.min(0).unsigned_abs(), shift.max(0).unsigned_abs());
            let pairs = || {
                let (a, b) = (a.iter().skip(skip_a), b.iter().skip(skip_b));
                a.zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)))
            };
            let dot: f64 = pairs().map(|(x, y)| x * y).sum();
            let square_a: f64 = pairs().map(|(x, _)| x * x).sum();
            let square_b: f64 = pairs().map(|(_, y)| y * y).sum();
            let correlation = dot / (square_a * square_b).sqrt();
            (correlation, (square_b / square_a).sqrt(), shift)
        })
        .max_by(|x, y| x.0.total_cmp(&y.0))
        .expect("at least one shift")
}

/// `signal` a fraction of a sample earlier, by a windowed sinc.
fn advanced(signal: &[f32], fraction: f32) -> Vec<f32> {
    const REACH: isize = 16;
    let weight = |k: isize| {
        let x = std::f32::consts::PI * (k as f32 - fraction);
        let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
        sinc * (0.5 + 0.5 * (x / REACH as f32).cos())
    };
    let at = |i: isize| usize::try_from(i).ok().and_then(|i| signal.get(i));
    (0..signal.len() as isize)
        .map(|i| {
            let near = (1 - REACH)..REACH;
            near.filter_map(|k| at(i + k).map(|s| s * weight(k))).sum()
        })
        .collect()
}

/// The part of `speech.wav` that the variants hold.
fn excerpt() -> Vec<f32> {
    reference("speech.wav")[4_800..24_000].to_vec()
}

/// The wanted likeness. A codec that throws sound away, and 8 kHz with its
/// half of the spectrum gone, may differ more than mere resampling.
fn least_correlation(name: &str) -> f64 {
    match name {
        n if n.starts_with("s16-8000") => 0.97,
        n if n.ends_with(".mp3") || n.ends_with(".ogg") || n.ends_with(".m4a") => 0.99,
        n if n.starts_with("f32-11025") => 0.99,
        n if n.starts_with("u8") => 0.998,
        _ => 0.9995,
    }
}

#[test]
fn every_format_gives_the_same_sound() {
    let expected = excerpt();
    for name in VARIANTS {
        let decoded = load(fixture(name), name).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(decoded.truncation, None, "{name}");
        let samples = decoded.clip.samples();
        // MP3 and AAC pad to whole packets.
        let extra = samples.len() as isize - expected.len() as isize;
        assert!(
            (-2..=2_000).contains(&extra),
            "{name}: {extra} samples more"
        );
        // An encoder's delay, where the container does not say it, is below 150 ms.
        // An AAC encoder's delay is a whole number of samples at its own rate
        // only.
        let fractions: &[f32] = if name.ends_with(".m4a") {
            &[0.0, 0.25, 0.5, 0.75]
        } else {
            &[0.0]
        };
        let (correlation, level, shift) = fractions
            .iter()
            .map(|f| likeness(&expected, &advanced(samples, *f), 2_400))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .expect("one fraction at least");
        println!(
            "{name:24} correlation {correlation:.5} level {level:.4} shift {shift} extra {extra}"
        );
        assert!(
            correlation > least_correlation(name),
            "{name}: {correlation}"
        );
        // LAME scales by 0.95 at this rate.
        let least = if name.ends_with(".mp3") { 0.94 } else { 0.97 };
        assert!((least..1.03).contains(&level), "{name}: level {level}");
        if !name.ends_with(".m4a") && !name.ends_with(".mp3") {
            assert!(shift.abs() <= 1, "{name}: shifted by {shift}");
        }
    }
}

#[test]
fn the_wrong_extension_does_not_matter() {
    for name in [
        "s16-96000-1ch.flac",
        "vorbis-48000-2ch.ogg",
        "aac-48000-1ch.m4a",
    ] {
        let right = load(fixture(name), name).expect(name);
        for wrong in ["clip.wav", "clip", "clip.mp3"] {
            assert_eq!(
                load(fixture(name), wrong).as_ref(),
                Ok(&right),
                "{name} as {wrong}"
            );
        }
    }
}

#[test]
fn integers_are_exact() {
    let expected = excerpt();
    let decoded = load(fixture("s32-16000-1ch.wav"), "a.wav").expect("decodes");
    assert_eq!(decoded.clip.samples(), expected);
    let whole = load(fixture("speech.wav"), "a.wav").expect("decodes");
    assert_eq!(whole.clip.samples(), reference("speech.wav"));
}

#[test]
fn every_usual_rate_and_channel_count_is_taken() {
    for rate_hz in [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000,
        192_000,
    ] {
        for n_channels in 1..=8u16 {
            // A 300 Hz tone, the same in every channel.
            let samples: Vec<f32> = (0..rate_hz / 2)
                .flat_map(|i| {
                    let s = (std::f32::consts::TAU * 300.0 * i as f32 / rate_hz as f32).sin() * 0.5;
                    vec![s; usize::from(n_channels)]
                })
                .collect();
            let what = format!("{rate_hz} Hz, {n_channels} channels");
            let mut reader = ClipReader::open(
                Box::new(Cursor::new(int_wav(&samples, n_channels, rate_hz))),
                "tone.wav",
            )
            .expect(&what);
            let mut heard = Vec::new();
            while reader.next_block(&mut heard).expect(&what) {}
            assert_eq!(reader.source_rate_hz(), Some(rate_hz), "{what}");
            assert_eq!(reader.n_channels(), usize::from(n_channels), "{what}");
            assert!(
                heard.len().abs_diff(8_000) <= 2,
                "{what}: {} samples",
                heard.len()
            );
            let rms = (heard.iter().map(|s| s * s).sum::<f32>() / heard.len() as f32).sqrt();
            assert!((rms - 0.5 / 2f32.sqrt()).abs() < 5e-3, "{what}: {rms}");
        }
    }
}

#[test]
fn seven_channels_are_one_voice() {
    let decoded = load(common::seven_channels(), "seven.wav").expect("decodes");
    let (correlation, level, shift) = likeness(&reference("speech.wav"), decoded.clip.samples(), 4);
    assert!(
        correlation > 0.95 && shift.abs() <= 1,
        "{correlation}, {shift}"
    );
    // A seventh of the voice is in the mean of the channels.
    assert!((level * 7.0 - 1.0).abs() < 0.1, "{level}");
}

#[test]
fn a_file_cut_short_is_read_as_far_as_it_goes() {
    for name in ["speech.wav", "s16-96000-1ch.flac", "vorbis-48000-2ch.ogg"] {
        let whole = load(fixture(name), name).expect(name);
        let bytes = fixture(name);
        let cut = load(bytes[..bytes.len() * 6 / 10].to_vec(), name).expect(name);
        let (n, all) = (cut.clip.samples().len(), whole.clip.samples().len());
        assert!(n > all / 4 && n < all * 3 / 4, "{name}: {n} of {all}");
        if name != "vorbis-48000-2ch.ogg" {
            // Ogg states its length in the last page, which is gone.
            assert!(cut.truncation.is_some(), "{name}");
        }
        let start = n.min(4_000);
        let (correlation, ..) = likeness(
            &whole.clip.samples()[..start],
            &cut.clip.samples()[..start],
            0,
        );
        assert!(correlation > 0.999, "{name}: {correlation}");
    }
}

#[test]
fn each_bad_file_has_its_error() {
    for bad in common::bad_files() {
        let result = load(bad.bytes, bad.name);
        match bad.kind {
            "empty-file" => assert_eq!(result, Err(DecodeError::Empty)),
            "not-audio" => assert_eq!(result, Err(DecodeError::NotAudio)),
            "no-samples" => assert_eq!(result, Err(DecodeError::NoSamples)),
            "damaged" => assert!(
                matches!(result, Err(DecodeError::Damaged { .. })),
                "{result:?}"
            ),
            "not-finite" => {
                assert!(
                    matches!(result, Err(DecodeError::NotFinite { .. })),
                    "{result:?}"
                );
            }
            // Sound all the same; the analysis refuses these.
            "silent" | "too-short" => assert!(result.is_ok(), "{}: {result:?}", bad.name),
            kind => panic!("{}: no such kind {kind}", bad.name),
        }
    }
}

#[test]
fn damage_anywhere_is_no_panic() {
    for name in VARIANTS {
        let whole = fixture(name);
        for step in 0..24 {
            // Bytes overwritten at places that differ from file to file.
            let mut bytes = whole.clone();
            let at = (step * 7_919 + 13 * name.len()) % bytes.len();
            let end = (at + 1 + step * 5).min(bytes.len());
            bytes[at..end].fill(if step % 2 == 0 { 0xFF } else { 0x00 });
            // Either outcome is right; falling over is not.
            let _ = load(bytes, name);
            let _ = load(whole[..whole.len() * step / 24].to_vec(), name);
        }
    }
}

/// A WAV file of 200 MB of noise that is never in memory as a whole.
struct Endless {
    header: Vec<u8>,
    at: u64,
    length: u64,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = (self.length - self.at).min(buffer.len() as u64) as usize;
        for (i, byte) in buffer[..left].iter_mut().enumerate() {
            let at = self.at as usize + i;
            let noise = (at as u32).wrapping_mul(2_654_435_761) >> 24;
            *byte = self.header.get(at).copied().unwrap_or(noise as u8);
        }
        self.at += left as u64;
        Ok(left)
    }
}

impl Seek for Endless {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            SeekFrom::End(by) => self.length.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

impl MediaSource for Endless {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

#[test]
fn two_hundred_megabytes_take_little_memory() {
    let n_bytes = 200_000_000u32;
    let mut header = int_wav(&[], 2, 44_100);
    let at = header.len();
    header[4..8].copy_from_slice(&(n_bytes + at as u32 - 8).to_le_bytes());
    header[at - 4..].copy_from_slice(&n_bytes.to_le_bytes());
    let length = u64::from(n_bytes) + header.len() as u64;
    let source = Endless {
        header,
        at: 0,
        length,
    };
    let mut reader = ClipReader::open(Box::new(source), "long.wav").expect("opens");
    let (mut block, mut n_samples, mut longest) = (Vec::new(), 0, 0);
    let mut more = true;
    while more {
        block.clear();
        more = reader.next_block(&mut block).expect("decodes");
        n_samples += block.len();
        longest = longest.max(block.len());
    }
    let expected = f64::from(n_bytes) / 4.0 / 44_100.0 * 16_000.0;
    assert!(
        (n_samples as f64 - expected).abs() < 3.0,
        "{n_samples} of {expected}"
    );
    assert!(longest < 100_000, "{longest} samples in a block");
    assert_eq!(reader.truncation(), None);
}

#[test]
fn loud_floats_keep_their_loudness() {
    let loud: Vec<f32> = reference("speech.wav").iter().map(|s| s * 4.0).collect();
    let decoded = load(float_wav(&loud, 1, 16_000), "loud.wav").expect("decodes");
    assert_eq!(decoded.clip.samples(), loud);
}
