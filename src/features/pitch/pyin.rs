//! Probabilistic YIN (Mauch and Dixon 2014), as `librosa.pyin` 0.11 has it:
//! many thresholds instead of one, then the likeliest path through the
//! recording, which is decided a fixed time behind, so that it serves live.

use super::difference::{Difference, find_troughs, parabolic_shift};
use super::viterbi::{Steps, Viterbi};
use super::yin::period_samples;

/// Thresholds tried, evenly from 0.01 to 1.
const N_THRESHOLDS: usize = 100;
/// Of the prior that favours the first troughs.
const BOLTZMANN: f64 = 2.0;
/// Troughs below a threshold that have a share of it: those after them would
/// have less than 10⁻²⁰.
const N_RANKS: usize = 24;
/// Share of the deepest trough where no trough lies below a threshold.
const NO_TROUGH: f64 = 0.01;
/// Pitch bins a semitone: ten cents each.
const BINS_PER_SEMITONE: usize = 10;
/// Fastest change of pitch, octaves a second.
const MAX_OCTAVES_PER_S: f64 = 35.92;
/// Chance that voicing begins or ends from a frame to the next.
const SWITCH: f64 = 0.01;

/// One frame's pitch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pitch {
    /// Fundamental frequency, hertz, within the planned range: that of the
    /// frame's own trough in the path's bin. `None` where unvoiced.
    pub f0_hz: Option<f32>,
    /// The same in steps of ten cents, as librosa gives it.
    pub bin_hz: Option<f32>,
    /// Probability that the frame alone is voiced, `0..=1`: librosa's
    /// `voiced_prob`. The path may decide otherwise.
    pub voicing: f32,
}

/// A planned tracker, for any number of recordings, one after another:
///
/// 1. Each frame's normalised difference ([`Difference`]) has troughs: lags
///    lower than the one before and no higher than the one after.
/// 2. Each of 100 thresholds, evenly from 0.01 to 1, weighs as much as the beta
///    distribution with parameters 2 and 18 lays on the hundredth below it. It
///    shares its weight among the `n` troughs below it, `exp(−2k) · (1 − e⁻²) /
///    (1 − e⁻²ⁿ)` to the `k`th from the shortest lag; where there is none, a
///    hundredth goes to the deepest trough and the rest is lost.
/// 3. A trough's period is refined by a parabola, and its probability given to
///    the nearest of the bins of ten cents from the lowest pitch. The sum over
///    the troughs is the frame's probability of voicing `p`; each unvoiced bin
///    has `(1 − p) / bins`.
/// 4. Viterbi's path through the bins, voiced and unvoiced: from a frame to the
///    next a bin moves by at most 35.92 octaves a second, less being likelier
///    in a triangle, and voicing changes with probability 0.01. A frame is
///    decided when `lag` more frames have come, or the recording has ended.
///
/// No allocation after planning.
#[derive(Clone)]
pub struct Pyin {
    difference: Difference,
    min_hz: f64,
    n_bins: usize,
    lag: usize,
    /// Probability that a threshold lies below each, `[101]`.
    cumulative: Vec<f64>,
    /// Share of a threshold by rank, before it is normalised, `[24]`.
    shares: Vec<f64>,
    viterbi: Viterbi,
    n_frames: usize,
    /// The last frames, by frame number modulo `lag + 1`.
    observations: Vec<Observation>,
    /// Lags of the troughs, and room for one more.
    lags: Vec<usize>,
    troughs: Vec<Trough>,
}

/// What one frame alone says.
#[derive(Clone, Debug)]
struct Observation {
    candidates: Vec<Candidate>,
    voicing: f64,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    bin: usize,
    f0_hz: f64,
    probability: f64,
}

#[derive(Clone, Copy, Debug)]
struct Trough {
    lag: usize,
    /// How many thresholds are not above it.
    n_not_above: usize,
    probability: f64,
}

impl Pyin {
    /// Plans for frames `hop_samples` apart and pitches within
    /// `min_hz..=max_hz`, for which the difference was planned too; `lag`
    /// frames are awaited.
    pub fn new(
        difference: Difference,
        hop_samples: usize,
        min_hz: f64,
        max_hz: f64,
        lag: usize,
    ) -> Pyin {
        let n_semitones = 12.0 * (max_hz / min_hz).log2();
        let n_bins = (BINS_PER_SEMITONE as f64 * n_semitones).floor() as usize + 1;
        let semitones_per_frame =
            MAX_OCTAVES_PER_S * 12.0 * hop_samples as f64 / difference.rate_hz();
        let steps = Steps {
            n_bins,
            reach: semitones_per_frame.round_ties_even() as usize * BINS_PER_SEMITONE / 2,
            switch: SWITCH,
        };
        let periods = difference.periods();
        // No two troughs are neighbours.
        let n_troughs = (periods.end() - periods.start()) / 2 + 1;
        Pyin {
            difference,
            min_hz,
            n_bins,
            lag,
            cumulative: (0..=N_THRESHOLDS)
                .map(|i| beta_2_18(i as f64 / N_THRESHOLDS as f64))
                .collect(),
            shares: (0..N_RANKS)
                .map(|k| (1.0 - (-BOLTZMANN).exp()) * (-BOLTZMANN * k as f64).exp())
                .collect(),
            viterbi: Viterbi::new(steps, lag, n_troughs),
            n_frames: 0,
            observations: (0..=lag)
                .map(|_| Observation {
                    candidates: Vec::with_capacity(n_troughs),
                    voicing: 0.0,
                })
                .collect(),
            lags: vec![0; n_troughs + 1],
            troughs: Vec::with_capacity(n_troughs),
        }
    }

    /// Forgets every frame, so that the next is a recording's first.
    pub fn reset(&mut self) {
        self.viterbi.reset();
        self.n_frames = 0;
    }

    /// Frames that are awaited before one is decided.
    pub fn lag(&self) -> usize {
        self.lag
    }

    /// Takes the next frame of a recording.
    ///
    /// # Panics
    /// If the frame is not as long as the difference was planned for.
    pub fn push(&mut self, frame: &[f32]) {
        let (periods, rate_hz) = (self.difference.periods(), self.difference.rate_hz());
        let d = self.difference.normalised(frame);
        let n_troughs = find_troughs(d, &periods, &mut self.lags);
        rank_troughs(&mut self.troughs, d, &self.lags[..n_troughs]);
        share_out(&mut self.troughs, d, &self.cumulative, &self.shares);
        let observation = &mut self.observations[self.n_frames % (self.lag + 1)];
        observation.candidates.clear();
        for trough in &self.troughs {
            if trough.probability == 0.0 {
                continue;
            }
            let shift = parabolic_shift(d, trough.lag, &periods);
            let f0_hz = rate_hz / (trough.lag as f64 + f64::from(shift));
            let octaves = (f0_hz / self.min_hz).log2();
            let bin = (12.0 * BINS_PER_SEMITONE as f64 * octaves)
                .round_ties_even()
                .max(0.0) as usize;
            if bin >= self.n_bins {
                continue;
            }
            // As in librosa, the later trough of a bin takes the earlier's
            // place. Longer lags never have higher bins.
            observation.candidates.pop_if(|before| before.bin == bin);
            observation.candidates.push(Candidate {
                bin,
                f0_hz,
                probability: trough.probability,
            });
        }
        let sum: f64 = observation.candidates.iter().map(|c| c.probability).sum();
        observation.voicing = sum.clamp(0.0, 1.0);
        let voiced = observation
            .candidates
            .iter()
            .map(|c| (c.bin, c.probability));
        let unvoiced = (1.0 - observation.voicing) / self.n_bins as f64;
        self.viterbi.push(voiced, unvoiced);
        self.n_frames += 1;
    }

    /// The last frame's pitch by plain YIN ([`period_samples`]), hertz.
    pub fn yin_hz(&self) -> f32 {
        let periods = self.difference.periods();
        self.difference.rate_hz() as f32 / period_samples(self.difference.last(), &periods)
    }

    /// The pitch of frame `t`, one of the last `lag + 1` that were pushed. The
    /// oldest of them is decided; the others may still change, unless the
    /// recording has ended.
    pub fn pitch(&self, t: usize) -> Pitch {
        let observation = &self.observations[t % (self.lag + 1)];
        let bin = self.viterbi.bin(t);
        let candidate = bin.and_then(|b| observation.candidates.iter().find(|c| c.bin == b));
        let octaves = |bin| bin as f64 / (12 * BINS_PER_SEMITONE) as f64;
        Pitch {
            f0_hz: candidate.map(|c| c.f0_hz as f32),
            bin_hz: bin.map(|b| (self.min_hz * octaves(b).exp2()) as f32),
            voicing: observation.voicing as f32,
        }
    }
}

/// Sees which thresholds lie above each trough.
fn rank_troughs(troughs: &mut Vec<Trough>, d: &[f32], lags: &[usize]) {
    troughs.clear();
    for lag in lags {
        let depth = f64::from(d[*lag]);
        let threshold = |i: usize| i as f64 / N_THRESHOLDS as f64;
        let mut n_not_above = ((depth * N_THRESHOLDS as f64) as usize).min(N_THRESHOLDS);
        // Rounding may have missed by one.
        if n_not_above > 0 && depth < threshold(n_not_above) {
            n_not_above -= 1;
        } else if n_not_above < N_THRESHOLDS && depth >= threshold(n_not_above + 1) {
            n_not_above += 1;
        }
        troughs.push(Trough {
            lag: *lag,
            n_not_above,
            probability: 0.0,
        });
    }
}

/// Shares the thresholds' weights out among the troughs.
fn share_out(troughs: &mut [Trough], d: &[f32], cumulative: &[f64], shares: &[f64]) {
    let Some(deepest) = (0..troughs.len()).reduce(|a, b| {
        if d[troughs[b].lag] < d[troughs[a].lag] {
            b
        } else {
            a
        }
    }) else {
        return;
    };
    let mut counts = [0usize; N_THRESHOLDS + 1];
    for trough in troughs.iter() {
        counts[trough.n_not_above] += 1;
    }
    // Thresholds with the same troughs below them go together.
    let mut from = troughs[deepest].n_not_above;
    troughs[deepest].probability = NO_TROUGH * cumulative[from];
    let mut n_below = 0;
    while from < N_THRESHOLDS {
        n_below += counts[from];
        let to = (from + 1..N_THRESHOLDS)
            .find(|i| counts[*i] > 0)
            .unwrap_or(N_THRESHOLDS);
        let all = 1.0 - (-BOLTZMANN * n_below as f64).exp();
        let weight = (cumulative[to] - cumulative[from]) / all;
        let below = troughs.iter_mut().filter(|t| t.n_not_above <= from);
        for (trough, share) in below.zip(shares) {
            trough.probability += weight * share;
        }
        from = to;
    }
}

/// Distribution function of the beta distribution with parameters 2 and 18.
fn beta_2_18(x: f64) -> f64 {
    1.0 - (1.0 - x).powi(19) - 19.0 * x * (1.0 - x).powi(18)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    #[test]
    fn a_tone_between_silences_is_voiced_at_its_pitch() {
        let samples: Vec<f32> = (0..16_000)
            .map(|i| {
                let tone = (TAU * 223.0 * i as f32 / 16_000.0).sin();
                if (5_000..11_000).contains(&i) {
                    tone
                } else {
                    0.0
                }
            })
            .collect();
        let difference = Difference::new(1_024, 16_000, 60.0, 600.0);
        let mut pyin = Pyin::new(difference, 160, 60.0, 600.0, 20);
        let mut track = Vec::new();
        for (t, frame) in samples.windows(1_024).step_by(160).enumerate() {
            pyin.push(frame);
            if t >= 20 {
                track.push(pyin.pitch(t - 20));
            }
        }
        let off = |p: &Pitch| p.f0_hz.map(|hz| (hz / 223.0 - 1.0).abs());
        assert!(track[..24].iter().all(|p| p.f0_hz.is_none()));
        assert!(track[70..].iter().all(|p| p.f0_hz.is_none()));
        for pitch in &track[32..62] {
            assert!(off(pitch).is_some_and(|off| off < 0.01), "{pitch:?}");
            assert!(pitch.voicing > 0.5, "{pitch:?}");
        }
    }

    #[test]
    fn shares_are_those_of_thresholds_one_by_one() {
        let depths = [0.9, 0.31, 1.3, 0.04, 0.305, 0.04, 0.5, 0.3];
        // Troughs at odd lags.
        let mut d = vec![2.0f32; 2 * depths.len() + 1];
        for (i, depth) in depths.iter().enumerate() {
            d[2 * i + 1] = *depth;
        }
        let difference = Difference::new(64, 1_000, 40.0, 500.0);
        let pyin = Pyin::new(difference, 10, 40.0, 500.0, 0);
        let mut troughs = Vec::new();
        let lags: Vec<usize> = (0..depths.len()).map(|i| 2 * i + 1).collect();
        rank_troughs(&mut troughs, &d, &lags);
        share_out(&mut troughs, &d, &pyin.cumulative, &pyin.shares);
        let mut expected = [0.0; 8];
        for i in 0..100 {
            let threshold = f64::from(i + 1) / 100.0;
            let prior = beta_2_18(threshold) - beta_2_18(f64::from(i) / 100.0);
            let below = (0..8).filter(|k| f64::from(depths[*k]) < threshold);
            let below: Vec<usize> = below.collect();
            for (rank, k) in below.iter().enumerate() {
                let n = below.len() as f64;
                let share = (1.0 - (-2.0f64).exp()) * (-2.0 * rank as f64).exp();
                expected[*k] += prior * share / (1.0 - (-2.0 * n).exp());
            }
            if below.is_empty() {
                expected[3] += 0.01 * prior;
            }
        }
        assert_eq!(troughs.len(), 8);
        for (trough, expected) in troughs.iter().zip(expected) {
            assert!((trough.probability - expected).abs() < 1e-12, "{trough:?}");
        }
    }
}
