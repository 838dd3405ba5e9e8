use crate::ui::text;
use leptos::prelude::*;

/// Play, pause, and where playback is.
#[component]
pub fn Transport(
    /// Length of the clip, seconds.
    duration_s: f64,
    /// Where playback is, seconds.
    position_s: Signal<f64>,
    /// Whether it plays.
    playing: Signal<bool>,
    /// Whether the browser can play this sound.
    playable: Signal<bool>,
    /// Play or pause was pressed.
    on_toggle: Callback<()>,
    /// What stands beside.
    children: Children,
) -> impl IntoView {
    let label = move || {
        if playing.get() {
            text::PAUSE
        } else {
            text::PLAY
        }
    };
    let sign = move || {
        if playing.get() {
            "M4 3h3v10H4zM9 3h3v10H9z"
        } else {
            "M4.5 2.5v11l9-5.5z"
        }
    };
    view! {
        <div class="transport">
            <button
                type="button"
                class="transport__play"
                data-testid="play-button"
                aria-pressed=move || playing.get().to_string()
                disabled=move || !playable.get()
                on:click=move |_| on_toggle.run(())
            >
                <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                    <path d=sign />
                </svg>
                {label}
            </button>
            <span class="transport__position" data-testid="position">
                {move || {
                    let here = text::fine_clock(position_s.get().min(duration_s));
                    format!("{here} / {}", text::fine_clock(duration_s))
                }}
            </span>
            <Show when=move || !playable.get()>
                <span class="fine">{text::NOT_PLAYABLE}</span>
            </Show>
            {children()}
        </div>
    }
}
