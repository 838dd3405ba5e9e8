//! Which microphones there are.

use gloo::events::EventListener;
use js_sys::{Array, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{MediaDeviceInfo, MediaDeviceKind, MediaDevices};

/// A microphone, as the browser tells of it once one was allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Microphone {
    /// The browser's name for it on this page.
    pub id: String,
    /// The maker's or the system's name.
    pub label: String,
}

/// The browser's devices; absent on pages without a secure address, which the
/// binding cannot say.
pub(super) fn media_devices() -> Option<MediaDevices> {
    let navigator = web_sys::window()?.navigator();
    Reflect::get(&navigator, &"mediaDevices".into())
        .ok()?
        .dyn_into()
        .ok()
}

/// The microphones whose names the page may know: none before the person has
/// allowed one.
pub async fn list() -> Vec<Microphone> {
    let Some(Ok(promise)) = media_devices().map(|devices| devices.enumerate_devices()) else {
        return Vec::new();
    };
    let Ok(devices) = JsFuture::from(promise).await else {
        return Vec::new();
    };
    Array::from(&devices)
        .iter()
        .filter_map(|device| device.dyn_into::<MediaDeviceInfo>().ok())
        .filter(|device| device.kind() == MediaDeviceKind::Audioinput)
        .map(|device| Microphone {
            id: device.device_id(),
            label: device.label(),
        })
        .filter(|microphone| !microphone.id.is_empty() && !microphone.label.is_empty())
        .collect()
}

/// Says whenever one comes or goes, as long as the page lives.
pub fn on_change(tell: impl Fn() + 'static) {
    if let Some(devices) = media_devices() {
        EventListener::new(&devices, "devicechange", move |_| tell()).forget();
    }
}
