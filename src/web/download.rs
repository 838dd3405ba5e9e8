//! Saving a text to the person's disk.

use super::reason;
use gloo::timers::callback::Timeout;
use wasm_bindgen::{JsCast, JsValue};

/// How long the address of a download stays valid, milliseconds; the browser
/// has long begun to save by then.
const KEEP_MS: u32 = 10_000;

/// Offers `text` as a file. Nothing leaves the device.
///
/// # Errors
/// The browser's word if it refuses.
pub fn save(file_name: &str, text: &str, mime: &str) -> Result<(), String> {
    let blob = blob(text.as_bytes(), mime)?;
    let offer = || -> Result<(), JsValue> {
        let url = web_sys::Url::create_object_url_with_blob(&blob)?;
        let document = web_sys::window()
            .and_then(|window| window.document())
            .ok_or("no document")?;
        let anchor: web_sys::HtmlAnchorElement = document.create_element("a")?.unchecked_into();
        anchor.set_href(&url);
        anchor.set_download(file_name);
        anchor.click();
        Timeout::new(KEEP_MS, move || {
            // An address that is gone already needs no revoking.
            let _ = web_sys::Url::revoke_object_url(&url);
        })
        .forget();
        Ok(())
    };
    offer().map_err(|thrown| reason(&thrown))
}

/// Bytes in the browser's keeping.
pub(super) fn blob(bytes: &[u8], mime: &str) -> Result<web_sys::Blob, String> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(mime);
    web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options)
        .map_err(|thrown| reason(&thrown))
}
