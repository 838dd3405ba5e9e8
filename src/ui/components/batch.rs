use super::Table;
use crate::ui::batch::{Batch, Tally, words};
use crate::ui::text;
use crate::worker::schedule::TaskId;
use leptos::prelude::*;

/// Many recordings: how far all are, what can be done with all, and the table.
#[component]
pub fn BatchView(
    /// What is known of them.
    batch: Batch,
    /// Whether the engine takes work.
    ready: Signal<bool>,
    /// Everything is to be held, or to go on.
    on_pause: Callback<()>,
    /// What is not done is to be given up.
    on_cancel: Callback<()>,
    /// What was given up is to be done.
    on_continue: Callback<()>,
    /// All is to be forgotten.
    on_close: Callback<()>,
    /// All answers are to be saved as JSON.
    on_json: Callback<()>,
    /// All answers are to be saved as CSV.
    on_csv: Callback<()>,
    /// A row's answer is to be shown in full.
    on_open: Callback<TaskId>,
) -> impl IntoView {
    let tally = move || batch.tally.get();
    let running = Memo::new(move |_| tally().n_left > 0);
    let state = move || match (running.get(), batch.paused.get()) {
        (false, _) => "done",
        (true, true) => "paused",
        (true, false) => "running",
    };
    let any_done = move || tally().n_done > 0;
    let any_stopped = move || tally().n_stopped > 0;
    let button = move |id: &'static str, words: &'static str, on_press: Callback<()>| {
        view! {
            <button
                type="button"
                class="quiet-button"
                data-testid=id
                on:click=move |_| on_press.run(())
            >
                {words}
            </button>
        }
    };
    view! {
        <section
            class="batch"
            aria-labelledby="batch-title"
            data-testid="batch"
            data-state=state
            data-done=move || tally().n_done.to_string()
            data-failed=move || tally().n_failed.to_string()
        >
            <header class="batch__head">
                <h2 class="batch__title" id="batch-title">{move || words::title(tally())}</h2>
                <p class="batch__tally" data-testid="batch-tally">{move || words::tally(tally())}</p>
            </header>
            <Show when=move || running.get()>
                <BatchProgress batch ready />
            </Show>
            <div class="batch__actions">
                <Show when=move || running.get()>
                    <button
                        type="button"
                        class="quiet-button"
                        data-testid="batch-pause"
                        aria-pressed=move || batch.paused.get().to_string()
                        on:click=move |_| on_pause.run(())
                    >
                        {move || if batch.paused.get() { words::RESUME } else { words::PAUSE }}
                    </button>
                    {button("batch-cancel", words::CANCEL, on_cancel)}
                </Show>
                <Show when=move || !running.get() && any_stopped()>
                    {button("batch-continue", words::CONTINUE, on_continue)}
                </Show>
                <Show when=any_done>
                    {button("batch-csv", words::SAVE_CSV, on_csv)}
                    {button("batch-json", words::SAVE_JSON, on_json)}
                </Show>
                <Show when=move || !running.get()>
                    {button("batch-close", words::CLOSE, on_close)}
                </Show>
            </div>
            <Table batch on_open />
        </section>
    }
}

#[component]
fn BatchProgress(batch: Batch, ready: Signal<bool>) -> impl IntoView {
    let words = move || match (ready.get(), batch.paused.get(), batch.remaining_ms.get()) {
        (_, true, _) => words::PAUSED.to_owned(),
        (false, ..) => words::WAITING_FOR_ENGINE.to_owned(),
        (true, false, Some(remaining_ms)) => text::remaining(remaining_ms),
        (true, false, None) => String::new(),
    };
    view! {
        <div class="batch__progress" class:batch__progress--held=batch.paused>
            <div
                class="progress__track"
                data-testid="batch-progress"
                role="progressbar"
                aria-labelledby="batch-title"
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || format!("{:.0}", 100.0 * batch.fraction.get())
                data-value=move || format!("{:.3}", batch.fraction.get())
            >
                <div
                    class="progress__fill"
                    style:width=move || format!("{:.1}%", 100.0 * batch.fraction.get())
                ></div>
            </div>
            <span class="batch__remaining">{words}</span>
        </div>
    }
}

/// The way back to the table from what was opened instead.
#[component]
pub fn BackToBatch(
    /// How many recordings are how far.
    tally: Signal<Tally>,
    /// It was pressed.
    on_back: Callback<()>,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="quiet-button back"
            data-testid="batch-back"
            on:click=move |_| on_back.run(())
        >
            <svg viewBox="0 0 10 10" aria-hidden="true" focusable="false">
                <path d="M8 5H2m0 0 3-3M2 5l3 3" />
            </svg>
            {move || words::back(tally.get())}
        </button>
    }
}
