//! What happens while a voice is followed, and the choice of microphone.

use super::state::{Page, Phase};
use super::text;
use crate::analysis::live::{MAX_SMOOTHING_S, Moment};
use crate::web::{microphones, storage};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// Screen readers hear of a change at most this often, seconds.
const SAY_EVERY_S: f64 = 5.0;

/// Where the choices are kept across visits.
const SMOOTHING: &str = "undertone.smoothing";
const MICROPHONE: &str = "undertone.microphone";

impl Page {
    /// Takes up the choices of the last visit.
    pub(super) fn recall_live_choices(self) {
        let smoothing_s = storage::number(SMOOTHING);
        if let Some(s) = smoothing_s.filter(|s| (0.0..=MAX_SMOOTHING_S).contains(s)) {
            self.live.smoothing_s.set(s);
        }
        self.live.microphone.set(storage::get(MICROPHONE));
        self.list_microphones();
        microphones::on_change(move || self.list_microphones());
    }

    /// Looks which microphones there are.
    pub(super) fn list_microphones(self) {
        spawn_local(async move {
            let found = microphones::list().await;
            let chosen = self.live.microphone.get_untracked();
            // Names are known once a microphone was allowed; only then can the
            // chosen one be said to be gone.
            if !found.is_empty() && !found.iter().any(|m| Some(&m.id) == chosen.as_ref()) {
                self.live.microphone.set(None);
            }
            self.live.microphones.set(found);
        });
    }

    /// Listens to another microphone from the next recording on.
    pub fn choose_microphone(self, id: String) {
        storage::set(MICROPHONE, &id);
        self.live.microphone.set(Some(id));
    }

    /// A recording begins: nothing is known of its voice.
    pub(super) fn begin_live(self) {
        let live = self.live;
        live.moment.set(None);
        live.trail.update(|trail| trail.stretches.clear());
        live.spoken.set(false);
        live.deaf.set(false);
        live.said.set_value(None);
    }

    /// Has the engine follow the voice that is being recorded, now or as soon
    /// as it is ready, and again whenever it was started anew.
    pub(super) fn follow_voice(self) {
        if self.phase.get_untracked() != Phase::Recording {
            return;
        }
        let smoothing_s = self.live.smoothing_s.get_untracked();
        self.devices.with_value(|devices| {
            if let (Some(client), Some(recorder)) = (&devices.client, &devices.recorder) {
                match recorder.feed() {
                    Ok(feed) => {
                        self.live.deaf.set(false);
                        client.listen(&feed, self.options(), smoothing_s);
                    }
                    Err(_) => self.live.deaf.set(true),
                }
            }
        });
    }

    /// Shows a moment.
    pub(super) fn hear_moment(self, moment: Moment) {
        if self.phase.get_untracked() != Phase::Recording {
            return;
        }
        let live = self.live;
        live.behind_s
            .set(self.elapsed_s.get_untracked() - moment.at_s);
        live.trail.update(|trail| trail.push(&moment));
        if moment.answer.is_some() {
            live.spoken.set(true);
        }
        self.say_of(&moment);
        live.moment.set(Some(moment));
    }

    /// Tells screen readers of another leading emotion, but not too often.
    fn say_of(self, moment: &Moment) {
        let Some(answer) = &moment.answer else {
            return;
        };
        let leading = answer.sure.then_some(answer.label);
        let due = self.live.said.with_value(|said| match said {
            Some((last, at_s)) => *last != leading && moment.at_s - at_s >= SAY_EVERY_S,
            None => true,
        });
        if due {
            self.live.said.set_value(Some((leading, moment.at_s)));
            self.announcement.set(text::announced_moment(leading));
        }
    }

    /// Changes the time constant of what is shown, seconds.
    pub fn smooth_over(self, smoothing_s: f64) {
        self.live.smoothing_s.set(smoothing_s);
        storage::set(SMOOTHING, &smoothing_s.to_string());
        self.devices.with_value(|devices| {
            if let Some(client) = &devices.client {
                client.smooth_over(smoothing_s);
            }
        });
    }
}
