//! Bytes to mono samples at the source's rate, packet by packet, so that an
//! hours-long file never lies decoded in memory as a whole.
//!
//! Containers and codecs are symphonia's: WAV, AIFF, FLAC, MP3, Ogg Vorbis,
//! AAC and ALAC in M4A.

use super::Clip;
use super::metered::Metered;
use super::resample::{ResampleError, Resampler};
use serde::{Deserialize, Serialize};
use std::io::{Cursor, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use thiserror::Error;

/// Why bytes did not become sound.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// No container format recognises the bytes.
    #[error("no audio format recognises the bytes")]
    NotAudio,
    /// The bytes could not be had.
    #[error("the file could not be read: {reason}")]
    Unreadable {
        /// The system's word.
        reason: String,
    },
    /// The program that decodes could not be had.
    #[error("the decoders could not be loaded: {reason}")]
    NoDecoder {
        /// The browser's word.
        reason: String,
    },
    /// A container without a codec that can be decoded.
    #[error("unsupported codec: {codec}")]
    UnsupportedCodec {
        /// What the container says it holds.
        codec: String,
    },
    /// Recognised, but nothing could be decoded.
    #[error("the file is damaged: {reason}")]
    Damaged {
        /// The decoder's word.
        reason: String,
    },
    /// Valid, and without a single sample.
    #[error("the file holds no samples")]
    NoSamples,
    /// A sample that is NaN or infinite.
    #[error("sample {index} is not a finite number")]
    NotFinite {
        /// Which frame, from the start of the file.
        index: u64,
    },
    /// The rate cannot be converted.
    #[error(transparent)]
    Resample(#[from] ResampleError),
}

/// A file that ends before the length it promises.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    /// What could be read, seconds.
    pub read_s: f64,
    /// What the header promised, seconds, where it says.
    pub expected_s: Option<f64>,
}

/// A file read packet by packet as mono samples at 16 kHz.
pub struct ClipReader {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    expected_frames: Option<u64>,
    /// How many bytes have been read, and how many there are.
    place: Arc<AtomicU64>,
    n_bytes: Option<u64>,
    /// Known from the first decoded packet: what a container says of the rate
    /// can be half of what the codec gives (AAC with spectral band replication).
    source: Option<Source>,
    n_channels: usize,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    n_frames: u64,
    last_fault: Option<String>,
    ended_early: bool,
}

struct Source {
    rate_hz: u32,
    resampler: Option<Resampler>,
}

impl ClipReader {
    /// Opens a file. `name` hints at the format by its extension; the bytes decide.
    ///
    /// # Errors
    /// [`DecodeError::Empty`], [`DecodeError::Unreadable`],
    /// [`DecodeError::NotAudio`], [`DecodeError::UnsupportedCodec`].
    pub fn open(source: Box<dyn MediaSource>, name: &str) -> Result<ClipReader, DecodeError> {
        let n_bytes = source.byte_len();
        if n_bytes == Some(0) {
            return Err(DecodeError::Empty);
        }
        let mut hint = Hint::new();
        if let Some((_, extension)) = name.rsplit_once('.') {
            hint.with_extension(extension);
        }
        let (source, place) = Metered::new(source);
        let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
        let format = symphonia::default::get_probe()
            .probe(
                &hint,
                stream,
                FormatOptions::default(),
                MetadataOptions::default(),
            )
            .map_err(|error| match error {
                // Bytes that merely run out say that this is no such format.
                SymphoniaError::IoError(e) if e.kind() != ErrorKind::UnexpectedEof => {
                    DecodeError::Unreadable {
                        reason: e.to_string(),
                    }
                }
                _ => DecodeError::NotAudio,
            })?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or(DecodeError::NotAudio)?;
        let track_id = track.id;
        let parameters = track
            .codec_params
            .as_ref()
            .and_then(|p| p.audio())
            .ok_or_else(|| DecodeError::UnsupportedCodec {
                codec: "unknown".into(),
            })?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(|_| DecodeError::UnsupportedCodec {
                codec: parameters.codec.to_string(),
            })?;
        // A writer that could not seek back leaves an all-ones length behind,
        // which says nothing.
        let expected_frames = track.num_frames.filter(|n| *n < u64::from(u32::MAX) / 16);
        Ok(ClipReader {
            format,
            decoder,
            track_id,
            expected_frames,
            place,
            n_bytes,
            source: None,
            n_channels: 0,
            interleaved: Vec::new(),
            mono: Vec::new(),
            n_frames: 0,
            last_fault: None,
            ended_early: false,
        })
    }

    /// The source's rate in hertz, once the first packet has been decoded.
    pub fn source_rate_hz(&self) -> Option<u32> {
        self.source.as_ref().map(|s| s.rate_hz)
    }

    /// The source's channels, once the first packet has been decoded.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// How much of the file has been read, `0..=1`: of its frames where their
    /// number is known, else of its bytes.
    pub fn fraction(&self) -> Option<f32> {
        let (n_read, n_all) = match self.expected_frames {
            Some(n_frames) => (self.n_frames, n_frames),
            None => (self.place.load(Ordering::Relaxed), self.n_bytes?),
        };
        (n_all > 0).then(|| (n_read as f64 / n_all as f64).min(1.0) as f32)
    }

    /// The length that the file promises, seconds, where it does; known from
    /// the first packet on.
    pub fn expected_s(&self) -> Option<f64> {
        let rate_hz = self.source_rate_hz()?;
        Some(self.expected_frames? as f64 / f64::from(rate_hz))
    }

    /// Decodes the next packet and appends its samples, mono at 16 kHz, to
    /// `out`. Returns `false` at the end, after the last samples.
    ///
    /// A damaged packet is skipped; the file may still be worth hearing.
    ///
    /// # Errors
    /// [`DecodeError::NotFinite`] on a NaN or infinite sample;
    /// [`DecodeError::NoSamples`] or [`DecodeError::Damaged`] at the end if
    /// nothing was decoded; [`DecodeError::Resample`].
    pub fn next_block(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return self.end(out),
                // A chained stream begins another file: the first is what was dropped in.
                Err(SymphoniaError::ResetRequired) => return self.end(out),
                Err(error) => {
                    // Bytes that run out are judged by the length promised.
                    self.ended_early = !matches!(&error, SymphoniaError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof);
                    self.last_fault = Some(error.to_string());
                    return self.end(out);
                }
            };
            if packet.track_id != self.track_id {
                continue;
            }
            let buffer = match self.decoder.decode(&packet) {
                Ok(buffer) => buffer,
                Err(error) => {
                    self.last_fault = Some(error.to_string());
                    continue;
                }
            };
            let n_channels = buffer.spec().channels().count();
            if buffer.frames() == 0 || n_channels == 0 {
                continue;
            }
            let rate_hz = buffer.spec().rate();
            self.n_channels = n_channels;
            buffer.copy_to_vec_interleaved(&mut self.interleaved);
            let source = match &mut self.source {
                Some(source) => source,
                None => self.source.insert(Source {
                    rate_hz,
                    resampler: Some(Resampler::new(rate_hz)?),
                }),
            };
            self.mono.clear();
            let share = 1.0 / n_channels as f32;
            self.mono.extend(
                self.interleaved
                    .chunks_exact(n_channels)
                    .map(|f| f.iter().sum::<f32>() * share),
            );
            if let Some(at) = self.mono.iter().position(|s| !s.is_finite()) {
                return Err(DecodeError::NotFinite {
                    index: self.n_frames + at as u64,
                });
            }
            self.n_frames += self.mono.len() as u64;
            if let Some(resampler) = &mut source.resampler {
                resampler.push(&self.mono, out)?;
            }
            return Ok(true);
        }
    }

    fn end(&mut self, out: &mut Vec<f32>) -> Result<bool, DecodeError> {
        match self.source.as_mut() {
            Some(source) => {
                if let Some(resampler) = source.resampler.take() {
                    resampler.finish(out)?;
                }
                Ok(false)
            }
            None => Err(match self.last_fault.take() {
                Some(reason) => DecodeError::Damaged { reason },
                None if self.expected_frames.is_some_and(|n| n > 0) => DecodeError::Damaged {
                    reason: "the file ends before its first sample".into(),
                },
                None => DecodeError::NoSamples,
            }),
        }
    }

    /// Whether the file ended early; meaningful after the last block. Up to
    /// 50 ms may be missing without a word: encoders round to whole packets.
    pub fn truncation(&self) -> Option<Truncation> {
        let rate_hz = f64::from(self.source_rate_hz()?);
        let read_s = self.n_frames as f64 / rate_hz;
        let expected_s = self.expected_s();
        let short = expected_s.is_some_and(|expected| read_s < expected - 0.05);
        (short || self.ended_early).then_some(Truncation {
            read_s,
            expected_s: expected_s.filter(|_| short),
        })
    }
}

/// A whole file, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The sound.
    pub clip: Clip,
    /// Whether the file ended early.
    pub truncation: Option<Truncation>,
}

/// Decodes a whole file into a clip. `name` hints at the format.
///
/// # Errors
/// As [`ClipReader::open`] and [`ClipReader::next_block`].
pub fn load(bytes: Vec<u8>, name: &str) -> Result<Decoded, DecodeError> {
    let mut reader = ClipReader::open(Box::new(Cursor::new(bytes)), name)?;
    let mut samples = Vec::new();
    while reader.next_block(&mut samples)? {}
    if samples.is_empty() {
        return Err(DecodeError::NoSamples);
    }
    Ok(Decoded {
        clip: Clip::new(samples),
        truncation: reader.truncation(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A WAV file of 32-bit floats; `promised` frames stand in its header.
    fn float_wav(samples: &[f32], n_channels: u16, rate_hz: u32, promised: usize) -> Vec<u8> {
        let data_bytes = (promised * usize::from(n_channels) * 4) as u32;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + data_bytes).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16u32.to_le_bytes());
        bytes.extend(3u16.to_le_bytes());
        bytes.extend(n_channels.to_le_bytes());
        bytes.extend(rate_hz.to_le_bytes());
        bytes.extend((rate_hz * u32::from(n_channels) * 4).to_le_bytes());
        bytes.extend((n_channels * 4).to_le_bytes());
        bytes.extend(32u16.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(data_bytes.to_le_bytes());
        for s in samples {
            bytes.extend(s.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn reads_float_wav_and_mixes_channels() {
        let stereo: Vec<f32> = (0..16_000)
            .flat_map(|i| [(i as f32 * 0.01).sin(), 0.0])
            .collect();
        let decoded = load(float_wav(&stereo, 2, 16_000, 16_000), "a.wav").expect("decodes");
        assert_eq!(decoded.clip.samples().len(), 16_000);
        assert_eq!(decoded.truncation, None);
        assert!((decoded.clip.samples()[100] - 0.5 * 1.0f32.sin()).abs() < 1e-6);
    }

    #[test]
    fn seven_channels_are_mixed_too() {
        let samples: Vec<f32> = (0..7 * 4_800)
            .map(|i| if i % 7 == 0 { 0.7 } else { 0.0 })
            .collect();
        let decoded = load(float_wav(&samples, 7, 48_000, 4_800), "a.wav").expect("decodes");
        assert_eq!(decoded.clip.samples().len(), 1_600);
        assert!((decoded.clip.samples()[800] - 0.1).abs() < 1e-3);
    }

    #[test]
    fn loudness_above_full_scale_is_kept() {
        let decoded = load(float_wav(&[2.0; 1_600], 1, 16_000, 1_600), "a.wav").expect("decodes");
        assert_eq!(decoded.clip.samples()[800], 2.0);
    }

    #[test]
    fn a_file_cut_short_is_read_and_said_so() {
        let decoded = load(float_wav(&[0.1; 8_000], 1, 16_000, 16_000), "a.wav").expect("decodes");
        let truncation = decoded.truncation.expect("noticed");
        assert!((truncation.read_s - 0.5).abs() < 0.05, "{truncation:?}");
        assert_eq!(truncation.expected_s, Some(1.0));
    }

    #[test]
    fn an_unfinished_header_is_no_truncation() {
        let mut bytes = float_wav(&[0.1; 16_000], 1, 16_000, 16_000);
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        let decoded = load(bytes, "a.wav").expect("decodes");
        assert_eq!(decoded.clip.samples().len(), 16_000);
        assert_eq!(decoded.truncation, None);
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(load(Vec::new(), "a.wav"), Err(DecodeError::Empty));
        let text = b"Dear diary, this is no sound at all. ".repeat(200);
        assert_eq!(load(text, "a.wav"), Err(DecodeError::NotAudio));
        assert_eq!(
            load(float_wav(&[], 1, 16_000, 0), "a.wav"),
            Err(DecodeError::NoSamples)
        );
        let mut samples = [0.1; 2_000];
        samples[1_500] = f32::NAN;
        assert_eq!(
            load(float_wav(&samples, 1, 16_000, 2_000), "a.wav"),
            Err(DecodeError::NotFinite { index: 1_500 })
        );
        let header_only = float_wav(&[], 1, 16_000, 16_000);
        assert!(matches!(
            load(header_only, "a.wav"),
            Err(DecodeError::Damaged { .. })
        ));
    }
}
