use crate::web::view;
use leptos::prelude::*;

/// Gives the keyboard's focus back to a control that had it when it was disabled,
/// once it is enabled again, unless the focus has gone elsewhere: browsers take
/// it from whatever is disabled.
pub fn keep_focus(id: &'static str, disabled: Signal<bool>) {
    Effect::new(move |held: Option<bool>| {
        if disabled.get() {
            return held.unwrap_or(false) || view::has_focus(id);
        }
        if held == Some(true) && view::nothing_has_focus() {
            // The attribute goes in this turn, perhaps after this effect.
            request_animation_frame(move || view::focus(id));
        }
        false
    });
}
