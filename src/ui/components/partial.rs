use super::{Mark, Stage};
use crate::ui::state::Outcome;
use crate::ui::text;
use leptos::prelude::*;
use std::sync::Arc;

/// What has been found in a long recording that is still being read.
#[component]
pub fn PartialResult(
    /// What there is so far.
    outcome: Arc<Outcome>,
    /// How much has been heard, seconds.
    heard_s: f64,
) -> impl IntoView {
    let analysis = &outcome.analysis;
    let label = analysis.label;
    view! {
        <section
            class="result"
            aria-label=text::SO_FAR
            data-testid="partial"
            data-heard=format!("{heard_s:.1}")
        >
            <header class="verdict" data-emotion=label.name()>
                <p class="verdict__source">
                    {text::heard_so_far(&outcome.file, heard_s, analysis.duration_s)}
                </p>
                <div class="verdict__answer">
                    <span class="plate plate--faint"><Mark emotion=label /></span>
                    <div>
                        <h2 class="verdict__label">{text::verdict(&outcome).0}</h2>
                        <p class="verdict__confidence">{text::so_far(analysis.confidence)}</p>
                    </div>
                </div>
            </header>
            <Stage outcome position_s=Signal::stored(heard_s) still=true />
        </section>
    }
}
