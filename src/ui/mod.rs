//! The page.
//!
//! # Handles for tests
//! Every element a person acts on or reads carries a `data-testid` that stays:
//!
//! | `data-testid` | what it is | attributes |
//! | --- | --- | --- |
//! | `app` | the whole page | `data-phase` = `idle` `recording` `analyzing` `done` `failed` |
//! | `record-button` | starts and stops the microphone | `aria-pressed` = `true` while recording |
//! | `level-meter` | level while recording; present only then | `aria-valuenow` = level in dBFS, −60…0 |
//! | `elapsed` | time recorded, `m:ss`; present only while recording | |
//! | `microphone` | which microphone; present when there is a choice | |
//! | `live` | the voice while it is recorded; present only then | `data-hearing` = `listening` `no-speech` `speech`, empty before the first answer; `data-at` = the moment shown, seconds; `data-behind` = how far it lies behind the voice, seconds |
//! | `live-label` | leading emotion now, or what is heard instead | `data-emotion`, `data-sure` |
//! | `live-score` | one bar, eight of them, in one order | `data-emotion`, `data-value` = `0`–`1` |
//! | `live-stretch` | a stretch of the last half minute | `data-emotion` |
//! | `smoothing` | the slider of the time constant | `value` = seconds |
//! | `drop-zone` | takes dropped files; also a button | |
//! | `file-input` | the hidden `<input type=file>` behind the drop zone | |
//! | `sample` | a sample clip, one button each | `data-sample` = file name |
//! | `engine-status` | what the engine is doing | `data-state` = `starting` `loading` `ready` `failed` |
//! | `engine-retry` | starts the engine again; present only when it failed | |
//! | `progress` | how far the analysis is; present only while analysing | `data-value` = `0`–`1` |
//! | `partial` | what has been found in a long recording so far; present only while analysing | `data-heard` = seconds |
//! | `cancel-button` | breaks the analysis off; present only while analysing | |
//! | `error` | one sentence and what to do next; present only after a failure | `data-kind` = e.g. `empty-file` `not-audio` `no-samples` `not-finite` `too-short` `silent` `damaged` `model` `mic-denied` `mic-missing` `mic-silent` |
//! | `error-dismiss` | closes the error | |
//! | `result` | the last result, kept until a new one; absent before the first | `data-file` = file name, `data-denoised` = `true` `false` |
//! | `result-label` | leading emotion, or "not sure" | `data-emotion`, `data-sure` = `true` `false` |
//! | `result-confidence` | its probability in words and figures | `data-value` = `0`–`1` |
//! | `score` | one bar, eight of them | `data-emotion`, `data-value` = `0`–`1` |
//! | `notice` | something true of the recording, e.g. that it was cut short | `data-kind` = e.g. `truncated` |
//! | `waveform` | the drawing of the sound | |
//! | `timeline-segment` | an utterance under the waveform, or, of a long recording, a stretch of them | `data-emotion`, `data-sure` (absent if too short), `data-start`, `data-end` (seconds) |
//! | `utterances` | the table of utterances; absent where there is one | `aria-rowcount` = rows with the head |
//! | `utterance` | a row of it, of those near what is in sight | `data-start`, `data-end` (seconds), `data-emotion`, `data-sure`, `aria-current` |
//! | `seek` | the slider over waveform and timeline (arrow keys, Home, End) | `aria-valuenow` = seconds |
//! | `play-button` | plays and pauses | `aria-pressed` |
//! | `position` | where playback is, `m:ss.s / m:ss.s` | |
//! | `versions` | which version of the sound plays; present where it was judged without its noise | `data-state` = `original` `cleaning` `cleaned` |
//! | `version-original`, `version-cleaned` | the two to choose from | `checked` |
//! | `cleaning` | how far the cleaned sound is; present only while it is made | |
//! | `cleaning-fault` | why there is no cleaned sound | |
//! | `download-json`, `download-csv` | save the result | |
//! | `model` | which model answers | |
//! | `model-words` | what it is, or that another could not be loaded | `data-refused` = that other's name |
//! | `reduce-noise` | the switch of the noise reduction | `checked` |
//! | `privacy` | the line that says nothing leaves the device | |
//! | `batch` | many recordings; present while their table is shown | `data-state` = `running` `paused` `done`, `data-done`, `data-failed` = counts |
//! | `batch-row` | a recording, one row each | `data-file`, `data-state` = `waiting` `working` `done` `failed` `stopped`, `data-emotion` |
//! | `batch-open` | the row's button: shows its result in full | `aria-disabled` |
//! | `batch-fault` | why a row has no result | |
//! | `batch-sort` | a column's head | `data-column`; its cell has `aria-sort` |
//! | `batch-progress`, `batch-tally` | how far all are | `data-value` = `0`–`1` |
//! | `batch-pause`, `batch-cancel`, `batch-continue`, `batch-close` | hold, give up, take up again, clear | `aria-pressed` |
//! | `batch-json`, `batch-csv` | save all results | |
//! | `batch-back` | back to the table from a result | |
//! | `announcer` | the live region for screen readers | |

mod actions;
mod app;
mod axis;
mod batch;
mod components;
mod live;
mod live_actions;
mod model_actions;
mod noise;
mod overview;
mod shape;
mod state;
mod text;

pub use app::App;
pub use live::{LiveVoice, Stretch, Trail};
pub use noise::{Noise, Version};
pub use state::{Fault, Origin, Outcome, Page, Phase};

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;

/// The element of `index.html` that the page replaces the inside of.
const MOUNT_ID: &str = "app";

/// Shows the page and starts the engine.
pub fn run() {
    console_error_panic_hook::set_once();
    let Some(place) = document()
        .get_element_by_id(MOUNT_ID)
        .and_then(|element| element.dyn_into::<leptos::web_sys::HtmlElement>().ok())
    else {
        return;
    };
    place.set_inner_html("");
    mount_to(place, App).forget();
}
