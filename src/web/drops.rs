//! Files and folders dropped on the window.

use super::{FileError, SoundFile};
use gloo::events::{EventListener, EventListenerOptions};
use js_sys::{Array, Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    DataTransfer, DragEvent, File, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

/// Most files taken out of folders at once; a whole disk is dropped by mistake.
const MAX_FOLDER_FILES: usize = 5_000;

/// Names by which sound is told from what else lies in a folder. A file that
/// is dropped by itself is meant, whatever its name.
const EXTENSIONS: [&str; 14] = [
    "wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "aac", "aif", "aiff", "aifc",
    "webm",
];

/// Takes files and folders dropped anywhere on the window, as long as the page
/// lives. `on_hover` hears whether something is held over the window.
pub fn accept_drops(
    on_hover: impl Fn(bool) + Clone + 'static,
    on_drop: impl Fn(Result<Vec<SoundFile>, FileError>) + Clone + 'static,
) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let listen = |event: &'static str, heard: Box<dyn Fn(&DragEvent)>| {
        EventListener::new_with_options(
            &window,
            event,
            EventListenerOptions::enable_prevent_default(),
            move |event| {
                if let Some(event) = event.dyn_ref::<DragEvent>() {
                    heard(event);
                }
            },
        )
        .forget();
    };
    let hover = on_hover.clone();
    listen(
        "dragover",
        Box::new(move |event| {
            // Without this the browser would open the file instead.
            event.prevent_default();
            hover(true);
        }),
    );
    let hover = on_hover.clone();
    listen(
        "dragleave",
        Box::new(move |event| {
            // Leaving one element for another also fires; only leaving the
            // window has nowhere to go.
            if event.related_target().is_none() {
                hover(false);
            }
        }),
    );
    listen(
        "drop",
        Box::new(move |event| {
            event.prevent_default();
            on_hover(false);
            let Some((mut files, folders)) = event.data_transfer().map(|t| dropped(&t)) else {
                return on_drop(Err(FileError::NoFile));
            };
            let on_drop = on_drop.clone();
            if folders.is_empty() {
                return on_drop(taken(files));
            }
            spawn_local(async move {
                for folder in folders {
                    // A folder that cannot be read holds nothing for us.
                    let _ = gather(folder, &mut files).await;
                }
                on_drop(taken(files));
            });
        }),
    );
}

fn taken(files: Vec<SoundFile>) -> Result<Vec<SoundFile>, FileError> {
    match files.is_empty() {
        true => Err(FileError::NoFile),
        false => Ok(files),
    }
}

/// What was dropped; it is gone once the event is over.
fn dropped(transfer: &DataTransfer) -> (Vec<SoundFile>, Vec<FileSystemDirectoryEntry>) {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let items = transfer.items();
    for item in (0..items.length()).filter_map(|i| items.get(i)) {
        let entry = item.webkit_get_as_entry().ok().flatten();
        match entry.and_then(|entry| entry.dyn_into::<FileSystemDirectoryEntry>().ok()) {
            Some(folder) => folders.push(folder),
            None => files.extend(
                item.get_as_file()
                    .ok()
                    .flatten()
                    .map(|file| SoundFile::from_file(file, None)),
            ),
        }
    }
    (files, folders)
}

/// Adds the sound files of a folder and of those within it, in the order of
/// their names.
async fn gather(
    folder: FileSystemDirectoryEntry,
    files: &mut Vec<SoundFile>,
) -> Result<(), JsValue> {
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        let mut entries = entries_of(&folder).await?;
        entries.sort_by_key(FileSystemEntry::name);
        for entry in entries {
            if files.len() >= MAX_FOLDER_FILES {
                return Ok(());
            }
            let path = entry.full_path().trim_start_matches('/').to_owned();
            match entry.dyn_into::<FileSystemDirectoryEntry>() {
                Ok(inner) => open.push(inner),
                Err(entry) if is_sound(&path) => {
                    let entry: FileSystemFileEntry = entry.unchecked_into();
                    let file = settled(|done, failed| {
                        entry.file_with_callback_and_callback(done, failed);
                        Ok(())
                    });
                    if let Ok(file) = file.await?.dyn_into::<File>() {
                        files.push(SoundFile::from_file(file, Some(path)));
                    }
                }
                Err(_) => {}
            }
        }
    }
    Ok(())
}

/// All entries of a folder, which the browser gives by the hundred.
async fn entries_of(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut entries = Vec::new();
    loop {
        let some =
            settled(|done, failed| reader.read_entries_with_callback_and_callback(done, failed));
        let some = Array::from(&some.await?);
        if some.length() == 0 {
            return Ok(entries);
        }
        entries.extend(
            some.iter()
                .filter_map(|e| e.dyn_into::<FileSystemEntry>().ok()),
        );
    }
}

/// A call that answers one of two functions, awaited.
fn settled(call: impl FnOnce(&Function, &Function) -> Result<(), JsValue>) -> JsFuture {
    let mut call = Some(call);
    JsFuture::from(Promise::new(&mut |done, failed| {
        let refused = call.take().map(|call| call(&done, &failed));
        if let Some(Err(thrown)) = refused {
            // Rejecting a promise cannot fail.
            let _ = failed.call1(&JsValue::UNDEFINED, &thrown);
        }
    }))
}

fn is_sound(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_told_by_its_extension() {
        assert!(is_sound("a/b/Interview.MP3") && is_sound("x.y.flac"));
        assert!(!is_sound("cover.jpg") && !is_sound("wav") && !is_sound(".DS_Store"));
    }
}
