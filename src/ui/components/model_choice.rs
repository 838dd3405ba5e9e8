use super::focus::keep_focus;
use crate::model::shipped;
use crate::ui::text;
use leptos::prelude::*;

/// The list of models.
const MODEL_ID: &str = "model";

/// Which model answers.
#[component]
pub fn ModelChoice(
    /// Name of the one in use or on its way.
    chosen: Signal<String>,
    /// Name of one that could not be loaded.
    refused: Signal<Option<String>>,
    /// Whether another can be chosen now.
    disabled: Signal<bool>,
    /// Another was chosen, by its name.
    on_choose: Callback<String>,
) -> impl IntoView {
    keep_focus(MODEL_ID, disabled);
    let options = shipped::NAMES
        .into_iter()
        .map(|name| {
            view! {
                <option value=name selected=move || chosen.get() == name>
                    {text::model_name(name)}
                </option>
            }
        })
        .collect_view();
    let words = move || match refused.get() {
        Some(name) => text::model_refused(&name, &chosen.get()),
        None => text::model_description(&chosen.get()).to_owned(),
    };
    view! {
        <div class="model">
            <label class="choice">
                <span class="choice__label">{text::MODEL}</span>
                <select
                    class="choice__select"
                    id=MODEL_ID
                    data-testid="model"
                    aria-describedby="model-words"
                    disabled=disabled
                    prop:value=chosen
                    on:change=move |event| on_choose.run(event_target_value(&event))
                >
                    {options}
                </select>
            </label>
            <p
                class="fine"
                class:model__refused=move || refused.with(Option::is_some)
                id="model-words"
                data-testid="model-words"
                data-refused=move || refused.get()
            >
                {words}
            </p>
        </div>
    }
}
