//! Labelled recordings: each corpus under its official file names, or any
//! folder with a `manifest.csv`.

mod cremad;
mod emodb;
mod emovo;
mod manifest;
mod nemo;
mod ravdess;
mod tess;
mod vctk_noisy;

use crate::emotion::Emotion;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a folder could not be read as corpora.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// A folder or file that cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// Neither a manifest nor a file named as a known corpus names them.
    #[error(
        "{path}: no recordings found; give a folder of corpora under their official file names, or one with a manifest.csv (corpus,path,speaker,sex,emotion,seconds)"
    )]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// A manifest that does not follow its form.
    #[error("{path}: {reason}; the columns are corpus,path,speaker,sex,emotion,seconds")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong, with the line where it is known.
        reason: String,
    },
}

/// What a corpus says of a speaker; figures are told apart by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// `f` in a manifest.
    Female,
    /// `m` in a manifest.
    Male,
}

impl Sex {
    /// Reads a manifest's `f` or `m`; anything else is unknown.
    fn from_letter(letter: &str) -> Option<Sex> {
        match letter.trim() {
            "f" | "F" => Some(Sex::Female),
            "m" | "M" => Some(Sex::Male),
            _ => None,
        }
    }
}

/// One labelled recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recording {
    /// Which corpus, lower case.
    pub corpus: String,
    /// Speaker within the corpus.
    pub speaker: String,
    /// Where the sound lies.
    pub path: PathBuf,
    /// The label, or `None` where it is none of the eight classes.
    pub emotion: Option<Emotion>,
    /// The speaker's sex, where the corpus says.
    pub sex: Option<Sex>,
}

impl Recording {
    /// Corpus and speaker: names a person across corpora.
    pub fn person(&self) -> String {
        format!("{}/{}", self.corpus, self.speaker)
    }
}

/// What a file name says.
struct Label {
    speaker: String,
    emotion: Option<Emotion>,
    sex: Option<Sex>,
}

/// A corpus whose file names carry the labels.
struct Grammar {
    corpus: &'static str,
    /// Reads a file name without its extension; `None` if it is not of this corpus.
    parse: fn(stem: &str) -> Option<Label>,
}

const GRAMMARS: [Grammar; 7] = [
    ravdess::GRAMMAR,
    tess::GRAMMAR,
    cremad::GRAMMAR,
    emodb::GRAMMAR,
    emovo::GRAMMAR,
    nemo::GRAMMAR,
    vctk_noisy::GRAMMAR,
];

/// Extensions that count as recordings.
const EXTENSIONS: [&str; 7] = ["wav", "flac", "mp3", "ogg", "m4a", "aac", "aiff"];

/// Reads every recording below `folder`, sorted: by its `manifest.csv` if it
/// has one, else by the file names' grammars.
///
/// # Errors
/// [`CorpusError`].
pub fn read(folder: &Path) -> Result<Vec<Recording>, CorpusError> {
    let manifest = folder.join("manifest.csv");
    let mut recordings = if manifest.is_file() {
        manifest::read(&manifest)?
    } else {
        let mut found = Vec::new();
        walk(folder, &mut found)?;
        found
    };
    if recordings.is_empty() {
        return Err(CorpusError::Nothing {
            path: folder.to_owned(),
        });
    }
    recordings.sort();
    Ok(recordings)
}

fn walk(folder: &Path, out: &mut Vec<Recording>) -> Result<(), CorpusError> {
    let failed = |source| CorpusError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            walk(&path, out)?;
        } else if let Some(recording) = by_name(&path) {
            out.push(recording);
        }
    }
    Ok(())
}

fn by_name(path: &Path) -> Option<Recording> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return None;
    }
    let stem = path.file_stem()?.to_str()?;
    GRAMMARS.iter().find_map(|grammar| {
        let label = (grammar.parse)(stem)?;
        Some(Recording {
            corpus: grammar.corpus.to_owned(),
            speaker: label.speaker,
            path: path.to_owned(),
            emotion: label.emotion,
            sex: label.sex,
        })
    })
}

/// The classes that a corpus is judged by, in the order of [`Emotion::ALL`]: those
/// it has, or all where it has a single one, since no answer could be wrong then.
pub fn classes<'a>(recordings: impl IntoIterator<Item = &'a Recording>) -> Vec<Emotion> {
    let found: BTreeSet<Emotion> = recordings.into_iter().filter_map(|r| r.emotion).collect();
    match found.len() {
        1 => Emotion::ALL.to_vec(),
        _ => found.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_tell_the_sex_are_understood() {
        let cases = [
            ("03-01-08-02-01-01-24.wav", Some(Sex::Female)),
            ("03-01-08-02-01-01-23.wav", Some(Sex::Male)),
            ("OAF_back_ps.wav", Some(Sex::Female)),
            ("03a01Fa.wav", Some(Sex::Male)),
            ("16b10Lb.flac", Some(Sex::Female)),
            ("pau-m1-n3.wav", Some(Sex::Male)),
            ("gio-f3-b1.wav", Some(Sex::Female)),
            ("1001_DFA_DIS_XX.wav", None),
        ];
        for (name, sex) in cases {
            let recording = by_name(Path::new(name));
            assert_eq!(recording.map(|r| r.sex), Some(sex), "{name}");
        }
    }

    fn label(name: &str) -> (String, String, Option<Emotion>) {
        let r = by_name(Path::new(name)).unwrap_or_else(|| panic!("{name} is not recognised"));
        (r.corpus, r.speaker, r.emotion)
    }

    #[test]
    fn official_names_are_read() {
        let cases = [
            (
                "03-01-08-02-01-01-24.wav",
                "ravdess",
                "24",
                Some(Emotion::Surprised),
            ),
            ("OAF_back_ps.wav", "tess", "OAF", Some(Emotion::Surprised)),
            ("OA_bite_neutral.wav", "tess", "OAF", Some(Emotion::Neutral)),
            (
                "1001_DFA_DIS_XX.wav",
                "cremad",
                "1001",
                Some(Emotion::Disgusted),
            ),
            ("03a01Fa.wav", "emodb", "03", Some(Emotion::Happy)),
            ("16b10Lb.flac", "emodb", "16", None),
            ("pau-m1-n3.wav", "emovo", "m1", Some(Emotion::Fearful)),
            (
                "EB0_surprised_10.ogg",
                "nemo",
                "EB0",
                Some(Emotion::Surprised),
            ),
            ("p232_001.wav", "vctk_noisy", "p232", Some(Emotion::Neutral)),
        ];
        for (name, corpus, speaker, emotion) in cases {
            assert_eq!(
                label(name),
                (corpus.into(), speaker.into(), emotion),
                "{name}"
            );
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for name in [
            "notes.txt",
            "song.mp3",
            "03-01-09-01-01-01-01.wav",
            "03-02-03-01-01-01-01.wav",
        ] {
            assert_eq!(by_name(Path::new(name)), None, "{name}");
        }
    }
}
