use crate::ui::text;
use crate::worker::client::EngineState;
use leptos::prelude::*;

/// What the engine is doing, and a way out when it failed.
#[component]
pub fn EngineStatus(
    /// The engine's state.
    engine: Signal<EngineState>,
    /// It is to be started again.
    on_retry: Callback<()>,
) -> impl IntoView {
    let state = move || match engine.get() {
        EngineState::Starting => "starting",
        EngineState::Loading { .. } => "loading",
        EngineState::Ready => "ready",
        EngineState::Failed { .. } => "failed",
    };
    let reason = move || match engine.get() {
        EngineState::Failed { reason } => Some(reason),
        _ => None,
    };
    let failed = Memo::new(move |_| matches!(engine.get(), EngineState::Failed { .. }));
    let fraction = move || match engine.get() {
        EngineState::Starting => 0.0,
        EngineState::Loading { fraction } => fraction.unwrap_or(0.1),
        _ => 1.0,
    };
    view! {
        <div class="engine" data-testid="engine-status" data-state=state title=reason>
            <span class="engine__light" aria-hidden="true"></span>
            <span class="engine__words" role="status">{move || text::engine(&engine.get())}</span>
            <Show when=move || failed.get()>
                <button
                    type="button"
                    class="quiet-button"
                    data-testid="engine-retry"
                    on:click=move |_| on_retry.run(())
                >
                    {text::RETRY}
                </button>
            </Show>
            <span
                class="engine__track"
                aria-hidden="true"
                style:--share=move || format!("{:.3}", fraction())
            ></span>
        </div>
    }
}
