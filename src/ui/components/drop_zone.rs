use crate::ui::text;
use crate::web::SoundFile;
use leptos::html::Input;
use leptos::prelude::*;

/// Where files are chosen. Dropped ones are taken anywhere in the window.
#[component]
pub fn DropZone(
    /// Whether a file is held over the window.
    hovering: Signal<bool>,
    /// Whether files are taken now.
    disabled: Signal<bool>,
    /// Files were chosen, at least one.
    on_files: Callback<Vec<SoundFile>>,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let choose = move |_| {
        if let Some(input) = input.get() {
            input.click();
        }
    };
    let chosen = move |_| {
        let files = input.get().map(|input| SoundFile::from_input(&input));
        if let Some(files) = files.filter(|files| !files.is_empty()) {
            on_files.run(files);
        }
    };
    view! {
        <button
            type="button"
            class="drop"
            class:drop--over=move || hovering.get() && !disabled.get()
            data-testid="drop-zone"
            disabled=disabled
            on:click=choose
        >
            <svg class="drop__sign" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                <path d="M12 15V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v4h16v-4" />
            </svg>
            <span class="drop__words">
                <span class="drop__label">
                    {move || if hovering.get() { text::DROP_HOVER } else { text::DROP }}
                </span>
                <span class="drop__hint">{text::DROP_HINT}</span>
            </span>
        </button>
        <input
            type="file"
            multiple
            class="visually-hidden"
            data-testid="file-input"
            node_ref=input
            accept="audio/*,.wav,.flac,.mp3,.ogg,.oga,.opus,.m4a,.aac,.aif,.aiff,.webm,.mp4"
            tabindex="-1"
            aria-hidden="true"
            on:change=chosen
        />
    }
}
