//! Small things that the page remembers across visits, where the browser lets
//! it. No sound and no result is ever among them.

/// What was kept under this name.
pub fn get(name: &str) -> Option<String> {
    storage()?.get_item(name).ok()?
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
