//! Samples as a file that the browser can play.

use super::{Buffer, FileError, SoundFile, reason};
use js_sys::{Array, Uint8Array};

/// Bytes of the header that [`header`] writes.
const HEADER_BYTES: u32 = 44;

/// What stands before `n_samples` 16-bit mono samples, little-endian, in a WAV
/// file. Recordings are kept far below the 4 GiB that the format can state.
pub fn header(n_samples: u32, sample_rate_hz: u32) -> Vec<u8> {
    let n_data = n_samples * 2;
    let mut file = Vec::with_capacity(HEADER_BYTES as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(HEADER_BYTES - 8 + n_data).to_le_bytes());
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
    file
}

/// A WAV file that comes part by part. Each part goes into the browser's
/// keeping at once, so that none of its length lies in the page's memory.
#[derive(Default)]
pub struct Parts {
    blobs: Array,
    n_bytes: u64,
}

impl Parts {
    /// Adds 16-bit mono samples, little-endian.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] if the browser has no room for them.
    pub fn push(&mut self, samples: &Buffer) -> Result<(), FileError> {
        self.n_bytes += samples.n_bytes() as u64;
        let parts = Array::of1(samples.as_js());
        let blob = web_sys::Blob::new_with_buffer_source_sequence(&parts);
        let blob = blob.map_err(|thrown| FileError::Unreadable {
            reason: reason(&thrown),
        })?;
        self.blobs.push(blob.as_ref());
        Ok(())
    }

    /// The file of all parts, under this name.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] beyond the 4 GiB that the format can state, or
    /// if the browser has no room for it.
    pub fn finish(self, name: &str, sample_rate_hz: u32) -> Result<SoundFile, FileError> {
        if self.n_bytes > u64::from(u32::MAX - HEADER_BYTES) {
            return Err(FileError::Unreadable {
                reason: format!("{} bytes are too many for a WAV file", self.n_bytes),
            });
        }
        let header = header((self.n_bytes / 2) as u32, sample_rate_hz);
        self.blobs.unshift(&Uint8Array::from(&header[..]));
        SoundFile::from_parts(name, &self.blobs, "audio/wav")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_behind_the_header_are_read_back() {
        let samples = [0i16, 16_384, -16_384, 32_767, -32_768];
        let mut bytes = header(samples.len() as u32, 44_100);
        bytes.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
        let mut reader = hound::WavReader::new(&bytes[..]).expect("a WAV file");
        assert_eq!(reader.spec().sample_rate, 44_100);
        assert_eq!(reader.spec().channels, 1);
        let read: Vec<i16> = reader
            .samples::<i16>()
            .collect::<Result<_, _>>()
            .expect("all samples");
        assert_eq!(read, samples);
    }
}
