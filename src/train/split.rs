//! Speakers kept apart: nobody is heard both in training and in a test.

use super::corpora::Recording;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::collections::{BTreeMap, BTreeSet};

/// Folds of the speaker-independent protocol.
pub const N_FOLDS: usize = 5;

/// RAVDESS's published actor folds (Mak-Sim/ResLSTM-SER), so that figures
/// compare.
const RAVDESS_FOLDS: [&[&str]; N_FOLDS] = [
    &["02", "05", "14", "15", "16"],
    &["03", "06", "07", "13", "18"],
    &["10", "11", "12", "19", "20"],
    &["08", "17", "21", "23", "24"],
    &["01", "04", "09", "22"],
];

/// Parts of the speakers by which a model is calibrated.
const N_CROSS: usize = 3;

/// Below this many speakers a corpus carries no claim about new speakers and
/// is always trained on.
const MIN_SPEAKERS: usize = 3;

/// One speaker in this many decides when training stops and how sure the
/// model may be; a corpus with fewer gives none.
const SPEAKERS_PER_VALIDATION: usize = 8;

/// The recordings of corpora with too few speakers to test anybody.
pub fn always_trained_on(recordings: &[Recording]) -> Vec<&Recording> {
    let folds = folds(recordings);
    let tested = |r: &&Recording| folds.contains_key(&r.person());
    recordings.iter().filter(|r| !tested(r)).collect()
}

/// Which fold tests each person of the corpora that have enough of them:
/// the published one for RAVDESS, else their rank modulo [`N_FOLDS`].
fn folds(recordings: &[Recording]) -> BTreeMap<String, usize> {
    let mut speakers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for r in recordings {
        speakers.entry(&r.corpus).or_default().insert(&r.speaker);
    }
    let mut folds = BTreeMap::new();
    for (corpus, speakers) in speakers {
        if speakers.len() < MIN_SPEAKERS {
            continue;
        }
        for (rank, speaker) in speakers.into_iter().enumerate() {
            let published = RAVDESS_FOLDS.iter().position(|f| f.contains(&speaker));
            let fold = published
                .filter(|_| corpus == "ravdess")
                .unwrap_or(rank % N_FOLDS);
            folds.insert(format!("{corpus}/{speaker}"), fold);
        }
    }
    folds
}

/// Recordings by their use; no person is in two of the lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// Fits the weights.
    pub training: Vec<Recording>,
    /// Decides when to stop, and fits the temperature.
    pub validation: Vec<Recording>,
    /// Heard once, at the end.
    pub test: Vec<Recording>,
}

/// Splits by speaker. With `test_fold` its people are kept for the test; an
/// eighth of each corpus's speakers, from the fold after, are validation.
pub fn by_speaker(recordings: &[Recording], test_fold: Option<usize>) -> Split {
    let folds = folds(recordings);
    let after = test_fold.map_or(0, |f| (f + 1) % N_FOLDS);
    let mut validation = BTreeSet::new();
    let mut per_corpus: BTreeMap<&str, (usize, Vec<&String>)> = BTreeMap::new();
    for (person, fold) in &folds {
        let corpus = person.split('/').next().unwrap_or_default();
        let (n, candidates) = per_corpus.entry(corpus).or_default();
        *n += 1;
        if *fold == after {
            candidates.push(person);
        }
    }
    for (n, candidates) in per_corpus.into_values() {
        validation.extend(candidates.into_iter().take(n / SPEAKERS_PER_VALIDATION));
    }
    let mut split = Split::default();
    for recording in recordings {
        let person = recording.person();
        let list = if test_fold.is_some() && folds.get(&person).copied() == test_fold {
            &mut split.test
        } else if validation.contains(&person) {
            &mut split.validation
        } else {
            &mut split.training
        };
        list.push(recording.clone());
    }
    split
}

/// The speakers in `N_CROSS` parts, each as the validation of a split whose
/// training are the others: every speaker validates once. Those of corpora too
/// small to test anybody are always trained on.
pub fn crossed(recordings: &[Recording]) -> Vec<Split> {
    let folds = folds(recordings);
    let part = |r: &Recording| folds.get(&r.person()).map(|fold| fold % N_CROSS);
    (0..N_CROSS)
        .map(|cross| {
            let (validation, training) = recordings
                .iter()
                .cloned()
                .partition(|r| part(r) == Some(cross));
            Split {
                training,
                validation,
                test: Vec::new(),
            }
        })
        .filter(|split| !split.validation.is_empty())
        .collect()
}

/// The founding paper's split: a random fifth of the clips, whoever speaks, is
/// the test; a tenth of the rest is validation.
pub fn shuffled(recordings: &[Recording], test_fold: usize, seed: u64) -> Split {
    let mut order: Vec<&Recording> = recordings.iter().collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    let mut split = Split::default();
    for (i, recording) in order.into_iter().enumerate() {
        let list = if i % N_FOLDS == test_fold {
            &mut split.test
        } else if (i / N_FOLDS).is_multiple_of(10) {
            &mut split.validation
        } else {
            &mut split.training
        };
        list.push(recording.clone());
    }
    split
}

/// One corpus is the test, the others are split as for what is shipped.
/// A corpus too small to carry a claim tests nobody.
pub fn by_corpus(recordings: &[Recording], corpus: &str) -> Split {
    let (own, others): (Vec<_>, Vec<_>) =
        recordings.iter().cloned().partition(|r| r.corpus == corpus);
    let speakers: BTreeSet<&str> = own.iter().map(|r| &*r.speaker).collect();
    let test = if speakers.len() < MIN_SPEAKERS {
        Vec::new()
    } else {
        own
    };
    Split {
        test,
        ..by_speaker(&others, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn recordings() -> Vec<Recording> {
        let people = (1..=24)
            .map(|i| ("ravdess", format!("{i:02}")))
            .chain((0..9).map(|i| ("emodb", format!("{i:02}"))))
            .chain([("tess", "OAF".to_owned())]);
        people
            .map(|(corpus, speaker)| Recording {
                corpus: corpus.into(),
                path: format!("{corpus}{speaker}").into(),
                speaker,
                emotion: Some(Emotion::Sad),
                sex: None,
            })
            .collect()
    }

    fn people(list: &[Recording]) -> BTreeSet<String> {
        list.iter().map(Recording::person).collect()
    }

    #[test]
    fn every_person_is_tested_once_and_never_trained_on_then() {
        let all = recordings();
        let mut tested = Vec::new();
        for fold in 0..N_FOLDS {
            let split = by_speaker(&all, Some(fold));
            let lists = [&split.training, &split.validation, &split.test];
            let n: usize = lists.iter().map(|l| people(l).len()).sum();
            assert_eq!(n, people(&all).len(), "nobody is in two lists");
            assert_eq!(split.validation.len(), 24 / 8 + 9 / 8);
            tested.extend(people(&split.test));
        }
        tested.sort();
        let expected: Vec<String> = people(&all)
            .into_iter()
            .filter(|p| !p.starts_with("tess"))
            .collect();
        assert_eq!(tested, expected);
    }

    #[test]
    fn every_speaker_validates_once_when_crossed() {
        let all = recordings();
        let heard = by_speaker(&all, Some(2)).training;
        let mut validated = Vec::new();
        let splits = crossed(&heard);
        assert_eq!(splits.len(), N_CROSS);
        for split in splits {
            assert!(people(&split.training).is_disjoint(&people(&split.validation)));
            assert_eq!(split.training.len() + split.validation.len(), heard.len());
            validated.extend(people(&split.validation));
        }
        validated.sort();
        let expected: Vec<String> = people(&heard)
            .into_iter()
            .filter(|p| !p.starts_with("tess"))
            .collect();
        assert_eq!(validated, expected);
    }

    #[test]
    fn the_published_folds_are_kept() {
        let split = by_speaker(&recordings(), Some(4));
        let actors: Vec<String> = people(&split.test)
            .into_iter()
            .filter(|p| p.starts_with("ravdess"))
            .collect();
        assert_eq!(
            actors,
            ["ravdess/01", "ravdess/04", "ravdess/09", "ravdess/22"]
        );
    }

    #[test]
    fn the_final_split_tests_nobody() {
        let split = by_speaker(&recordings(), None);
        assert!(split.test.is_empty() && !split.validation.is_empty());
    }

    #[test]
    fn a_random_split_tests_every_clip_once_and_knows_its_voices() {
        let all: Vec<Recording> = (0..100)
            .map(|i| Recording {
                path: i.to_string().into(),
                ..recordings()[i % 10].clone()
            })
            .collect();
        let mut tested = BTreeSet::new();
        for fold in 0..N_FOLDS {
            let split = shuffled(&all, fold, 1);
            assert_eq!(split.test.len(), 20);
            assert!(!split.validation.is_empty());
            assert!(people(&split.test).is_subset(&people(&all)));
            tested.extend(split.test.into_iter().map(|r| r.path));
        }
        assert_eq!(tested.len(), 100);
    }

    #[test]
    fn a_corpus_left_out_is_heard_in_the_test_alone() {
        let split = by_corpus(&recordings(), "emodb");
        assert!(split.test.iter().all(|r| r.corpus == "emodb") && !split.test.is_empty());
        let heard = [&split.training[..], &split.validation[..]].concat();
        assert!(heard.iter().all(|r| r.corpus != "emodb"));
        assert!(by_corpus(&recordings(), "tess").test.is_empty());
    }
}
