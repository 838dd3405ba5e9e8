//! A file read by pieces, inside a worker, however large it is.

use super::reason;
use js_sys::Uint8Array;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use symphonia::core::io::MediaSource;
use web_sys::{Blob, FileReaderSync};

/// Bytes read at once. Each piece is a journey to another process, some tenths
/// of a millisecond however small it is.
const PIECE_BYTES: u64 = 1 << 20;

/// A file or blob as a source of bytes; one piece of it lies in memory.
/// Browsers read so inside workers alone.
pub struct BlobSource {
    blob: Blob,
    reader: FileReaderSync,
    n_bytes: u64,
    place: u64,
    piece: Vec<u8>,
    /// Where `piece` starts.
    piece_start: u64,
}

impl BlobSource {
    /// Opens a file.
    ///
    /// # Errors
    /// The browser's word where it cannot read so.
    pub fn new(blob: Blob) -> std::result::Result<BlobSource, String> {
        Ok(BlobSource {
            reader: FileReaderSync::new().map_err(|thrown| reason(&thrown))?,
            // Sizes are whole numbers, exact in a double far beyond any disk.
            n_bytes: blob.size() as u64,
            blob,
            place: 0,
            piece: Vec::new(),
            piece_start: 0,
        })
    }

    fn fetch_piece(&mut self) -> Result<()> {
        let start = self.place - self.place % PIECE_BYTES;
        let end = (start + PIECE_BYTES).min(self.n_bytes);
        let bytes = self
            .blob
            .slice_with_f64_and_f64(start as f64, end as f64)
            .and_then(|slice| self.reader.read_as_array_buffer(&slice))
            .map_err(|thrown| Error::new(ErrorKind::PermissionDenied, reason(&thrown)))?;
        let bytes = Uint8Array::new(&bytes);
        self.piece.resize(bytes.length() as usize, 0);
        bytes.copy_to(&mut self.piece);
        self.piece_start = start;
        Ok(())
    }
}

impl Read for BlobSource {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.place >= self.n_bytes || out.is_empty() {
            return Ok(0);
        }
        let held = self.piece_start..self.piece_start + self.piece.len() as u64;
        if !held.contains(&self.place) {
            self.fetch_piece()?;
        }
        let rest = self
            .piece
            .get((self.place - self.piece_start) as usize..)
            .unwrap_or_default();
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.place += n as u64;
        Ok(n)
    }
}

impl Seek for BlobSource {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.place.checked_add_signed(by),
            SeekFrom::End(by) => self.n_bytes.checked_add_signed(by),
        };
        self.place = place.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

impl MediaSource for BlobSource {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.n_bytes)
    }
}
