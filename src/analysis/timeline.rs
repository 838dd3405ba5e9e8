//! Overlapping windows as a timeline without overlaps.

use super::Window;
use crate::emotion::{Emotion, Scores};

/// Length of the steps that are judged one by one, seconds.
pub const STEP_S: f64 = 0.5;

/// A stretch of time with one leading emotion.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Start, seconds from the beginning of the clip.
    pub start_s: f64,
    /// End, seconds from the beginning of the clip.
    pub end_s: f64,
    /// The likeliest emotion.
    pub label: Emotion,
    /// Its mean probability over the stretch, `0..=1`.
    pub confidence: f32,
}

/// Parts `0..duration_s` into contiguous segments. Each step of [`STEP_S`] has
/// the mean scores of the windows that cover it, weighted by how much of it
/// they cover; neighbouring steps with the same leading emotion are one
/// segment. A step that no window covers belongs to the one before it.
pub fn segments(windows: &[Window], duration_s: f64) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let n_steps = (duration_s / STEP_S).ceil().max(0.0) as usize;
    for step in 0..n_steps {
        let start_s = step as f64 * STEP_S;
        let end_s = (start_s + STEP_S).min(duration_s);
        let Some((label, p)) = leading(windows, start_s, end_s) else {
            if let Some(last) = segments.last_mut() {
                last.end_s = end_s;
            }
            continue;
        };
        match segments.last_mut() {
            Some(last) if last.label == label => {
                let (before_s, here_s) = (last.end_s - last.start_s, end_s - start_s);
                let share = (here_s / (before_s + here_s)) as f32;
                last.confidence += (p - last.confidence) * share;
                last.end_s = end_s;
            }
            _ => segments.push(Segment {
                // What came before the first window belongs to it.
                start_s: segments.last().map_or(0.0, |last| last.end_s),
                end_s,
                label,
                confidence: p,
            }),
        }
    }
    segments
}

fn leading(windows: &[Window], start_s: f64, end_s: f64) -> Option<(Emotion, f32)> {
    let covering: Vec<(Scores, f32)> = windows
        .iter()
        .filter_map(|w| {
            let shared_s = w.end_s.min(end_s) - w.start_s.max(start_s);
            (shared_s > 0.0).then_some((w.scores, shared_s as f32))
        })
        .collect();
    (!covering.is_empty()).then(|| Scores::mean(covering).top())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(start_s: f64, end_s: f64, emotion: Emotion, p: f32) -> Window {
        let mut weights = [(1.0 - p) / 7.0; 8];
        weights[emotion.index()] = p;
        Window {
            start_s,
            end_s,
            scores: Scores::from_weights(weights),
        }
    }

    #[test]
    fn agreeing_windows_are_one_segment() {
        let windows = [
            window(0.0, 2.0, Emotion::Sad, 0.6),
            window(0.5, 2.5, Emotion::Sad, 0.6),
            window(0.7, 2.7, Emotion::Sad, 0.6),
        ];
        let segments = segments(&windows, 2.7);
        assert_eq!(segments.len(), 1);
        assert_eq!((segments[0].start_s, segments[0].end_s), (0.0, 2.7));
        assert_eq!(segments[0].label, Emotion::Sad);
        assert!((segments[0].confidence - 0.6).abs() < 1e-5);
    }

    #[test]
    fn the_surer_window_has_the_overlap() {
        let windows = [
            window(0.0, 2.0, Emotion::Calm, 0.5),
            window(1.0, 3.0, Emotion::Angry, 0.9),
        ];
        let segments = segments(&windows, 3.0);
        let found: Vec<_> = segments
            .iter()
            .map(|s| (s.start_s, s.end_s, s.label))
            .collect();
        assert_eq!(
            found,
            [(0.0, 1.0, Emotion::Calm), (1.0, 3.0, Emotion::Angry)]
        );
    }

    #[test]
    fn gaps_belong_to_a_neighbour() {
        let windows = [window(1.0, 2.0, Emotion::Happy, 0.9)];
        let segments = segments(&windows, 4.2);
        assert_eq!(segments.len(), 1);
        assert_eq!((segments[0].start_s, segments[0].end_s), (0.0, 4.2));
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(segments(&[], 3.0).is_empty());
        assert!(segments(&[window(0.0, 1.0, Emotion::Sad, 0.5)], 0.0).is_empty());
    }

    proptest! {
        #[test]
        fn segments_part_the_clip_without_a_gap(
            n_windows in 1usize..40,
            rest_s in 0.0f64..0.5,
            labels in prop::collection::vec(0usize..8, 40),
        ) {
            let windows: Vec<Window> = (0..n_windows)
                .map(|i| {
                    let start_s = i as f64 * 0.5;
                    window(start_s, start_s + 2.0, Emotion::ALL[labels[i]], 0.7)
                })
                .collect();
            let duration_s = (n_windows - 1) as f64 * 0.5 + 2.0 + rest_s;
            let segments = segments(&windows, duration_s);
            prop_assert_eq!(segments[0].start_s, 0.0);
            prop_assert_eq!(segments[segments.len() - 1].end_s, duration_s);
            for pair in segments.windows(2) {
                prop_assert_eq!(pair[0].end_s, pair[1].start_s);
                prop_assert_ne!(pair[0].label, pair[1].label);
            }
            prop_assert!(segments.iter().all(|s| (0.0..=1.0).contains(&s.confidence)));
        }
    }
}
