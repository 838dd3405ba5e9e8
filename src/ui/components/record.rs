use crate::ui::state::Phase;
use crate::ui::text;
use crate::web::capture::FLOOR_DBFS;
use leptos::prelude::*;

/// The microphone: one large button, and level and time while it is open.
#[component]
pub fn Record(
    /// What the page is doing.
    phase: Signal<Phase>,
    /// Whether the browser is asking for the microphone.
    asking: Signal<bool>,
    /// The microphone's level, dBFS.
    level_dbfs: Signal<f32>,
    /// Length of the recording, seconds.
    elapsed_s: Signal<f64>,
    /// The button's id, so that the focus can return to it.
    id: &'static str,
    /// The button was pressed.
    on_press: Callback<()>,
) -> impl IntoView {
    let recording = Memo::new(move |_| phase.get() == Phase::Recording);
    let label = move || match (recording.get(), asking.get()) {
        (true, _) => text::RECORD_STOP,
        (false, true) => text::RECORD_ASKING,
        (false, false) => text::RECORD,
    };
    let hint = move || match (recording.get(), asking.get()) {
        (true, _) => text::RECORD_HINT_RECORDING,
        (false, true) => text::RECORD_HINT_ASKING,
        (false, false) => text::RECORD_HINT,
    };
    view! {
        <div class="record" class:record--on=recording class:record--asking=asking>
            <button
                type="button"
                class="record__button"
                data-testid="record-button"
                id=id
                aria-pressed=move || recording.get().to_string()
                aria-describedby="record-hint"
                on:click=move |_| on_press.run(())
            >
                <span class="record__sign" aria-hidden="true"></span>
                <span class="record__label">{label}</span>
            </button>
            <p class="record__hint" id="record-hint">{hint}</p>
            <Show when=move || recording.get()>
                <Level level_dbfs elapsed_s />
            </Show>
        </div>
    }
}

#[component]
fn Level(level_dbfs: Signal<f32>, elapsed_s: Signal<f64>) -> impl IntoView {
    let level = move || level_dbfs.get().clamp(FLOOR_DBFS, 0.0);
    let share = move || 100.0 * (1.0 - level() / FLOOR_DBFS);
    view! {
        <div class="level">
            <div
                class="level__meter"
                data-testid="level-meter"
                role="meter"
                aria-label=text::LEVEL
                aria-valuemin=FLOOR_DBFS.to_string()
                aria-valuemax="0"
                aria-valuenow=move || format!("{:.0}", level())
                aria-valuetext=move || format!("{:.0} dBFS", level())
            >
                <div class="level__fill" style:width=move || format!("{:.1}%", share())></div>
            </div>
            <span class="level__elapsed" data-testid="elapsed" role="timer" aria-label=text::ELAPSED>
                {move || text::clock(elapsed_s.get())}
            </span>
        </div>
    }
}
