use crate::ui::state::Fault;
use crate::ui::text;
use leptos::prelude::*;

/// One sentence on what went wrong and what to do next.
#[component]
pub fn ErrorMessage(
    /// The error, if there is one.
    fault: Signal<Option<Fault>>,
    /// It has been read.
    on_dismiss: Callback<()>,
) -> impl IntoView {
    move || {
        fault.get().map(|fault| {
            let advice = text::fault(&fault);
            view! {
                <div class="error" data-testid="error" data-kind=fault.kind()>
                    <svg class="error__sign" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                        <path d="M8 1.5 15 14H1zM8 6v4m0 1.5v1" />
                    </svg>
                    <p class="error__words">
                        <strong>{advice.happened}</strong>
                        ": "
                        {advice.next}
                    </p>
                    <button
                        type="button"
                        class="quiet-button"
                        data-testid="error-dismiss"
                        on:click=move |_| on_dismiss.run(())
                    >
                        {text::DISMISS}
                    </button>
                </div>
            }
        })
    }
}
