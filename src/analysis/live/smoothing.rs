//! Scores that move no faster than a person can read.

use crate::emotion::{N_EMOTIONS, Scores};

/// Time constant unless another is asked for, seconds.
pub const DEFAULT_SMOOTHING_S: f64 = 1.0;

/// Longest time constant, seconds.
pub const MAX_SMOOTHING_S: f64 = 3.0;

/// Exponential smoothing: after a change the old value's share is `e^(−t/τ)`.
#[derive(Clone, Debug)]
pub struct Smoothing {
    time_constant_s: f64,
    /// What was shown last; absent before the first.
    shown: Option<[f32; N_EMOTIONS]>,
}

impl Smoothing {
    /// Smooths with a time constant within `0..=`[`MAX_SMOOTHING_S`] seconds,
    /// zero being not at all.
    pub fn new(time_constant_s: f64) -> Smoothing {
        let mut smoothing = Smoothing {
            time_constant_s: 0.0,
            shown: None,
        };
        smoothing.set_time_constant(time_constant_s);
        smoothing
    }

    /// Changes the time constant, seconds; what is shown moves on from where
    /// it is. A value that is no number smooths nothing.
    pub fn set_time_constant(&mut self, time_constant_s: f64) {
        self.time_constant_s = if time_constant_s.is_nan() {
            0.0
        } else {
            time_constant_s.clamp(0.0, MAX_SMOOTHING_S)
        };
    }

    /// Takes scores, `elapsed_s` after the last; gives those to show. The first
    /// are shown as they are.
    pub fn next(&mut self, scores: Scores, elapsed_s: f64) -> Scores {
        let kept = if self.time_constant_s > 0.0 {
            (-elapsed_s / self.time_constant_s).exp() as f32
        } else {
            0.0
        };
        let mut next = *scores.as_array();
        if let Some(shown) = self.shown {
            for (next, shown) in next.iter_mut().zip(shown) {
                *next += kept * (shown - *next);
            }
        }
        self.shown = Some(next);
        Scores::from_weights(next)
    }

    /// Forgets what was shown: the next scores belong to another voice.
    pub fn reset(&mut self) {
        self.shown = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn all(emotion: Emotion) -> Scores {
        let mut weights = [0.0; N_EMOTIONS];
        weights[emotion.index()] = 1.0;
        Scores::from_weights(weights)
    }

    #[test]
    fn a_step_is_followed_with_the_time_constant_whatever_the_rate() {
        for elapsed_s in [0.05, 0.25, 0.5] {
            let mut smoothing = Smoothing::new(1.0);
            assert_eq!(
                smoothing.next(all(Emotion::Sad), elapsed_s),
                all(Emotion::Sad)
            );
            let n = (1.0 / elapsed_s) as usize;
            let mut shown = Scores::UNIFORM;
            for _ in 0..n {
                shown = smoothing.next(all(Emotion::Happy), elapsed_s);
            }
            let left = shown.get(Emotion::Sad);
            assert!((left - (-1.0f32).exp()).abs() < 1e-3, "{left}");
        }
    }

    #[test]
    fn none_shows_what_it_is_given_and_a_reset_forgets() {
        let mut smoothing = Smoothing::new(f64::NAN);
        smoothing.next(all(Emotion::Sad), 0.25);
        assert_eq!(
            smoothing.next(all(Emotion::Happy), 0.25),
            all(Emotion::Happy)
        );
        smoothing.set_time_constant(99.0);
        assert!(smoothing.next(all(Emotion::Calm), 3.0).get(Emotion::Happy) < 0.37);
        smoothing.reset();
        assert_eq!(smoothing.next(all(Emotion::Calm), 0.25), all(Emotion::Calm));
    }
}
