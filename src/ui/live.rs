//! What the page knows of a voice while it speaks.

use crate::analysis::live::{DEFAULT_SMOOTHING_S, Moment};
use crate::emotion::Emotion;
use crate::web::Microphone;
use leptos::prelude::*;

/// How much of the past is shown, seconds.
pub const TRAIL_S: f64 = 30.0;

/// A stretch of the last moments with one thing to show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Start, seconds from the beginning of the recording.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
    /// The leading emotion and whether it is sure; nothing where no voice was
    /// judged.
    pub shown: Option<(Emotion, bool)>,
}

/// The last `TRAIL_S` as stretches, in order of time and without gaps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trail {
    /// The stretches.
    pub stretches: Vec<Stretch>,
}

impl Trail {
    /// Goes on to a moment: what it shows holds since the last.
    pub fn push(&mut self, moment: &Moment) {
        let shown = moment.answer.as_ref().map(|a| (a.label, a.sure));
        let start_s = self.end_s();
        match self.stretches.last_mut() {
            Some(last) if last.shown == shown => last.end_s = moment.at_s,
            _ => self.stretches.push(Stretch {
                start_s,
                end_s: moment.at_s,
                shown,
            }),
        }
        self.stretches.retain(|s| s.end_s > moment.at_s - TRAIL_S);
    }

    /// The last moment, seconds; zero before the first.
    pub fn end_s(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.end_s)
    }
}

/// Signals about the voice, one copy of handles.
#[derive(Clone, Copy)]
pub struct LiveVoice {
    /// The last moment; absent until the first.
    pub moment: RwSignal<Option<Moment>>,
    /// The moments before.
    pub trail: RwSignal<Trail>,
    /// Whether a voice has been judged in this recording.
    pub spoken: RwSignal<bool>,
    /// Whether the engine gave up following.
    pub deaf: RwSignal<bool>,
    /// How far the last moment lay behind what was recorded when it came,
    /// seconds.
    pub behind_s: RwSignal<f64>,
    /// Time constant of what is shown, seconds.
    pub smoothing_s: RwSignal<f64>,
    /// The microphones there are, as far as the page may know.
    pub microphones: RwSignal<Vec<Microphone>>,
    /// The one chosen, by its id; the usual one if none is.
    pub microphone: RwSignal<Option<String>>,
    /// What was last said to screen readers, and when, seconds.
    pub(super) said: StoredValue<Option<(Option<Emotion>, f64)>>,
}

impl LiveVoice {
    /// Before anything was heard.
    pub fn new() -> LiveVoice {
        LiveVoice {
            moment: RwSignal::new(None),
            trail: RwSignal::new(Trail::default()),
            spoken: RwSignal::new(false),
            deaf: RwSignal::new(false),
            behind_s: RwSignal::new(0.0),
            smoothing_s: RwSignal::new(DEFAULT_SMOOTHING_S),
            microphones: RwSignal::new(Vec::new()),
            microphone: RwSignal::new(None),
            said: StoredValue::new(None),
        }
    }
}

impl Default for LiveVoice {
    fn default() -> LiveVoice {
        LiveVoice::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::live::{Answer, Hearing};
    use crate::emotion::Scores;

    fn moment(at_s: f64, label: Option<Emotion>) -> Moment {
        Moment {
            at_s,
            hearing: Hearing::Speech,
            answer: label.map(|label| Answer {
                scores: Scores::UNIFORM,
                smoothed: Scores::UNIFORM,
                label,
                confidence: 0.5,
                sure: true,
            }),
        }
    }

    #[test]
    fn the_trail_joins_what_is_alike_and_forgets() {
        let mut trail = Trail::default();
        for i in 1..=400 {
            let at_s = 0.25 * f64::from(i);
            let label = match at_s {
                s if s <= 80.0 => Some(Emotion::Sad),
                s if s <= 90.0 => None,
                _ => Some(Emotion::Calm),
            };
            trail.push(&moment(at_s, label));
        }
        let found: Vec<_> = trail
            .stretches
            .iter()
            .map(|s| (s.start_s, s.end_s, s.shown.map(|(e, _)| e)))
            .collect();
        assert_eq!(
            found,
            [
                (0.0, 80.0, Some(Emotion::Sad)),
                (80.0, 90.0, None),
                (90.0, 100.0, Some(Emotion::Calm)),
            ]
        );
        trail.push(&moment(111.0, Some(Emotion::Calm)));
        assert_eq!(trail.stretches.len(), 2, "what is past 30 s is gone");
    }
}
