//! A source of bytes that tells how far it has been read.

use std::io::{Read, Result, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use symphonia::core::io::MediaSource;

/// Passes bytes on and keeps the place of the last one.
pub(super) struct Metered {
    source: Box<dyn MediaSource>,
    place: Arc<AtomicU64>,
}

impl Metered {
    /// Wraps a source; the place is shared with whoever wants to know.
    pub fn new(source: Box<dyn MediaSource>) -> (Metered, Arc<AtomicU64>) {
        let place = Arc::new(AtomicU64::new(0));
        let metered = Metered {
            source,
            place: place.clone(),
        };
        (metered, place)
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n_bytes = self.source.read(buffer)?;
        self.place.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

impl Seek for Metered {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let place = self.source.seek(to)?;
        self.place.store(place, Ordering::Relaxed);
        Ok(place)
    }
}

impl MediaSource for Metered {
    fn is_seekable(&self) -> bool {
        self.source.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.source.byte_len()
    }
}
