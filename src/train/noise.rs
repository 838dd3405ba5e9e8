//! Noise at a given level, the same on every run.

use super::cache::seed;
use super::corpora::Recording;
use crate::audio;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Voices in a babble: from about six on, single words are lost in it.
const N_BABBLE: usize = 6;

/// Recordings that babble is made of.
const N_TALKERS: usize = 24;

/// What kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseKind {
    /// As much power at every frequency.
    White,
    /// As much power in every octave.
    Pink,
    /// Six people talking at once.
    Babble,
}

/// Noise to be mixed into recordings; reads and writes itself as `white:10`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// What kind.
    pub kind: NoiseKind,
    /// Power of the whole recording over that of the noise, decibels.
    pub snr_db: f32,
}

impl FromStr for Noise {
    type Err = String;

    fn from_str(text: &str) -> Result<Noise, String> {
        let wrong =
            || format!("`{text}` is no noise; write for example white:10, pink:5, babble:0");
        let (kind, snr_db) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Noise {
            kind: match kind {
                "white" => NoiseKind::White,
                "pink" => NoiseKind::Pink,
                "babble" => NoiseKind::Babble,
                _ => return Err(wrong()),
            },
            snr_db: snr_db
                .parse()
                .ok()
                .filter(|snr_db: &f32| snr_db.is_finite())
                .ok_or_else(wrong)?,
        })
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoiseKind::White => "white",
            NoiseKind::Pink => "pink",
            NoiseKind::Babble => "babble",
        };
        write!(f, "{kind}:{}", self.snr_db)
    }
}

/// Voices that babble is made of.
#[derive(Clone, Debug, Default)]
pub struct Talkers(Vec<Talker>);

#[derive(Clone, Debug)]
struct Talker {
    speaker: String,
    path: PathBuf,
    /// At a mean square of one.
    samples: Vec<f32>,
}

impl Talkers {
    /// Decodes recordings spread over the list; those that cannot be read or
    /// are silent are left out.
    pub fn of(recordings: &[&Recording]) -> Talkers {
        let step = recordings.len().div_ceil(N_TALKERS).max(1);
        let talkers = recordings.iter().step_by(step).filter_map(|recording| {
            let bytes = std::fs::read(&recording.path).ok()?;
            let name = recording.path.to_string_lossy();
            let samples = audio::load(bytes, &name).ok()?.clip.into_samples();
            let rms = (energy(&samples) / samples.len() as f32).sqrt();
            (rms > 1e-3).then(|| Talker {
                speaker: recording.speaker.clone(),
                path: recording.path.clone(),
                samples: samples.iter().map(|s| s / rms).collect(),
            })
        });
        Talkers(talkers.collect())
    }

    /// Names who was chosen.
    pub fn name(&self) -> String {
        let paths = self.0.iter().map(|t| t.path.to_string_lossy());
        paths.collect()
    }

    /// So many samples of people other than `speaker`; silence where there is
    /// nobody else.
    fn babble(&self, speaker: &str, n: usize, rng: &mut impl Rng) -> Vec<f32> {
        let others: Vec<&Talker> = self.0.iter().filter(|t| t.speaker != speaker).collect();
        let mut sum = vec![0.0; n];
        if others.is_empty() {
            return sum;
        }
        for _ in 0..N_BABBLE {
            let voice = &others[rng.random_range(0..others.len())].samples;
            let from = rng.random_range(0..voice.len());
            let talk = voice.iter().cycle().skip(from);
            sum.iter_mut().zip(talk).for_each(|(s, v)| *s += v);
        }
        sum
    }
}

impl NoiseKind {
    /// All of them.
    pub const ALL: [NoiseKind; 3] = [NoiseKind::White, NoiseKind::Pink, NoiseKind::Babble];

    /// So many samples of unknown level; babble is of people other than
    /// `speaker`.
    pub fn samples(
        self,
        n: usize,
        speaker: &str,
        talkers: &Talkers,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        match self {
            NoiseKind::White => white(n, rng),
            NoiseKind::Pink => pink(n, rng),
            NoiseKind::Babble => talkers.babble(speaker, n, rng),
        }
    }
}

impl Noise {
    /// Mixes itself into a recording's samples. What is random depends on the
    /// recording's file name alone.
    pub fn add_to(&self, samples: &mut [f32], recording: &Recording, talkers: &Talkers) {
        let name = recording.path.file_name().unwrap_or_default();
        let mut rng = StdRng::seed_from_u64(seed(&name.to_string_lossy()));
        let n = samples.len();
        let noise = self.kind.samples(n, &recording.speaker, talkers, &mut rng);
        mix(samples, &noise, self.snr_db);
    }
}

fn white(n: usize, rng: &mut impl Rng) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// White noise through three poles (Kellet's economy filter): within 0.5 dB of
/// −3 dB an octave from 10 Hz up.
fn pink(n: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut poles = [0.0f32; 3];
    white(n, rng)
        .into_iter()
        .map(|w| {
            poles[0] = 0.997_65 * poles[0] + 0.099_046 * w;
            poles[1] = 0.963 * poles[1] + 0.296_516_4 * w;
            poles[2] = 0.57 * poles[2] + 1.052_691_3 * w;
            poles.iter().sum::<f32>() + 0.184_8 * w
        })
        .collect()
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}

/// Adds noise `snr_db` decibels below the samples, both as a whole.
pub fn mix(samples: &mut [f32], noise: &[f32], snr_db: f32) {
    let gain = (energy(samples) / energy(noise).max(1e-12)).sqrt() * 10f32.powf(-snr_db / 20.0);
    for (s, n) in samples.iter_mut().zip(noise) {
        *s += gain * n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(speaker: &str) -> Recording {
        Recording {
            corpus: "x".into(),
            speaker: speaker.into(),
            path: format!("{speaker}.wav").into(),
            emotion: None,
            sex: None,
        }
    }

    fn talkers() -> Talkers {
        let tone = |hz: f32| {
            (0..9_000)
                .map(move |i| (i as f32 * hz * 1e-3).sin())
                .collect()
        };
        let talker = |speaker: &str, hz| Talker {
            speaker: speaker.into(),
            path: PathBuf::new(),
            samples: tone(hz),
        };
        Talkers(vec![talker("a", 50.0), talker("b", 90.0)])
    }

    #[test]
    fn noise_has_the_level_asked_for_and_is_the_same_again() {
        let clean: Vec<f32> = (0..16_000).map(|i| (i as f32 * 0.05).sin()).collect();
        for text in ["white:10", "pink:0", "babble:5"] {
            let noise: Noise = text.parse().expect("a noise");
            assert_eq!(noise.to_string(), text);
            let noisy = |who| {
                let mut samples = clean.clone();
                noise.add_to(&mut samples, &recording(who), &talkers());
                samples
            };
            let noisy_a = noisy("a");
            assert_eq!(noisy_a, noisy("a"));
            assert_ne!(noisy_a, noisy("c"));
            let added: Vec<f32> = noisy_a.iter().zip(&clean).map(|(n, c)| n - c).collect();
            let snr_db = 10.0 * (energy(&clean) / energy(&added)).log10();
            assert!((snr_db - noise.snr_db).abs() < 0.01, "{text}: {snr_db}");
        }
        for text in ["", "white", "blue:3", "white:loud", "white:inf"] {
            assert!(text.parse::<Noise>().is_err(), "{text}");
        }
    }

    #[test]
    fn pink_noise_falls_three_decibels_an_octave() {
        let samples = pink(160_000, &mut StdRng::seed_from_u64(3));
        let mut spectrum = crate::dsp::Spectrum::new(512);
        let mut power = vec![0.0; spectrum.n_bins()];
        let mut sum = vec![0.0; spectrum.n_bins()];
        for frame in samples.chunks_exact(512) {
            spectrum.power(frame, &mut power);
            sum.iter_mut().zip(&power).for_each(|(s, p)| *s += p);
        }
        let octave_db = |bin: usize| {
            let band: f32 = sum[bin..2 * bin].iter().sum::<f32>() / bin as f32;
            10.0 * band.log10()
        };
        let fall_db = octave_db(8) - octave_db(64);
        assert!((fall_db - 9.0).abs() < 1.0, "{fall_db} in three octaves");
    }

    #[test]
    fn nobody_babbles_against_themselves() {
        let mut rng = StdRng::seed_from_u64(1);
        let only_b = Talkers(talkers().0.into_iter().skip(1).collect());
        assert!(energy(&only_b.babble("b", 1_000, &mut rng)) == 0.0);
        assert!(energy(&only_b.babble("a", 1_000, &mut rng)) > 0.0);
    }
}
