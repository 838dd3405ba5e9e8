use super::Mark;
use crate::analysis::Utterance;
use crate::ui::state::Outcome;
use crate::ui::text;
use leptos::prelude::*;
use std::sync::Arc;

/// Height of a row, CSS pixels; the style sheet has the same.
const ROW_PX: f64 = 36.0;
/// Rows made: what is in sight, and some above and below it. An interview has
/// thousands.
const N_MADE: usize = 40;
/// Of these, rows above what is in sight.
const N_ABOVE: usize = 12;

/// The utterances as a table: when, what, how sure. A row goes to its place in
/// the recording. One utterance alone is what the verdict says already.
#[component]
pub fn Utterances(
    /// The result.
    outcome: Arc<Outcome>,
    /// Where playback is, seconds.
    position_s: Signal<f64>,
    /// Another place was chosen, seconds.
    on_seek: Callback<f64>,
) -> impl IntoView {
    let n = outcome.analysis.utterances.len();
    if n < 2 {
        return None;
    }
    let first_in_sight = RwSignal::new(0usize);
    let on_scroll = move |event: leptos::ev::Event| {
        let sight: leptos::web_sys::Element = event_target(&event);
        let first = (f64::from(sight.scroll_top()) / ROW_PX) as usize;
        if first != first_in_sight.get_untracked() {
            first_in_sight.set(first);
        }
    };
    // Rows are made anew only when the sight has moved by some.
    let start = Memo::new(move |_| {
        let above = first_in_sight.get().saturating_sub(N_ABOVE);
        (above / 8 * 8).min(n.saturating_sub(N_MADE))
    });
    let end = move || (start.get() + N_MADE).min(n);
    let here = {
        let outcome = outcome.clone();
        Memo::new(move |_| outcome.utterance_index_at(position_s.get()))
    };
    let rows = move || {
        let utterances = outcome.analysis.utterances[start.get()..end()].iter();
        utterances
            .enumerate()
            .map(|(i, utterance)| {
                let index = start.get_untracked() + i;
                row(index, utterance, here, on_seek)
            })
            .collect_view()
    };
    let gap = move |rows: usize| {
        (rows > 0).then(|| {
            let height = format!("{}px", rows as f64 * ROW_PX);
            view! { <tr class="utterances__gap" aria-hidden="true" style:height=height></tr> }
        })
    };
    Some(view! {
        <section class="utterances" aria-labelledby="utterances-title">
            <h3 class="small-title" id="utterances-title">
                {text::UTTERANCES}
                <span class="utterances__count">{n}</span>
            </h3>
            <div class="utterances__sight" on:scroll=on_scroll>
                <table
                    class="utterances__table"
                    data-testid="utterances"
                    aria-labelledby="utterances-title"
                    aria-rowcount=(n + 1).to_string()
                >
                    <thead>
                        <tr>
                            <th scope="col">{text::UTTERANCE_TIME}</th>
                            <th scope="col">{text::UTTERANCE_LENGTH}</th>
                            <th scope="col">{text::UTTERANCE_EMOTION}</th>
                            <th scope="col" class="utterances__number">
                                {text::UTTERANCE_CONFIDENCE}
                            </th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || gap(start.get())}
                        {rows}
                        {move || gap(n - end())}
                    </tbody>
                </table>
            </div>
        </section>
    })
}

fn row(
    index: usize,
    utterance: &Utterance,
    here: Memo<Option<usize>>,
    on_seek: Callback<f64>,
) -> impl IntoView + use<> {
    let start_s = utterance.start_s;
    let verdict = utterance.verdict;
    let doubt = verdict.is_none_or(|v| !v.sure);
    view! {
        <tr
            class="utterances__row"
            class:utterances__row--doubt=doubt
            data-testid="utterance"
            data-start=format!("{:.3}", utterance.start_s)
            data-end=format!("{:.3}", utterance.end_s)
            data-emotion=verdict.map(|v| v.label.name())
            data-sure=verdict.map(|v| v.sure.to_string())
            aria-rowindex=(index + 2).to_string()
            aria-current=move || (here.get() == Some(index)).then_some("true")
            on:click=move |_| on_seek.run(start_s)
        >
            // The button is what a keyboard reaches; its press is the row's.
            <td>
                <button
                    type="button"
                    class="utterances__go"
                    aria-label=text::go_to(utterance)
                >
                    {text::fine_clock(start_s)}
                </button>
            </td>
            <td>{text::length(utterance.end_s - start_s)}</td>
            <td>
                <span class="utterances__emotion">
                    {verdict.map(|v| view! { <Mark emotion=v.label /> })}
                    {text::utterance_emotion(utterance)}
                </span>
            </td>
            <td class="utterances__number">
                {verdict.map(|v| text::percent(v.confidence))}
            </td>
        </tr>
    }
}
