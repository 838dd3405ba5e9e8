//! The outline of a clip, small enough to draw.

use crate::audio::Clip;
use serde::{Deserialize, Serialize};

/// Extremes of equal stretches of time, for drawing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waveform {
    /// Smallest and largest sample of each stretch, full scale ±1.
    pub extremes: Vec<(f32, f32)>,
}

impl Waveform {
    /// How many stretches a long clip is divided into.
    pub const N_STRETCHES: usize = 1_200;

    /// Outlines a clip; a clip shorter than [`Waveform::N_STRETCHES`] samples
    /// has one stretch a sample.
    pub fn of(clip: &Clip) -> Waveform {
        let samples = clip.samples();
        let n = samples.len().min(Self::N_STRETCHES);
        let extremes = (0..n)
            .map(|i| {
                let stretch = &samples[i * samples.len() / n..(i + 1) * samples.len() / n];
                stretch
                    .iter()
                    .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &s| {
                        (low.min(s), high.max(s))
                    })
            })
            .collect();
        Waveform { extremes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_extreme() {
        let mut samples = vec![0.0; 50_000];
        samples[12_345] = 0.9;
        samples[40_000] = -0.7;
        let outline = Waveform::of(&Clip::new(samples));
        assert_eq!(outline.extremes.len(), Waveform::N_STRETCHES);
        assert_eq!(
            outline.extremes[12_345 * Waveform::N_STRETCHES / 50_000].1,
            0.9
        );
        assert!(outline.extremes.iter().any(|e| e.0 == -0.7));
    }

    #[test]
    fn short_and_empty_clips_are_outlined_too() {
        assert_eq!(
            Waveform::of(&Clip::new(vec![0.1, -0.2])).extremes,
            [(0.1, 0.1), (-0.2, -0.2)]
        );
        assert!(Waveform::of(&Clip::default()).extremes.is_empty());
    }
}
