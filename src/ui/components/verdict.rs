use super::Mark;
use crate::ui::state::Outcome;
use crate::ui::text;
use leptos::prelude::*;
use std::sync::Arc;

/// The answer in words, and what should be known besides.
#[component]
pub fn Verdict(
    /// The result.
    outcome: Arc<Outcome>,
) -> impl IntoView {
    let analysis = &outcome.analysis;
    let (label, closest) = text::verdict(&outcome);
    let notices = analysis
        .notices
        .iter()
        .map(|notice| {
            let (kind, words) = text::notice(notice);
            view! { <p class="notice" data-testid="notice" data-kind=kind>{words}</p> }
        })
        .collect_view();
    view! {
        <header class="verdict" data-emotion=analysis.label.name()>
            <p class="verdict__source">{text::source(&outcome)}</p>
            <div class="verdict__answer">
                <span class="plate" class:plate--faint=!analysis.sure>
                    <Mark emotion=analysis.label />
                </span>
                <div>
                    <h2
                        class="verdict__label"
                        data-testid="result-label"
                        data-emotion=analysis.label.name()
                        data-sure=analysis.sure.to_string()
                    >
                        {label}
                        {closest.map(|closest| view! { <small>" "{closest}</small> })}
                    </h2>
                    <p
                        class="verdict__confidence"
                        data-testid="result-confidence"
                        data-value=analysis.confidence.to_string()
                    >
                        {text::confidence(analysis.confidence, analysis.sure)}
                    </p>
                </div>
            </div>
            {notices}
        </header>
    }
}
