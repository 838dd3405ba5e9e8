//! A table of anybody's recordings: `corpus,path,speaker,sex,emotion,seconds`,
//! paths relative to the table.

use super::{CorpusError, Recording, Sex};
use crate::emotion::Emotion;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Row {
    corpus: String,
    path: String,
    speaker: String,
    #[serde(default)]
    sex: String,
    emotion: String,
}

pub(super) fn read(path: &Path) -> Result<Vec<Recording>, CorpusError> {
    let fault = |e: csv::Error| CorpusError::Manifest {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(fault)?
        .into_deserialize::<Row>()
        .map(|row| {
            let row = row.map_err(fault)?;
            Ok(Recording {
                corpus: row.corpus.to_lowercase(),
                speaker: row.speaker,
                path: folder.join(row.path),
                emotion: Emotion::from_label(&row.emotion),
                sex: Sex::from_letter(&row.sex),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_table_and_names_the_faulty_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("manifest.csv");
        let header = "corpus,path,speaker,sex,emotion,seconds\n";
        std::fs::write(
            &path,
            format!("{header}Mine,a/b.wav,anna,f,anger,1.5\nmine,c.wav,bert,,boredom,2\n"),
        )
        .expect("written");
        let rows = read(&path).expect("reads");
        assert_eq!(rows[0].path, folder.path().join("a/b.wav"));
        assert_eq!(
            (rows[0].corpus.as_str(), rows[0].emotion),
            ("mine", Some(Emotion::Angry))
        );
        assert_eq!(rows[1].emotion, None);
        assert_eq!((rows[0].sex, rows[1].sex), (Some(Sex::Female), None));
        std::fs::write(&path, format!("{header}mine,a.wav\n")).expect("written");
        assert!(
            read(&path)
                .expect_err("refused")
                .to_string()
                .contains("line")
        );
    }
}
