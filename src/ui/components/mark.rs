use crate::emotion::Emotion;
use crate::ui::shape;
use leptos::prelude::*;

/// An emotion's sign, for the eye only: its name always stands beside it.
#[component]
pub fn Mark(emotion: Emotion) -> impl IntoView {
    view! {
        <svg
            class="mark"
            data-emotion=emotion.name()
            viewBox="0 0 16 16"
            aria-hidden="true"
            focusable="false"
        >
            <path d=shape::sign(emotion) />
        </svg>
    }
}
