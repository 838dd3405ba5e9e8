//! Voices that nobody has: some of a person's clips are altered as if another throat spoke
//! them, so that they can be compared with each other as one more voice.

use super::cache::seed;
use super::corpora::Recording;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Clips of a person that share their throats, about.
const N_CLIPS: f64 = 60.0;

/// How far each clip may lie from its throat, semitones.
const JITTER: f32 = 1.0;

/// How another person would say it: higher or lower, faster or slower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throat {
    /// By which pitch and formants are raised.
    pub semitones: f32,
    /// Times as fast.
    pub tempo: f32,
    /// How far each clip may lie from it: semitones, and as many times 8 % of the tempo. It
    /// is part of what a kept view is found by.
    pub jitter: f32,
}

impl Throat {
    /// That of a name: pitch and formants ±2.5 semitones, tempo ×0.88–1.14, each clip within a
    /// semitone and 8 % of it.
    pub fn of(name: &str) -> Throat {
        let mut rng = StdRng::seed_from_u64(seed(name));
        Throat {
            semitones: rng.random_range(-2.5..2.5),
            tempo: rng.random_range(0.88..1.14),
            jitter: JITTER,
        }
    }
}

/// The name of the voice that a view of a person's group of clips has.
pub fn voice(person: &str, group: usize, view: usize) -> String {
    format!("{person} {group} {view}")
}

/// Which clips of each person share their throats.
pub struct Groups {
    n_clips: BTreeMap<String, usize>,
}

impl Groups {
    /// Those of all these recordings.
    pub fn of<'a>(recordings: impl Iterator<Item = &'a Recording>) -> Groups {
        let mut n_clips = BTreeMap::new();
        for recording in recordings {
            *n_clips.entry(recording.person()).or_default() += 1;
        }
        Groups { n_clips }
    }

    /// Which of its person's groups a recording is of, by its file's name: about sixty clips
    /// are one.
    pub fn group(&self, recording: &Recording) -> usize {
        let n_clips = self.n_clips.get(&recording.person());
        let n_clips = n_clips.copied().unwrap_or_default();
        let n_groups = (n_clips as f64 / N_CLIPS).round().max(1.0) as usize;
        let name = recording.path.file_name().unwrap_or_default();
        let digest = Sha256::digest(name.to_string_lossy().as_bytes());
        usize::from(u16::from_be_bytes([digest[0], digest[1]])) % n_groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recordings(speaker: &str, n: usize) -> Vec<Recording> {
        (0..n)
            .map(|i| Recording {
                corpus: "x".into(),
                speaker: speaker.into(),
                path: format!("{speaker}{i}.wav").into(),
                emotion: None,
                sex: None,
            })
            .collect()
    }

    #[test]
    fn about_sixty_clips_of_a_person_share_a_throat() {
        let list = [
            recordings("a", 480),
            recordings("b", 60),
            recordings("c", 3),
        ]
        .concat();
        let groups = Groups::of(list.iter());
        let mut counts: BTreeMap<(&str, usize), usize> = BTreeMap::new();
        for recording in &list {
            let key = (&*recording.speaker, groups.group(recording));
            *counts.entry(key).or_default() += 1;
        }
        let of = |speaker| -> Vec<usize> {
            let own = counts.iter().filter(|((s, _), _)| *s == speaker);
            own.map(|(_, n)| *n).collect()
        };
        assert_eq!(of("a").len(), 8);
        assert!(of("a").iter().all(|n| (30..100).contains(n)), "{counts:?}");
        assert_eq!((of("b"), of("c")), (vec![60], vec![3]));
    }

    #[test]
    fn a_throat_is_its_names_and_within_its_bounds() {
        let throats: Vec<Throat> = (0..200).map(|i| Throat::of(&i.to_string())).collect();
        for throat in &throats {
            assert!(throat.semitones.abs() <= 2.5 && (0.88..1.14).contains(&throat.tempo));
        }
        let highest = throats.iter().fold(0.0f32, |m, t| m.max(t.semitones));
        assert!(highest > 2.0, "{highest}");
        assert_eq!(Throat::of("a"), Throat::of("a"));
        assert_ne!(Throat::of("a"), Throat::of("b"));
    }
}
