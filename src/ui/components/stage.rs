use super::Mark;
use crate::analysis::Utterance;
use crate::emotion::Emotion;
use crate::ui::state::Outcome;
use crate::ui::{shape, text};
use leptos::prelude::*;
use std::sync::Arc;
use web_sys::HtmlInputElement;

/// How far an arrow key goes, seconds: the timeline's own step.
const ARROW_S: f64 = 0.5;

/// Waveform and timeline over one time axis, with the slider upon both.
#[component]
pub fn Stage(
    /// The result.
    outcome: Arc<Outcome>,
    /// Where playback is, seconds.
    position_s: Signal<f64>,
    /// Another place was chosen, seconds.
    #[prop(default = Callback::new(|_| ()))]
    on_seek: Callback<f64>,
    /// Whether it is only looked at: there is nothing to play yet.
    #[prop(default = false)]
    still: bool,
) -> impl IntoView {
    let duration_s = outcome.analysis.duration_s;
    let percent = move |t: f64| format!("{:.3}%", 100.0 * (t / duration_s).clamp(0.0, 1.0));
    let path = shape::waveform(&outcome.analysis.waveform);
    let (width, height) = (shape::width(), shape::HEIGHT);
    let played = move || {
        let share = (position_s.get() / duration_s).clamp(0.0, 1.0) as f32;
        format!("{:.2}", share * width)
    };
    let segments = outcome
        .drawn
        .iter()
        .map(|utterance| timeline_segment(utterance, duration_s))
        .collect_view();
    let ticks = outcome
        .ticks_s
        .iter()
        .map(|t| {
            view! {
                <span class="axis__tick" style:left=percent(*t)>
                    {text::tick(*t, duration_s)}
                </span>
            }
        })
        .collect_view();
    view! {
        <div class="stage">
            <div class="stage__lanes">
                <svg
                    class="wave"
                    data-testid="waveform"
                    role="img"
                    aria-label=text::WAVEFORM
                    viewBox=format!("0 0 {width} {height}")
                    preserveAspectRatio="none"
                >
                    <clipPath id="played">
                        <rect x="0" y="0" height=height.to_string() width=played />
                    </clipPath>
                    <path class="wave__all" d=path.clone() />
                    <path class="wave__played" d=path clip-path="url(#played)" />
                </svg>
                <div class="timeline">{segments}</div>
                <div class="stage__cursor" style:left=move || percent(position_s.get())></div>
                {(!still).then(|| view! { <Seek outcome=outcome.clone() position_s on_seek /> })}
            </div>
            <div class="axis" aria-hidden="true">{ticks}</div>
        </div>
    }
}

fn timeline_segment(utterance: &Utterance, duration_s: f64) -> impl IntoView + use<> {
    let share = |seconds: f64| format!("{:.4}%", 100.0 * seconds / duration_s);
    let label = utterance.verdict.map(|v| v.label);
    let faint = utterance.verdict.is_some_and(|v| !v.sure);
    let heard = text::heard(utterance);
    view! {
        <div
            class="segment"
            class:tint=label.is_some()
            class:tint--faint=faint
            data-testid="timeline-segment"
            data-emotion=label.map(Emotion::name)
            data-sure=utterance.verdict.map(|v| v.sure.to_string())
            data-start=format!("{:.3}", utterance.start_s)
            data-end=format!("{:.3}", utterance.end_s)
            title=text::utterance(utterance)
            style:left=share(utterance.start_s)
            style:width=share(utterance.end_s - utterance.start_s)
        >
            {label
                .map(|label| {
                    view! {
                        <span class="segment__plate">
                            <Mark emotion=label />
                            <span class="segment__name">{heard}</span>
                        </span>
                    }
                })}
        </div>
    }
}

/// The slider lies invisible over both lanes, so that a press anywhere goes
/// there; its value is drawn as the cursor.
#[component]
fn Seek(outcome: Arc<Outcome>, position_s: Signal<f64>, on_seek: Callback<f64>) -> impl IntoView {
    let duration_s = outcome.analysis.duration_s;
    let go = move |t: f64| on_seek.run(t.clamp(0.0, duration_s));
    let on_input = move |event| {
        go(event_target::<HtmlInputElement>(&event).value_as_number());
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let here = position_s.get_untracked();
        let there = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => here - ARROW_S,
            "ArrowRight" | "ArrowUp" => here + ARROW_S,
            "Home" => 0.0,
            "End" => duration_s,
            _ => return,
        };
        event.prevent_default();
        go(there);
    };
    view! {
        <input
            type="range"
            class="stage__seek"
            data-testid="seek"
            aria-label=text::POSITION
            min="0"
            max=duration_s.to_string()
            step="any"
            prop:value=move || position_s.get().to_string()
            aria-valuenow=move || format!("{:.2}", position_s.get().min(duration_s))
            aria-valuetext=move || text::position(position_s.get(), &outcome)
            on:input=on_input
            on:keydown=on_key
        />
    }
}
