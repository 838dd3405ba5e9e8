use crate::ui::text;
use leptos::prelude::*;

/// Saves the result.
#[component]
pub fn Downloads(
    /// As JSON.
    on_json: Callback<()>,
    /// As CSV.
    on_csv: Callback<()>,
) -> impl IntoView {
    view! {
        <div class="downloads">
            <button
                type="button"
                class="quiet-button"
                data-testid="download-json"
                on:click=move |_| on_json.run(())
            >
                {text::SAVE_JSON}
            </button>
            <button
                type="button"
                class="quiet-button"
                data-testid="download-csv"
                on:click=move |_| on_csv.run(())
            >
                {text::SAVE_CSV}
            </button>
        </div>
    }
}
