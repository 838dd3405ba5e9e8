//! Probabilistic YIN (Mauch and Dixon 2014), as `librosa.pyin` 0.11 has it:
//! many thresholds instead of one, then the likeliest path through the whole
//! recording. It looks ahead to the end, so it is for files, not for live.

use super::difference::{is_trough, parabolic_shift};
use super::viterbi::{self, Steps};
use std::ops::RangeInclusive;

/// Thresholds tried, evenly from 0.01 to 1.
const N_THRESHOLDS: usize = 100;
/// Of the prior that favours the first troughs.
const BOLTZMANN: f64 = 2.0;
/// Share of the deepest trough where no trough lies below a threshold.
const NO_TROUGH: f64 = 0.01;
/// Pitch bins a semitone: ten cents each.
const BINS_PER_SEMITONE: usize = 10;
/// Fastest change of pitch, octaves a second.
const MAX_OCTAVES_PER_S: f64 = 35.92;
/// Chance that voicing begins or ends from a frame to the next.
const SWITCH: f64 = 0.01;

/// One frame's candidates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Pitch bins and their probabilities.
    candidates: Vec<(usize, f64)>,
    /// Probability that the frame is voiced, `0..=1`.
    pub voicing: f64,
}

/// A planned tracker.
#[derive(Clone, Debug)]
pub struct Pyin {
    periods: RangeInclusive<usize>,
    rate_hz: f64,
    min_hz: f64,
    /// Probability of each threshold, `[100]`.
    prior: Vec<f64>,
    steps: Steps,
}

impl Pyin {
    /// Plans for normalised differences over `periods` (samples), pitches
    /// within `min_hz..=max_hz` and frames `hop_samples` apart.
    pub fn new(
        periods: RangeInclusive<usize>,
        rate_hz: f64,
        hop_samples: usize,
        min_hz: f64,
        max_hz: f64,
    ) -> Pyin {
        let n_semitones = 12.0 * (max_hz / min_hz).log2();
        let semitones_per_frame = MAX_OCTAVES_PER_S * 12.0 * hop_samples as f64 / rate_hz;
        let width = semitones_per_frame.round_ties_even() as usize * BINS_PER_SEMITONE + 1;
        let cumulative = |i: usize| beta_2_18(i as f64 / N_THRESHOLDS as f64);
        Pyin {
            periods,
            rate_hz,
            min_hz,
            prior: (0..N_THRESHOLDS)
                .map(|i| cumulative(i + 1) - cumulative(i))
                .collect(),
            steps: Steps {
                n_bins: (BINS_PER_SEMITONE as f64 * n_semitones).floor() as usize + 1,
                reach: width / 2,
                switch: SWITCH,
            },
        }
    }

    /// Weighs the troughs of one normalised difference, which reaches to the
    /// end of the planned periods.
    pub fn observe(&self, d: &[f32]) -> Observation {
        let troughs: Vec<usize> = self
            .periods
            .clone()
            .filter(|t| is_trough(d, *t, &self.periods))
            .collect();
        let Some(deepest) =
            (0..troughs.len()).reduce(|a, b| if d[troughs[b]] < d[troughs[a]] { b } else { a })
        else {
            return Observation::default();
        };
        let mut probabilities = vec![0.0; troughs.len()];
        for (i, prior) in self.prior.iter().enumerate() {
            let threshold = (i + 1) as f64 / N_THRESHOLDS as f64;
            let below = |t: usize| f64::from(d[t]) < threshold;
            let n_below = troughs.iter().filter(|t| below(**t)).count();
            if n_below == 0 {
                probabilities[deepest] += NO_TROUGH * prior;
                continue;
            }
            let below = (0..troughs.len()).filter(|k| below(troughs[*k]));
            for (position, k) in below.enumerate() {
                probabilities[k] += prior * boltzmann(position, n_below);
            }
        }
        let mut candidates: Vec<(usize, f64)> = Vec::new();
        for (t, probability) in troughs.iter().zip(&probabilities) {
            if *probability == 0.0 {
                continue;
            }
            let period = *t as f64 + f64::from(parabolic_shift(d, *t, &self.periods));
            let Some(bin) = self.bin(self.rate_hz / period) else {
                continue;
            };
            // As in librosa, the later trough of a bin takes the earlier's place.
            candidates.retain(|(other, _)| *other != bin);
            candidates.push((bin, *probability));
        }
        let voicing = candidates.iter().map(|(_, p)| p).sum::<f64>();
        Observation {
            candidates,
            voicing: voicing.clamp(0.0, 1.0),
        }
    }

    /// The bin of a pitch; `None` above the last.
    fn bin(&self, f0_hz: f64) -> Option<usize> {
        let bins = 12.0 * BINS_PER_SEMITONE as f64 * (f0_hz / self.min_hz).log2();
        let bin = bins.round_ties_even().max(0.0) as usize;
        (bin < self.steps.n_bins).then_some(bin)
    }

    /// The likeliest pitch of every frame, hertz in steps of ten cents; `None`
    /// where unvoiced. Holds 2.4 kB a frame while it
    /// works, where the range is five octaves.
    pub fn decode(&self, observations: &[Observation]) -> Vec<Option<f32>> {
        let frames = observations.iter().map(|o| {
            let nothing = (1.0 - o.voicing) / self.steps.n_bins as f64;
            (o.candidates.as_slice(), nothing)
        });
        let hz = |bin: usize| {
            let octaves = bin as f64 / (12 * BINS_PER_SEMITONE) as f64;
            (self.min_hz * octaves.exp2()) as f32
        };
        let path = viterbi::path(frames, self.steps);
        path.into_iter().map(|bin| bin.map(hz)).collect()
    }
}

/// Distribution function of the beta distribution with parameters 2 and 18.
fn beta_2_18(x: f64) -> f64 {
    1.0 - (1.0 - x).powi(19) - 19.0 * x * (1.0 - x).powi(18)
}

/// Probability of the `k`th of `n` troughs, `scipy.stats.boltzmann.pmf`.
fn boltzmann(k: usize, n: usize) -> f64 {
    let decay = |times: usize| (-BOLTZMANN * times as f64).exp();
    (1.0 - decay(1)) * decay(k) / (1.0 - decay(n))
}

#[cfg(test)]
mod tests {
    use super::super::{Difference, Ends};
    use super::*;
    use std::f32::consts::TAU;

    #[test]
    fn a_tone_between_silences_is_voiced_at_its_pitch() {
        let samples: Vec<f32> = (0..16_000)
            .map(|i| {
                let tone = (TAU * 220.0 * i as f32 / 16_000.0).sin();
                if (5_000..11_000).contains(&i) {
                    tone
                } else {
                    0.0
                }
            })
            .collect();
        let mut difference = Difference::new(2_048, 16_000, 65.0, 2_000.0, Ends::Padded);
        let pyin = Pyin::new(difference.periods(), 16_000.0, 512, 65.0, 2_000.0);
        let observations: Vec<Observation> = samples
            .windows(2_048)
            .step_by(512)
            .map(|frame| pyin.observe(difference.normalised(frame)))
            .collect();
        let track = pyin.decode(&observations);
        assert_eq!(track[0], None);
        assert_eq!(track[track.len() - 1], None);
        let middle = track[track.len() / 2].expect("voiced");
        assert!((middle / 220.0 - 1.0).abs() < 0.004, "{middle}");
    }

    #[test]
    fn priors_are_probabilities() {
        assert!((beta_2_18(1.0) - 1.0).abs() < 1e-12 && beta_2_18(0.0).abs() < 1e-12);
        let total: f64 = (0..7).map(|k| boltzmann(k, 7)).sum();
        assert!((total - 1.0).abs() < 1e-12);
    }
}
