use super::focus::keep_focus;
use crate::ui::noise::{Noise, Version};
use crate::ui::text;
use leptos::prelude::*;

/// The switch.
const REDUCE_NOISE_ID: &str = "reduce-noise";

/// Whether noise is reduced before anything is judged.
#[component]
pub fn NoiseChoice(
    /// Whether it is.
    reduce: Signal<bool>,
    /// Whether it can be changed now.
    disabled: Signal<bool>,
    /// It was changed.
    on_change: Callback<bool>,
) -> impl IntoView {
    keep_focus(REDUCE_NOISE_ID, disabled);
    view! {
        <div class="noise">
            <label class="switch">
                <input
                    type="checkbox"
                    role="switch"
                    class="switch__box"
                    id=REDUCE_NOISE_ID
                    data-testid="reduce-noise"
                    aria-describedby="noise-words"
                    disabled=disabled
                    prop:checked=reduce
                    on:change=move |event| on_change.run(event_target_checked(&event))
                />
                <span class="switch__label">{text::REDUCE_NOISE}</span>
            </label>
            <p class="fine" id="noise-words">{text::REDUCE_NOISE_MEANING}</p>
        </div>
    }
}

/// Which version of a sound is listened to, where it was judged without its
/// noise.
#[component]
pub fn VersionChoice(
    /// What is known of them.
    noise: Noise,
    /// Whether none can be chosen now.
    disabled: Signal<bool>,
    /// One was chosen.
    on_choose: Callback<Version>,
) -> impl IntoView {
    let choice = move |version: Version, words: &'static str| {
        view! {
            <label class="versions__choice">
                <input
                    type="radio"
                    name="version"
                    class="versions__box"
                    data-testid=format!("version-{}", version.name())
                    disabled=disabled
                    prop:checked=move || noise.version.get() == version
                    on:change=move |_| on_choose.run(version)
                />
                <span class="versions__words">{words}</span>
            </label>
        }
    };
    let cleaning = Memo::new(move |_| noise.progress.with(Option::is_some));
    let state = move || match cleaning.get() {
        true => "cleaning",
        false => noise.version.get().name(),
    };
    view! {
        <div
            class="versions"
            role="radiogroup"
            aria-label=text::VERSIONS
            data-testid="versions"
            data-state=state
        >
            {choice(Version::Original, text::ORIGINAL)}
            {choice(Version::Cleaned, text::CLEANED)}
        </div>
        <Show when=move || cleaning.get()>
            <span class="cleaning" data-testid="cleaning">
                <progress
                    class="cleaning__bar"
                    aria-label=text::CLEANING
                    max="1"
                    prop:value=move || f64::from(noise.progress.get().unwrap_or(0.0))
                ></progress>
                <span class="fine">{text::CLEANING}</span>
            </span>
        </Show>
        <Show when=move || noise.trouble.with(Option::is_some)>
            <p class="versions__trouble" data-testid="cleaning-fault">{noise.trouble}</p>
        </Show>
    }
}
