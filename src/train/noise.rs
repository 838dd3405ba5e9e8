//! Noises of a known spectrum at a known level, for training and for tests of
//! how much noise a model bears.

use rand::Rng;
use std::fmt;

/// A kind of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// The same power at every frequency.
    White,
    /// Power falling by 3 dB an octave.
    Pink,
    /// Several others talking at once.
    Babble,
}

/// Voices that make a babble.
const N_TALKERS: usize = 6;

impl Noise {
    /// All of them.
    pub const ALL: [Noise; 3] = [Noise::White, Noise::Pink, Noise::Babble];

    /// `n` samples of unknown level. `talkers` are recordings that babble is
    /// made of; without any, babble is silence.
    pub fn samples(self, n: usize, talkers: &[Vec<f32>], rng: &mut impl Rng) -> Vec<f32> {
        match self {
            Noise::White => (0..n).map(|_| rng.random_range(-1.0..1.0f32)).collect(),
            Noise::Pink => pink(n, rng),
            Noise::Babble => babble(n, talkers, rng),
        }
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Noise::White => "white",
            Noise::Pink => "pink",
            Noise::Babble => "babble",
        })
    }
}

/// White noise through Paul Kellet's three poles ("economy" filter, 1999,
/// within 0.5 dB of −3 dB an octave from about 20 Hz at 44.1 kHz).
fn pink(n: usize, rng: &mut impl Rng) -> Vec<f32> {
    let (mut a, mut b, mut c) = (0.0f32, 0.0, 0.0);
    (0..n)
        .map(|_| {
            let white: f32 = rng.random_range(-1.0..1.0);
            a = 0.997_65 * a + 0.099_046_0 * white;
            b = 0.963_00 * b + 0.296_516_4 * white;
            c = 0.570_00 * c + 1.052_691_3 * white;
            a + b + c + 0.184_8 * white
        })
        .collect()
}

/// Stretches of random recordings at one level, repeated where they are short.
fn babble(n: usize, talkers: &[Vec<f32>], rng: &mut impl Rng) -> Vec<f32> {
    let mut sum = vec![0.0; n];
    let heard: Vec<&Vec<f32>> = talkers.iter().filter(|t| energy(t) > 0.0).collect();
    if heard.is_empty() {
        return sum;
    }
    for _ in 0..N_TALKERS {
        let talker = heard[rng.random_range(0..heard.len())];
        let gain = (energy(talker) / talker.len() as f32).sqrt().recip();
        let start = rng.random_range(0..talker.len());
        let voice = talker.iter().cycle().skip(start);
        for (s, v) in sum.iter_mut().zip(voice) {
            *s += gain * v;
        }
    }
    sum
}

/// Adds `noise` at a signal-to-noise ratio in decibels over the whole clip.
pub fn add(samples: &mut [f32], noise: &[f32], snr_db: f32) {
    let gain = (energy(samples) / energy(noise).max(1e-12)).sqrt() * 10f32.powf(-snr_db / 20.0);
    for (s, n) in samples.iter_mut().zip(noise) {
        *s += gain * n;
    }
}

fn energy(x: &[f32]) -> f32 {
    x.iter().map(|v| v * v).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::f32::consts::TAU;

    fn tone(hz: f32) -> Vec<f32> {
        (0..16_000)
            .map(|i| 0.5 * (TAU * hz * i as f32 / 16_000.0).sin())
            .collect()
    }

    #[test]
    fn noise_has_the_ratio_asked_for() {
        let clean = tone(200.0);
        let talkers = [tone(310.0), tone(170.0)];
        for kind in Noise::ALL {
            let mut rng = StdRng::seed_from_u64(1);
            let noise = kind.samples(clean.len(), &talkers, &mut rng);
            let mut noisy = clean.clone();
            add(&mut noisy, &noise, 10.0);
            let left: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
            let ratio_db = 10.0 * (energy(&clean) / energy(&left)).log10();
            assert!((ratio_db - 10.0).abs() < 0.1, "{kind}: {ratio_db}");
        }
    }

    #[test]
    fn pink_falls_by_three_decibels_an_octave() {
        let noise = Noise::Pink.samples(1 << 16, &[], &mut StdRng::seed_from_u64(2));
        // Power around a frequency, by correlation with many nearby tones.
        let power_db = |hz: f32| {
            let around = (0..40).map(|k| {
                let w = TAU * hz * (0.9 + 0.005 * k as f32) / 16_000.0;
                let (re, im) = noise
                    .iter()
                    .enumerate()
                    .fold((0.0, 0.0), |(re, im), (i, x)| {
                        let phase = (w * i as f32) % TAU;
                        (re + x * phase.cos(), im + x * phase.sin())
                    });
                re * re + im * im
            });
            10.0 * around.sum::<f32>().log10()
        };
        let fall_db = (power_db(250.0) - power_db(2_000.0)) / 3.0;
        assert!((2.0..4.0).contains(&fall_db), "{fall_db} dB an octave");
    }

    #[test]
    fn without_talkers_nobody_babbles() {
        let silence = Noise::Babble.samples(8, &[], &mut StdRng::seed_from_u64(3));
        assert_eq!(silence, [0.0; 8]);
    }
}
