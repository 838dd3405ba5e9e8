use crate::ui::text;
use crate::web::Microphone;
use leptos::prelude::*;

/// Which microphone; shown when there is a choice.
#[component]
pub fn MicrophoneChoice(
    /// The microphones there are.
    microphones: Signal<Vec<Microphone>>,
    /// The one chosen, by its id.
    chosen: Signal<Option<String>>,
    /// Whether another can be chosen now.
    disabled: Signal<bool>,
    /// Another was chosen, by its id.
    on_choose: Callback<String>,
) -> impl IntoView {
    let several = Memo::new(move |_| microphones.with(|m| m.len() > 1));
    let options = move || {
        let first = microphones.with(|m| m.first().map(|m| m.id.clone()));
        let current = chosen.get().or(first);
        microphones
            .get()
            .into_iter()
            .map(|microphone| {
                let selected = current.as_ref() == Some(&microphone.id);
                view! {
                    <option value=microphone.id selected=selected>{microphone.label}</option>
                }
            })
            .collect_view()
    };
    view! {
        <Show when=move || several.get()>
            <label class="choice">
                <span class="choice__label">{text::MICROPHONE}</span>
                <select
                    class="choice__select"
                    data-testid="microphone"
                    disabled=disabled
                    on:change=move |event| on_choose.run(event_target_value(&event))
                >
                    {options}
                </select>
            </label>
        </Show>
    }
}
