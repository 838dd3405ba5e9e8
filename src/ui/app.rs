//! The one screen.

use super::actions::{RECORD_ID, RESULT_ID, STATUS_ID};
use super::components::{
    BackToBatch, BatchView, Downloads, DropZone, EngineStatus, ErrorMessage, Legend, LiveView,
    MicrophoneChoice, ModelChoice, NoiseChoice, PartialResult, Progress, Record, Samples,
    ScoreBars, Stage, Transport, Utterances, Verdict, VersionChoice,
};
use super::state::{Outcome, Page, Phase};
use super::text;
use crate::web::drops;
use crate::worker::client::EngineState;
use leptos::prelude::*;
use std::sync::Arc;

/// The whole page; starts the engine and lets files be dropped.
#[component]
pub fn App() -> impl IntoView {
    let page = Page::new();
    provide_context(page);
    page.recall_live_choices();
    page.recall_noise();
    page.start_engine();
    drops::accept_drops(
        move |hovering| page.hovering.set(hovering),
        move |files| page.take_files(files),
    );
    let recording = Memo::new(move |_| page.phase.get() == Phase::Recording);
    let analyzing = Memo::new(move |_| page.phase.get() == Phase::Analyzing);
    let busy = Signal::derive(move || {
        matches!(page.phase.get(), Phase::Recording | Phase::Analyzing)
            || page.batch.tally.get().n_left > 0
            || page.noise.progress.with(Option::is_some)
    });
    let partial = Memo::new(move |_| page.partial.with(Option::is_some));
    let elsewhere = Memo::new(move |_| {
        let many = page.batch.tally.get().n_all() > 0;
        many && !page.batch.shown.get() && !recording.get()
    });
    view! {
        <div class="page" data-testid="app" data-phase=move || page.phase.get().name()>
            <Masthead page />
            <main class="desk">
                <div class="desk__status" id=STATUS_ID>
                    <ErrorMessage
                        fault=page.fault.into()
                        on_dismiss=Callback::new(move |()| page.dismiss())
                    />
                    <Show when=move || analyzing.get()>
                        <Progress
                            fraction=page.progress.into()
                            remaining_ms=page.remaining_ms.into()
                            engine=page.engine.into()
                            on_cancel=Callback::new(move |()| page.cancel())
                        />
                    </Show>
                </div>
                <Inputs page />
                <div class="desk__output">
                    <Show when=move || elsewhere.get()>
                        <BackToBatch
                            tally=page.batch.tally.into()
                            on_back=Callback::new(move |()| page.return_to_batch())
                        />
                    </Show>
                    {move || match (recording.get(), page.batch.shown.get(), page.outcome.get()) {
                        (true, ..) => view! { <Heard page /> }.into_any(),
                        (_, true, _) => view! { <Many page /> }.into_any(),
                        _ if partial.get() => view! { <SoFar page /> }.into_any(),
                        (.., Some(outcome)) => view! { <Shown page outcome /> }.into_any(),
                        (.., None) => view! { <Legend /> }.into_any(),
                    }}
                </div>
            </main>
            <footer class="foot">
                <p>{text::HONEST}</p>
                <ModelChoice
                    chosen=page.model.into()
                    refused=page.model_refused.into()
                    disabled=busy
                    on_choose=Callback::new(move |name| page.choose_model(name))
                />
                <NoiseChoice
                    reduce=page.noise.reduce.into()
                    disabled=busy
                    on_change=Callback::new(move |reduce| page.reduce_noise(reduce))
                />
            </footer>
            <div class="visually-hidden" data-testid="announcer" aria-live="polite" role="status">
                {page.announcement}
            </div>
        </div>
    }
}

#[component]
fn Masthead(page: Page) -> impl IntoView {
    view! {
        <header class="masthead">
            <div class="masthead__name">
                <svg class="masthead__sign" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                    <path d="M2 12c3.3-9 6.7-9 10 0s6.7 9 10 0" />
                    <path d="M2 16.5c3.3-3 6.7-3 10 0s6.7 3 10 0" />
                </svg>
                <h1>{text::NAME}</h1>
            </div>
            <p class="masthead__tagline">{text::TAGLINE}</p>
            <EngineStatus
                engine=page.engine.into()
                on_retry=Callback::new(move |()| page.restart_engine())
            />
        </header>
    }
}

#[component]
fn Inputs(page: Page) -> impl IntoView {
    let recording = Signal::derive(move || page.phase.get() == Phase::Recording);
    view! {
        <div class="desk__input">
            <Record
                phase=page.phase.into()
                asking=page.asking.into()
                level_dbfs=page.level_dbfs.into()
                elapsed_s=page.elapsed_s.into()
                id=RECORD_ID
                on_press=Callback::new(move |()| page.toggle_recording())
            />
            <MicrophoneChoice
                microphones=page.live.microphones.into()
                chosen=page.live.microphone.into()
                disabled=recording
                on_choose=Callback::new(move |id| page.choose_microphone(id))
            />
            <DropZone
                hovering=page.hovering.into()
                disabled=recording
                on_files=Callback::new(move |files| page.take_files(Ok(files)))
            />
            <Samples
                disabled=recording
                on_choose=Callback::new(move |name| page.take_sample(name))
            />
            <p class="privacy" data-testid="privacy">
                <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                    <path d="M3.5 7h9v7h-9zM5.5 7V4.5a2.5 2.5 0 0 1 5 0V7" />
                </svg>
                {text::PRIVACY}
            </p>
        </div>
    }
}

#[component]
fn Heard(page: Page) -> impl IntoView {
    let live = page.live;
    let hindrance =
        Signal::derive(move || text::live_hindrance(&page.engine.get(), live.deaf.get()));
    view! {
        <LiveView
            moment=live.moment.into()
            trail=live.trail.into()
            spoken=live.spoken.into()
            hindrance
            denoised=page.noise.reduce.into()
            behind_s=live.behind_s.into()
            smoothing_s=live.smoothing_s.into()
            on_smooth=Callback::new(move |s| page.smooth_over(s))
        />
    }
}

#[component]
fn SoFar(page: Page) -> impl IntoView {
    move || {
        let (outcome, heard_s) = page.partial.get()?;
        Some(view! { <PartialResult outcome heard_s /> })
    }
}

#[component]
fn Many(page: Page) -> impl IntoView {
    let ready = Signal::derive(move || page.engine.get() == EngineState::Ready);
    view! {
        <BatchView
            batch=page.batch
            ready
            on_pause=Callback::new(move |()| page.toggle_batch())
            on_cancel=Callback::new(move |()| page.cancel_batch())
            on_continue=Callback::new(move |()| page.continue_batch())
            on_close=Callback::new(move |()| page.close_batch())
            on_json=Callback::new(move |()| page.save_batch_json())
            on_csv=Callback::new(move |()| page.save_batch_csv())
            on_open=Callback::new(move |id| page.open_row(id))
        />
    }
}

#[component]
fn Shown(page: Page, outcome: Arc<Outcome>) -> impl IntoView {
    let scores = outcome.analysis.scores;
    let duration_s = outcome.analysis.duration_s;
    let denoised = outcome.analysis.options.denoise;
    let file = outcome.file.clone();
    view! {
        <section
            class="result"
            id=RESULT_ID
            aria-label=text::RESULT
            data-testid="result"
            data-file=file
            data-denoised=denoised.to_string()
        >
            <Verdict outcome=outcome.clone() />
            <section class="over-time" aria-labelledby="over-time-title">
                <h3 class="small-title" id="over-time-title">{text::OVER_TIME}</h3>
                <Stage
                    outcome=outcome.clone()
                    position_s=page.position_s.into()
                    on_seek=Callback::new(move |t| page.seek(t))
                />
                <Transport
                    duration_s
                    position_s=page.position_s.into()
                    playing=page.playing.into()
                    playable=page.playable.into()
                    on_toggle=Callback::new(move |()| page.toggle_playing())
                >
                    {denoised
                        .then(|| {
                            view! {
                                <VersionChoice
                                    noise=page.noise
                                    disabled=Signal::derive(move || {
                                        page.phase.get() == Phase::Analyzing
                                    })
                                    on_choose=Callback::new(move |version| page.listen_to(version))
                                />
                            }
                        })}
                </Transport>
            </section>
            <Utterances
                outcome
                position_s=page.position_s.into()
                on_seek=Callback::new(move |t| page.seek(t))
            />
            <ScoreBars scores />
            <Downloads
                on_json=Callback::new(move |()| page.save_json())
                on_csv=Callback::new(move |()| page.save_csv())
            />
        </section>
    }
}
