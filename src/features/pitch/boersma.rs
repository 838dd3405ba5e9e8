//! Pitch as Praat finds it: Boersma 1993, "Accurate short-term analysis of the
//! fundamental frequency and the harmonics-to-noise ratio of a sampled sound",
//! with the defaults of Praat's *To Pitch* (75–600 Hz). Each frame names its
//! candidates; the best path through the recording chooses among them, so it
//! is for whole recordings, not for live.

use super::path::{Candidate, Moment, best_path};
use crate::dsp::Autocorrelation;
use std::f64::consts::{PI, TAU};

/// Lowest pitch sought, hertz.
const FLOOR_HZ: f64 = 75.0;
/// Highest pitch sought, hertz.
pub(super) const CEILING_HZ: f64 = 600.0;
/// Periods of the lowest pitch that a window holds.
const PERIODS_PER_WINDOW: f64 = 3.0;
/// Half of the least correlation that counts as voiced: what lies below is no
/// candidate.
const MIN_STRENGTH: f32 = 0.225;
/// Most candidates of a frame, besides its being unvoiced.
const MAX_CANDIDATES: usize = 14;
/// What an octave up is worth, in correlation.
pub(super) const OCTAVE_COST: f64 = 0.01;
/// Lags on either side that the interpolation looks at.
const SINC_DEPTH: isize = 30;

/// A planned tracker.
#[derive(Clone)]
pub struct Boersma {
    rate_hz: f64,
    /// Samples of the lowest pitch's period.
    period: usize,
    max_lag: usize,
    window: Vec<f32>,
    /// The window's own autocorrelation, one at lag 0.
    window_correlation: Vec<f32>,
    autocorrelation: Autocorrelation,
    frame: Vec<f32>,
    correlation: Vec<f32>,
}

/// A recording's pitch over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// The sample on which the first frame is centred.
    pub first_centre: usize,
    /// Pitch of every frame, hertz; `None` where unvoiced.
    pub f0_hz: Vec<Option<f32>>,
}

impl Boersma {
    /// Plans for samples at `rate_hz`.
    pub fn new(rate_hz: u32) -> Boersma {
        let rate_hz = f64::from(rate_hz);
        let half = (PERIODS_PER_WINDOW / FLOOR_HZ * rate_hz) as usize / 2 - 1;
        let n = 2 * half;
        let n_lags = n / 2;
        let window: Vec<f32> = (1..=n)
            .map(|i| (0.5 - 0.5 * (TAU * i as f64 / (n + 1) as f64).cos()) as f32)
            .collect();
        let mut autocorrelation = Autocorrelation::new(n, n_lags);
        let of_window = autocorrelation.apply(&window);
        let window_correlation = of_window.iter().map(|r| r / of_window[0]).collect();
        Boersma {
            rate_hz,
            period: (rate_hz / FLOOR_HZ) as usize,
            max_lag: (n as f64 / PERIODS_PER_WINDOW) as usize + 2,
            window,
            window_correlation,
            autocorrelation,
            frame: vec![0.0; n],
            correlation: vec![0.0; n_lags],
        }
    }

    /// The pitch of a recording every `hop_samples`, as many frames as fit
    /// with their windows, in its middle, as Praat lays them.
    pub fn track(&mut self, samples: &[f32], hop_samples: usize) -> Track {
        let n = samples.len();
        if n < self.frame.len() + 2 {
            return Track::default();
        }
        // In seconds, as Praat counts: where the windows fill the recording
        // exactly, rounding decides.
        let room_s = n as f64 * (1.0 / self.rate_hz) - PERIODS_PER_WINDOW / FLOOR_HZ;
        let n_frames = 1 + (room_s / (hop_samples as f64 / self.rate_hz)) as usize;
        let first_centre = (n - (n_frames - 1) * hop_samples) / 2;
        let mean = samples.iter().map(|s| f64::from(*s)).sum::<f64>() / n as f64;
        let peak = samples
            .iter()
            .fold(0.0f32, |peak, s| peak.max((s - mean as f32).abs()));
        let moments: Vec<Moment> = (0..n_frames)
            .map(|i| self.moment(samples, first_centre + i * hop_samples, peak))
            .collect();
        Track {
            first_centre,
            f0_hz: best_path(&moments, hop_samples as f64 / self.rate_hz),
        }
    }

    /// The candidates of the frame centred before sample `centre`.
    fn moment(&mut self, samples: &[f32], centre: usize, peak: f32) -> Moment {
        let half = self.frame.len() / 2;
        let mut moment = Moment::default();
        if peak == 0.0 {
            return moment;
        }
        let around = &samples[centre - self.period..centre + self.period];
        let mean = around.iter().sum::<f32>() / around.len() as f32;
        let windowed = samples[centre - half..centre + half]
            .iter()
            .zip(&self.window);
        for (out, (s, w)) in self.frame.iter_mut().zip(windowed) {
            *out = (s - mean) * w;
        }
        let near = self.period / 2 + 1;
        moment.level = self.frame[half - near..half + near]
            .iter()
            .fold(0.0f32, |level, s| level.max(s.abs()))
            / peak;
        let sums = self.autocorrelation.apply(&self.frame);
        let energy = sums[0];
        if energy <= 0.0 {
            return moment;
        }
        let normalised = sums.iter().zip(&self.window_correlation);
        for (r, (sum, of_window)) in self.correlation.iter_mut().zip(normalised) {
            *r = sum / (energy * of_window);
        }
        self.name_candidates(&mut moment.candidates);
        moment
    }

    /// Every peak of the correlation, finely placed; the best of them if there
    /// are too many.
    fn name_candidates(&self, candidates: &mut Vec<Candidate>) {
        let r = &self.correlation;
        for lag in 2..self.max_lag.min(r.len() - 1) {
            if r[lag] > MIN_STRENGTH && r[lag] > r[lag - 1] && r[lag] >= r[lag + 1] {
                let (lag, mut strength) = refine(r, lag);
                if strength > 1.0 {
                    strength = 1.0 / strength;
                }
                candidates.push(Candidate {
                    f0_hz: (self.rate_hz / lag) as f32,
                    strength: strength as f32,
                });
            }
        }
        if candidates.len() > MAX_CANDIDATES {
            let worth = |c: &Candidate| {
                f64::from(c.strength) + OCTAVE_COST * (f64::from(c.f0_hz) / FLOOR_HZ).log2()
            };
            candidates.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
            candidates.truncate(MAX_CANDIDATES);
        }
    }
}

/// Place and height of the peak near lag `at`: by a parabola, then by one
/// through the band-limited curve close around it.
fn refine(r: &[f32], at: usize) -> (f64, f64) {
    let summit = |[before, here, after]: [f64; 3]| {
        let curve = 2.0 * here - before - after;
        if curve > 0.0 {
            (0.5 * (after - before) / curve).clamp(-1.0, 1.0)
        } else {
            0.0
        }
    };
    let values = [r[at - 1], r[at], r[at + 1]].map(f64::from);
    let mut lag = at as f64 + summit(values);
    for step in [0.2, 0.02] {
        let values = [lag - step, lag, lag + step].map(|x| band_limited(r, x));
        lag += step * summit(values);
    }
    (lag, band_limited(r, lag))
}

/// A symmetric sequence between its samples, by a sinc under a raised cosine.
fn band_limited(r: &[f32], x: f64) -> f64 {
    let nearest = x.round() as isize;
    if (x - nearest as f64).abs() < 1e-9 {
        return f64::from(r[nearest as usize]);
    }
    let floor = x.floor() as isize;
    let mut sum = 0.0;
    for i in floor - SINC_DEPTH + 1..=floor + SINC_DEPTH {
        let value = r[i.unsigned_abs().min(r.len() - 1)];
        let distance = x - i as f64;
        let window = 0.5 + 0.5 * (PI * distance / (SINC_DEPTH as f64 + 0.5)).cos();
        sum += f64::from(value) * (PI * distance).sin() / (PI * distance) * window;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_a_voice_and_leaves_silence_out() {
        for hz in [80.0, 133.0, 250.0, 480.0] {
            let samples: Vec<f32> = (0..16_000)
                .map(|i| {
                    let phase = TAU * hz * f64::from(i) / 16_000.0;
                    let voice: f64 = (1..9).map(|k| (f64::from(k) * phase).sin()).sum();
                    if i < 8_000 { 0.05 * voice as f32 } else { 0.0 }
                })
                .collect();
            let track = Boersma::new(16_000).track(&samples, 160);
            assert_eq!((track.f0_hz.len(), track.first_centre), (97, 320));
            for (t, f0_hz) in track.f0_hz.iter().enumerate() {
                match (t, f0_hz) {
                    (..46, Some(f0)) => {
                        assert!((f64::from(*f0) / hz - 1.0).abs() < 0.002, "{f0}, not {hz}")
                    }
                    (..46, None) | (51.., Some(_)) => panic!("{hz} Hz, frame {t}: {f0_hz:?}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn nothing_and_constants_are_unvoiced() {
        let mut boersma = Boersma::new(16_000);
        assert!(boersma.track(&[0.1; 500], 160).f0_hz.is_empty());
        for value in [0.0, 0.5] {
            let track = boersma.track(&[value; 4_000], 160);
            assert!(track.f0_hz.iter().all(Option::is_none), "{value}");
        }
    }
}
