use super::Mark;
use crate::emotion::Scores;
use crate::ui::text;
use leptos::prelude::*;

/// A bar for each emotion, the likeliest first.
#[component]
pub fn ScoreBars(
    /// Probabilities over the whole clip.
    scores: Scores,
) -> impl IntoView {
    let bars = scores
        .ranked()
        .into_iter()
        .map(|(emotion, p)| {
            view! {
                <li
                    class="score"
                    data-testid="score"
                    data-emotion=emotion.name()
                    data-value=p.to_string()
                >
                    <Mark emotion />
                    <span class="score__name">{text::emotion(emotion)}</span>
                    <span class="score__track" aria-hidden="true">
                        <span
                            class="score__fill tint"
                            style:width=format!("{:.2}%", 100.0 * p)
                        ></span>
                    </span>
                    <span class="score__value">{text::percent(p)}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="scores" aria-labelledby="scores-title">
            <h3 class="small-title" id="scores-title">{text::SCORES}</h3>
            <ol class="scores__list">{bars}</ol>
        </section>
    }
}
