//! Encoded recordings on disk: encoding takes longer than training a head.

use super::frames::Frames;
use crate::features::FeatureMatrix;
use half::f16;
use half::slice::HalfFloatSliceExt;
use sha2::{Digest, Sha256};
use std::io;
use std::path::{Path, PathBuf};

/// Raised whenever the same recording is altered or encoded differently.
const VERSION: u32 = 3;

/// Where `undertone train` keeps encoded recordings unless told otherwise:
/// `undertone` in the user's cache folder (the XDG base directories).
pub fn default_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let base = folder("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| folder("HOME").map(|home| Path::new(&home).join(".cache")));
    base.map(|base| base.join("undertone"))
}

/// Which view of which recording; a new one is the recording itself, whatever
/// the seed.
#[derive(Clone, Debug)]
pub struct Key {
    recording: String,
    seed: u64,
}

impl Key {
    /// Names a file by what is in it, wherever it lies.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn new(path: &Path, seed: u64) -> io::Result<Key> {
        let digest = Sha256::digest(std::fs::read(path)?);
        Ok(Key {
            recording: hex(&digest),
            seed,
        })
    }

    /// One of the recording's altered views; `with` names what else goes into
    /// it.
    pub fn view(&self, view: usize, with: &str) -> Key {
        Key {
            recording: format!("{} {view} {} {with}", self.recording, self.seed),
            seed: self.seed,
        }
    }

    /// Seed of what is random in the view.
    pub fn seed(&self) -> u64 {
        seed(&self.recording)
    }
}

/// A folder of encoded recordings.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Below `folder`, one folder for each way to encode.
    pub fn new(folder: &Path, encoder: &str) -> Cache {
        Cache {
            folder: folder.join(name(&format!("{VERSION} {encoder}"))),
        }
    }

    /// What is kept of a view.
    pub fn get(&self, key: &Key) -> Option<Frames> {
        let bytes = std::fs::read(self.path(key)).ok()?;
        let (head, body) = bytes.split_at_checked(4)?;
        let word = u32::from_le_bytes(head.try_into().ok()?);
        let (is_half, n_features) = (word >> 31 == 1, (word & 0x7fff_ffff) as usize);
        let size = n_features * if is_half { 2 } else { 4 };
        if body.is_empty() || size == 0 || !body.len().is_multiple_of(size) {
            return None;
        }
        Some(if is_half {
            let (pairs, _) = body.as_chunks::<2>();
            let values = pairs.iter().map(|b| f16::from_le_bytes(*b)).collect();
            Frames::Half { values, n_features }
        } else {
            let (words, _) = body.as_chunks::<4>();
            let values = words.iter().map(|b| f32::from_le_bytes(*b)).collect();
            FeatureMatrix::from_rows(values, n_features).into()
        })
    }

    /// Keeps a view. What cannot be kept is encoded again next time.
    pub fn put(&self, key: &Key, frames: &Frames) {
        let mut word = frames.n_features() as u32;
        let body: Vec<u8> = match frames {
            Frames::Full(matrix) => matrix
                .as_slice()
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect(),
            Frames::Half { values, .. } => {
                word |= 1 << 31;
                let bits = values.reinterpret_cast();
                bits.iter().flat_map(|v: &u16| v.to_le_bytes()).collect()
            }
        };
        let path = self.path(key);
        // Whole or not at all, whoever else writes the same.
        let draft = path.with_extension(std::process::id().to_string());
        let bytes = [&word.to_le_bytes()[..], &body].concat();
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&draft, bytes))
            .and_then(|()| std::fs::rename(&draft, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&draft);
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = name(&key.recording);
        // Folders of some hundred files each.
        self.folder.join(&name[..2]).join(&name[2..])
    }
}

/// A file's name that stands for a text of any length.
pub(super) fn name(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..16])
}

/// A seed that a text stands for, the same on every run.
pub(super) fn seed(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let (words, _) = digest.as_chunks::<8>();
    u64::from_le_bytes(words[0])
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_only_for_its_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let recording = folder.path().join("a.wav");
        std::fs::write(&recording, "sound").expect("is written");
        let cache = Cache::new(folder.path(), "encoder");
        let matrix = FeatureMatrix::from_rows(vec![1.0, 2.5, -3.0, 0.0], 2);
        for frames in [Frames::from(matrix.clone()), Frames::half(&matrix)] {
            let key = Key::new(&recording, 1).expect("is there").view(1, "");
            cache.put(&key, &frames);
            assert_eq!(cache.get(&key), Some(frames));
            for other in [1, 2].map(|seed| Key::new(&recording, seed).expect("is there")) {
                assert_eq!(cache.get(&other.view(2, "")), None);
                assert_eq!(cache.get(&other.view(1, "other")), None);
            }
            assert_eq!(Cache::new(folder.path(), "other").get(&key), None);
        }
    }
}
