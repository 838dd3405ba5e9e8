//! The outline of a recording, small enough to draw.

use serde::{Deserialize, Serialize};

/// Extremes of equal stretches of time, for drawing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waveform {
    /// Smallest and largest sample of each stretch, full scale ±1.
    pub extremes: Vec<(f32, f32)>,
    /// Length of one stretch, samples at 16 kHz; the last may be shorter.
    pub stretch_samples: usize,
}

impl Waveform {
    /// The outline of a whole of which this is the first part, `0..=1`; the
    /// rest is silence.
    pub fn lengthened(mut self, part: f64) -> Waveform {
        let n_all = (self.extremes.len() as f64 / part.clamp(1e-3, 1.0)).round() as usize;
        self.extremes
            .resize(n_all.max(self.extremes.len()), (0.0, 0.0));
        self
    }
}

/// Gathers a [`Waveform`] of unknown length: when it has twice the wanted
/// stretches, each two neighbours become one.
#[derive(Debug)]
pub(super) struct Outline {
    extremes: Vec<(f32, f32)>,
    stretch_samples: usize,
    /// Samples in the last stretch.
    filled: usize,
}

/// At most twice this many stretches are kept.
const N_STRETCHES: usize = 1_000;

impl Default for Outline {
    fn default() -> Outline {
        Outline {
            extremes: Vec::new(),
            stretch_samples: 16,
            filled: 16,
        }
    }
}

impl Outline {
    pub fn push(&mut self, samples: &[f32]) {
        for &s in samples {
            if self.filled == self.stretch_samples {
                if self.extremes.len() == 2 * N_STRETCHES {
                    self.halve();
                }
                self.extremes.push((s, s));
                self.filled = 0;
            }
            if let Some((low, high)) = self.extremes.last_mut() {
                *low = low.min(s);
                *high = high.max(s);
            }
            self.filled += 1;
        }
    }

    fn halve(&mut self) {
        self.extremes = self
            .extremes
            .chunks(2)
            .map(|pair| {
                pair.iter()
                    .fold((f32::INFINITY, f32::NEG_INFINITY), |m, p| {
                        (m.0.min(p.0), m.1.max(p.1))
                    })
            })
            .collect();
        self.stretch_samples *= 2;
        // Called only between stretches, so the last is full again.
        self.filled = self.stretch_samples;
    }

    /// What there is so far.
    pub fn waveform(&self) -> Waveform {
        Waveform {
            extremes: self.extremes.clone(),
            stretch_samples: self.stretch_samples,
        }
    }

    pub fn finish(self) -> Waveform {
        Waveform {
            extremes: self.extremes,
            stretch_samples: self.stretch_samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_extreme_at_its_place() {
        let mut samples = vec![0.0; 500_000];
        samples[123_456] = 0.9;
        samples[400_000] = -0.7;
        let mut outline = Outline::default();
        for piece in samples.chunks(777) {
            outline.push(piece);
        }
        let waveform = outline.finish();
        let n = waveform.extremes.len();
        assert!(
            (N_STRETCHES..=2 * N_STRETCHES).contains(&n),
            "{n} stretches"
        );
        assert_eq!(n, 500_000usize.div_ceil(waveform.stretch_samples));
        assert_eq!(waveform.extremes[123_456 / waveform.stretch_samples].1, 0.9);
        assert_eq!(
            waveform.extremes[400_000 / waveform.stretch_samples].0,
            -0.7
        );
    }

    #[test]
    fn short_and_empty_recordings_are_outlined_too() {
        let mut outline = Outline::default();
        outline.push(&[0.1, -0.2]);
        assert_eq!(outline.finish().extremes, [(-0.2, 0.1)]);
        assert!(Outline::default().finish().extremes.is_empty());
    }
}
