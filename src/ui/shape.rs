//! Outlines as SVG paths.

use crate::analysis::Waveform;
use crate::emotion::Emotion;

/// Bars a waveform is drawn with; narrower ones would blur on a telephone.
pub const N_BARS: usize = 180;
/// Width of one bar and of the gap after it, drawing units.
const BAR: f32 = 3.0;
const GAP: f32 = 1.5;
/// Height of the drawing, drawing units.
pub const HEIGHT: f32 = 100.0;
/// Silence is drawn as a thin line of this height.
const THIN: f32 = 1.5;
/// A recording is drawn at full height from this peak on; what is quieter
/// than that shows as quiet.
const FULL_PEAK: f32 = 0.05;

/// Width of the drawing, drawing units.
pub fn width() -> f32 {
    N_BARS as f32 * (BAR + GAP) - GAP
}

/// A waveform as bars about the middle, scaled to its peak.
pub fn waveform(waveform: &Waveform) -> String {
    let extremes = &waveform.extremes;
    let peak = extremes
        .iter()
        .fold(FULL_PEAK, |peak, (low, high)| peak.max(-low).max(*high));
    let mut path = String::new();
    for bar in 0..N_BARS {
        let from = bar * extremes.len() / N_BARS;
        let to = ((bar + 1) * extremes.len() / N_BARS).max(from + 1);
        let (low, high) = extremes
            .get(from..to.min(extremes.len()))
            .unwrap_or_default()
            .iter()
            .fold((0.0f32, 0.0f32), |(l, h), (low, high)| {
                (l.min(*low), h.max(*high))
            });
        let half = (high - low) / 2.0 / peak * HEIGHT / 2.0;
        let half = half.clamp(THIN / 2.0, HEIGHT / 2.0);
        let x = bar as f32 * (BAR + GAP);
        path.push_str(&format!(
            "M{x:.1} {:.1}h{BAR}v{:.1}h-{BAR}z",
            HEIGHT / 2.0 - half,
            2.0 * half
        ));
    }
    path
}

/// The sign of an emotion in a square of 16 units, drawn with strokes of 2:
/// each has a shape of its own, so that nobody needs the colour.
pub fn sign(emotion: Emotion) -> &'static str {
    match emotion {
        // A level bar.
        Emotion::Neutral => "M2.5 8h11",
        // A slow wave.
        Emotion::Calm => "M1.5 9.5c2.2-4.5 4.3-4.5 6.5 0s4.3 4.5 6.5 0",
        // A smile.
        Emotion::Happy => "M2.5 8.5a5.8 5.8 0 0 0 11 0M5 3v2M11 3v2",
        // A falling drop.
        Emotion::Sad => "M8 2c2.6 3.4 4 5.5 4 7.5a4 4 0 0 1-8 0c0-2 1.4-4.1 4-7.5z",
        // A bolt.
        Emotion::Angry => "M9.5 1.5 4 9h4l-1.5 5.5L12 7H8z",
        // A trembling line.
        Emotion::Fearful => "M1.5 8 3.7 4.5 5.9 11.5 8 4.5 10.1 11.5 12.3 4.5 14.5 8",
        // A cross.
        Emotion::Disgusted => "M3.5 3.5l9 9m0-9l-9 9",
        // A wide-open ring with a dot.
        Emotion::Surprised => "M8 2.5a5.5 5.5 0 1 0 .01 0M8 7.5v1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waveform_has_all_its_bars_and_stays_within_its_height() {
        for extremes in [
            Vec::new(),
            vec![(-0.5, 0.5)],
            vec![(-2.0, 1.0); 5],
            vec![(0.0, 0.0); 1_999],
        ] {
            let path = waveform(&Waveform {
                extremes,
                stretch_samples: 16,
            });
            assert_eq!(path.matches('M').count(), N_BARS);
            assert!(!path.contains("NaN"));
        }
    }
}
