use super::Mark;
use crate::analysis::live::{MAX_SMOOTHING_S, Moment};
use crate::emotion::Emotion;
use crate::ui::live::{TRAIL_S, Trail};
use crate::ui::text;
use leptos::prelude::*;
use web_sys::HtmlInputElement;

/// The voice that is being recorded: what it carries now, all eight scores, and
/// the last half minute.
#[component]
pub fn LiveView(
    /// The last moment.
    moment: Signal<Option<Moment>>,
    /// The moments before.
    trail: Signal<Trail>,
    /// Whether a voice has been judged in this recording.
    spoken: Signal<bool>,
    /// Why nothing is shown, if that is so.
    hindrance: Signal<Option<&'static str>>,
    /// Whether noise is reduced before.
    denoised: Signal<bool>,
    /// How far the moment lies behind the voice, seconds.
    behind_s: Signal<f64>,
    /// Time constant, seconds.
    smoothing_s: Signal<f64>,
    /// Another time constant was chosen, seconds.
    on_smooth: Callback<f64>,
) -> impl IntoView {
    let leading = Memo::new(move |_| {
        moment.with(|m| m.as_ref().and_then(|m| m.answer.as_ref().map(|a| a.label)))
    });
    let sure = Memo::new(move |_| {
        moment.with(|m| {
            m.as_ref()
                .and_then(|m| m.answer.as_ref())
                .is_some_and(|a| a.sure)
        })
    });
    let headline = Memo::new(move |_| {
        hindrance.get().map_or_else(
            || moment.with(|m| text::live_headline(m.as_ref(), spoken.get())),
            |words| (words.to_owned(), None),
        )
    });
    let confidence = move || match hindrance.get() {
        Some(text::LIVE_DEAF) => text::LIVE_DEAF_HINT.to_owned(),
        _ => moment.with(|m| text::live_confidence(m.as_ref())),
    };
    view! {
        <section
            class="live"
            id=crate::ui::actions::LIVE_ID
            aria-label=text::LIVE
            data-testid="live"
            data-hearing=move || moment.with(|m| m.as_ref().map_or("", |m| m.hearing.name()))
            data-at=move || moment.with(|m| m.as_ref().map_or(0.0, |m| m.at_s)).to_string()
            data-behind=move || format!("{:.3}", behind_s.get())
        >
            <header class="verdict" data-emotion=move || leading.get().map(Emotion::name)>
                <p class="verdict__source">{move || text::live(denoised.get())}</p>
                <div class="verdict__answer">
                    <span class="plate" class:plate--faint=move || !sure.get()>
                        {move || leading.get().map(|emotion| view! { <Mark emotion /> })}
                    </span>
                    <div>
                        <h2
                            class="verdict__label"
                            data-testid="live-label"
                            data-emotion=move || leading.get().map_or("", Emotion::name)
                            data-sure=move || sure.get().to_string()
                        >
                            {move || headline.get().0}
                            {move || headline.get().1.map(|c| view! { <small>" "{c}</small> })}
                        </h2>
                        <p class="verdict__confidence">{confidence}</p>
                    </div>
                </div>
            </header>
            <LiveTrail trail />
            <LiveScores moment />
            <Smoothing smoothing_s on_smooth />
        </section>
    }
}

/// A bar for each emotion, always in the same order.
#[component]
fn LiveScores(moment: Signal<Option<Moment>>) -> impl IntoView {
    let score = move |emotion: Emotion| {
        moment.with(|m| {
            let answer = m.as_ref()?.answer.as_ref()?;
            Some(answer.smoothed.get(emotion))
        })
    };
    let bars = Emotion::ALL
        .into_iter()
        .map(|emotion| {
            let leads = move || {
                moment.with(|m| {
                    let answer = m.as_ref().and_then(|m| m.answer.as_ref());
                    answer.is_some_and(|a| a.label == emotion)
                })
            };
            view! {
                <li
                    class="score"
                    class:score--leads=leads
                    data-testid="live-score"
                    data-emotion=emotion.name()
                    data-value=move || score(emotion).unwrap_or(0.0).to_string()
                >
                    <Mark emotion />
                    <span class="score__name">{text::emotion(emotion)}</span>
                    <span class="score__track" aria-hidden="true">
                        <span
                            class="score__fill tint"
                            style:width=move || {
                                format!("{:.2}%", 100.0 * score(emotion).unwrap_or(0.0))
                            }
                        ></span>
                    </span>
                    <span class="score__value">
                        {move || score(emotion).map_or("–".to_owned(), text::percent)}
                    </span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="scores" aria-labelledby="live-scores-title">
            <h3 class="small-title" id="live-scores-title">{text::SCORES}</h3>
            <ol class="scores__list live__scores">{bars}</ol>
        </section>
    }
}

/// The last half minute, now at the right.
#[component]
fn LiveTrail(trail: Signal<Trail>) -> impl IntoView {
    let now_s = Memo::new(move |_| trail.with(Trail::end_s));
    let share = |seconds: f64| format!("{:.3}%", 100.0 * seconds / TRAIL_S);
    view! {
        <section class="over-time" aria-labelledby="live-trail-title">
            <h3 class="small-title" id="live-trail-title">{text::LIVE_TRAIL}</h3>
            <div class="trail" role="img" aria-label=text::LIVE_TRAIL_MEANING>
                <For
                    each=move || trail.get().stretches
                    key=|stretch| (stretch.start_s * 1_000.0) as u64
                    let(stretch)
                >
                    {
                        let id = stretch.start_s;
                        let end_s = Memo::new(move |_| trail.with(|trail| {
                            trail.stretches.iter().find(|s| s.start_s == id).map(|s| s.end_s)
                        }));
                        let end_s = move || end_s.get().unwrap_or(stretch.end_s);
                        view! {
                            <div
                                class="trail__stretch"
                                class:tint=stretch.shown.is_some()
                                class:tint--faint=stretch.shown.is_some_and(|(_, sure)| !sure)
                                data-testid="live-stretch"
                                data-emotion=stretch.shown.map(|(emotion, _)| emotion.name())
                                style:left=move || share(TRAIL_S - now_s.get() + stretch.start_s)
                                style:width=move || share(end_s() - stretch.start_s)
                            >
                                {stretch.shown.map(|(emotion, _)| view! { <Mark emotion /> })}
                            </div>
                        }
                    }
                </For>
            </div>
            <div class="trail__axis" aria-hidden="true">
                <span>{text::LIVE_TRAIL_START}</span>
                <span>{text::LIVE_TRAIL_END}</span>
            </div>
        </section>
    }
}

/// How quickly what is shown may move.
#[component]
fn Smoothing(smoothing_s: Signal<f64>, on_smooth: Callback<f64>) -> impl IntoView {
    view! {
        <div class="smoothing">
            <label class="smoothing__label" for="smoothing">{text::SMOOTHING}</label>
            <input
                type="range"
                class="smoothing__slider"
                id="smoothing"
                data-testid="smoothing"
                min="0"
                max=MAX_SMOOTHING_S.to_string()
                step="0.1"
                aria-describedby="smoothing-hint"
                aria-valuetext=move || text::time_constant(smoothing_s.get())
                prop:value=move || smoothing_s.get().to_string()
                on:input=move |event| {
                    let slider = event_target::<HtmlInputElement>(&event);
                    on_smooth.run(slider.value_as_number());
                }
            />
            <output class="smoothing__value" for="smoothing">
                {move || text::time_constant(smoothing_s.get())}
            </output>
            <p class="fine smoothing__hint" id="smoothing-hint">{text::SMOOTHING_HINT}</p>
        </div>
    }
}
