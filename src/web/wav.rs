//! A recording as a file that the browser can play.

/// Bytes of the header that [`encode`] writes.
const HEADER_BYTES: usize = 44;

/// Mono samples (full scale ±1, louder is clipped) as a 16-bit PCM WAV file.
/// Recordings are kept far below the 4 GiB that the format can state.
pub fn encode(samples: &[f32], sample_rate_hz: u32) -> Vec<u8> {
    let n_data = (samples.len() * 2) as u32;
    let mut file = Vec::with_capacity(HEADER_BYTES + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(HEADER_BYTES as u32 - 8 + n_data).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16u32.to_le_bytes());
    // PCM, one channel.
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&1u16.to_le_bytes());
    file.extend_from_slice(&sample_rate_hz.to_le_bytes());
    file.extend_from_slice(&(sample_rate_hz * 2).to_le_bytes());
    // Bytes of a frame, bits of a sample.
    file.extend_from_slice(&2u16.to_le_bytes());
    file.extend_from_slice(&16u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&n_data.to_le_bytes());
    for s in samples {
        let scaled = (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
        file.extend_from_slice(&scaled.to_le_bytes());
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_written() {
        let samples = [0.0, 0.5, -0.5, 1.5, -1.5];
        let bytes = encode(&samples, 44_100);
        let mut reader = hound::WavReader::new(&bytes[..]).expect("a WAV file");
        assert_eq!(reader.spec().sample_rate, 44_100);
        assert_eq!(reader.spec().channels, 1);
        let read: Vec<i16> = reader
            .samples::<i16>()
            .collect::<Result<_, _>>()
            .expect("all samples");
        assert_eq!(read, [0, 16_384, -16_384, 32_767, -32_768]);
    }
}
