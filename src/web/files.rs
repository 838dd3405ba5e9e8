//! Files that a person chooses or drops, and the page's own samples.

use super::{Buffer, reason};
use gloo::events::{EventListener, EventListenerOptions};
use thiserror::Error;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

/// Why a file could not be had.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FileError {
    /// The browser could not read it, e.g. because it was moved meanwhile.
    #[error("the file could not be read: {reason}")]
    Unreadable {
        /// The browser's word.
        reason: String,
    },
    /// A file of this page's own could not be fetched.
    #[error("the file could not be fetched: {reason}")]
    NotFetched {
        /// The browser's or the server's word.
        reason: String,
    },
    /// What was dropped is no file.
    #[error("no file was dropped")]
    NoFile,
}

/// A named piece of sound that has not been read yet.
#[derive(Clone, Debug)]
pub struct SoundFile {
    name: String,
    blob: web_sys::Blob,
}

impl SoundFile {
    /// Pieces in the browser's memory, one after the other, `mime` e.g.
    /// `audio/wav`.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] if the browser has no room for them.
    pub(super) fn from_parts(
        name: &str,
        parts: &js_sys::Array,
        mime: &str,
    ) -> Result<SoundFile, FileError> {
        let options = web_sys::BlobPropertyBag::new();
        options.set_type(mime);
        let blob = web_sys::Blob::new_with_buffer_source_sequence_and_options(parts, &options)
            .map_err(|thrown| FileError::Unreadable {
                reason: reason(&thrown),
            })?;
        Ok(SoundFile {
            name: name.to_owned(),
            blob,
        })
    }

    /// Fetches a file that belongs to the page.
    ///
    /// # Errors
    /// [`FileError::NotFetched`].
    pub async fn fetch(name: &str, url: &str) -> Result<SoundFile, FileError> {
        let fetched = async {
            let window = web_sys::window().ok_or("no window")?;
            let response: web_sys::Response = JsFuture::from(window.fetch_with_str(url))
                .await?
                .dyn_into()?;
            if !response.ok() {
                return Err(format!("{} for {url}", response.status()).into());
            }
            JsFuture::from(response.blob()?).await?.dyn_into()
        };
        let blob =
            fetched
                .await
                .map_err(|thrown: wasm_bindgen::JsValue| FileError::NotFetched {
                    reason: thrown.as_string().unwrap_or_else(|| reason(&thrown)),
                })?;
        Ok(SoundFile {
            name: name.to_owned(),
            blob,
        })
    }

    /// The first file that an `<input type=file>` holds; the input is emptied,
    /// so that choosing the same file again is noticed.
    pub fn from_input(input: &web_sys::HtmlInputElement) -> Option<SoundFile> {
        let file = input.files()?.get(0)?;
        input.set_value("");
        Some(SoundFile::from_file(file))
    }

    fn from_file(file: web_sys::File) -> SoundFile {
        SoundFile {
            name: file.name(),
            blob: file.into(),
        }
    }

    /// The file's name, without its folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its size, bytes.
    pub fn n_bytes(&self) -> f64 {
        self.blob.size()
    }

    pub(super) fn blob(&self) -> &web_sys::Blob {
        &self.blob
    }

    pub(crate) fn as_js(&self) -> &wasm_bindgen::JsValue {
        &self.blob
    }

    /// Reads all bytes into memory, which only a small file has room in.
    ///
    /// # Errors
    /// [`FileError::Unreadable`].
    pub async fn read(&self) -> Result<Buffer, FileError> {
        let unreadable = |thrown: wasm_bindgen::JsValue| FileError::Unreadable {
            reason: reason(&thrown),
        };
        let bytes = JsFuture::from(self.blob.array_buffer())
            .await
            .map_err(unreadable)?;
        Ok(Buffer::from_js(bytes.dyn_into().map_err(unreadable)?))
    }
}

/// Takes files dropped anywhere on the window, as long as the page lives.
/// `on_hover` hears whether something is held over the window; of several
/// files dropped at once the first is taken.
pub fn accept_drops(
    on_hover: impl Fn(bool) + Clone + 'static,
    on_drop: impl Fn(Result<SoundFile, FileError>) + 'static,
) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let listen = |event: &'static str, heard: Box<dyn Fn(&web_sys::DragEvent)>| {
        EventListener::new_with_options(
            &window,
            event,
            EventListenerOptions::enable_prevent_default(),
            move |event| {
                if let Some(event) = event.dyn_ref::<web_sys::DragEvent>() {
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
            let file = event
                .data_transfer()
                .and_then(|transfer| transfer.files())
                .and_then(|files| files.get(0));
            on_drop(file.map(SoundFile::from_file).ok_or(FileError::NoFile));
        }),
    );
}
