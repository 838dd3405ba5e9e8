use crate::ui::text;
use crate::worker::client::EngineState;
use leptos::prelude::*;

/// What takes no longer than this needs no word on it, milliseconds.
const SHORT_MS: f64 = 3_000.0;

/// How far the analysis is, and a way to break it off.
#[component]
pub fn Progress(
    /// `0..=1`.
    fraction: Signal<f32>,
    /// Time left, milliseconds, where something can be said.
    remaining_ms: Signal<Option<f64>>,
    /// What the engine is doing: the analysis may still wait for it.
    engine: Signal<EngineState>,
    /// It is to be broken off.
    on_cancel: Callback<()>,
) -> impl IntoView {
    let words = move || match engine.get() {
        EngineState::Ready => text::ANALYZING,
        _ => text::ANALYZING_WAITS,
    };
    view! {
        <div class="progress">
            <span class="progress__words" id="progress-words">{words}</span>
            <div
                class="progress__track"
                data-testid="progress"
                role="progressbar"
                aria-labelledby="progress-words"
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || format!("{:.0}", 100.0 * fraction.get())
                data-value=move || format!("{:.3}", fraction.get())
            >
                <div
                    class="progress__fill"
                    style:width=move || format!("{:.1}%", 100.0 * fraction.get())
                ></div>
            </div>
            <Show when=move || remaining_ms.get().is_some_and(|ms| ms > SHORT_MS)>
                <span class="batch__remaining" data-testid="remaining">
                    {move || remaining_ms.get().map(text::remaining)}
                </span>
            </Show>
            <button
                type="button"
                class="quiet-button"
                data-testid="cancel-button"
                on:click=move |_| on_cancel.run(())
            >
                {text::CANCEL}
            </button>
        </div>
    }
}
