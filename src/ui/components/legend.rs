use super::Mark;
use crate::emotion::Emotion;
use crate::ui::text;
use leptos::prelude::*;

/// What the page will show, before it has anything to show.
#[component]
pub fn Legend() -> impl IntoView {
    let emotions = Emotion::ALL
        .into_iter()
        .map(|emotion| {
            view! {
                <li class="legend__item" data-emotion=emotion.name()>
                    <span class="plate"><Mark emotion /></span>
                    {text::emotion(emotion)}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="legend" aria-labelledby="legend-title">
            <h2 class="legend__title" id="legend-title">{text::EMPTY_TITLE}</h2>
            <p class="legend__text">{text::EMPTY_TEXT}</p>
            <ul class="legend__list">{emotions}</ul>
        </section>
    }
}
