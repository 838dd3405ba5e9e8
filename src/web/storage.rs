//! Small things that the page remembers across visits, where the browser lets
//! it. No sound and no result is ever among them.

/// What was kept under this name.
pub fn get(name: &str) -> Option<String> {
    storage()?.get_item(name).ok()?
}

/// The number that was kept under this name.
pub fn number(name: &str) -> Option<f64> {
    let number = js_sys::parse_float(&get(name)?);
    number.is_finite().then_some(number)
}

/// Keeps a value. Where the browser refuses, the next visit begins anew, which
/// is no error to anyone.
pub fn set(name: &str, value: &str) {
    if let Some(storage) = storage() {
        let _ = storage.set_item(name, value);
    }
}

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok()?
}
