use super::Mark;
use crate::ui::text;
use leptos::prelude::*;

/// The page's own clips, one button each.
#[component]
pub fn Samples(
    /// Whether clips are taken now.
    disabled: Signal<bool>,
    /// A clip was chosen, by its file name.
    on_choose: Callback<&'static str>,
) -> impl IntoView {
    let buttons = text::SAMPLE_CLIPS
        .iter()
        .map(|sample| {
            view! {
                <li>
                    <button
                        type="button"
                        class="sample"
                        data-testid="sample"
                        data-sample=sample.file
                        disabled=disabled
                        on:click=move |_| on_choose.run(sample.file)
                    >
                        <Mark emotion=sample.acted />
                        {text::emotion(sample.acted)}
                    </button>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="samples" aria-labelledby="samples-title">
            <h2 class="small-title" id="samples-title">{text::SAMPLES}</h2>
            <ul class="samples__list">{buttons}</ul>
            <p class="fine">{text::SAMPLES_SOURCE}</p>
        </section>
    }
}
