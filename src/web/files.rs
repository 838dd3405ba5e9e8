//! Files that a person chooses or drops, and the page's own samples.

use super::{Buffer, reason};
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
    /// Pieces in the browser's keeping, one after the other, `mime` e.g.
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

    /// The files that an `<input type=file>` holds; the input is emptied, so
    /// that choosing the same file again is noticed.
    pub fn from_input(input: &web_sys::HtmlInputElement) -> Vec<SoundFile> {
        let list = input.files();
        let files = list
            .iter()
            .flat_map(|list| (0..list.length()).filter_map(|i| list.get(i)))
            .map(|file| SoundFile::from_file(file, None))
            .collect();
        input.set_value("");
        files
    }

    /// A file of the person's; `path` is its place in a folder that was given.
    pub(super) fn from_file(file: web_sys::File, path: Option<String>) -> SoundFile {
        SoundFile {
            name: path.unwrap_or_else(|| file.name()),
            blob: file.into(),
        }
    }

    /// The file's name, within the folder that was given, if one was.
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
