//! The worker: the whole engine, off the page's thread.

fn main() -> Result<(), wasm_bindgen::JsValue> {
    undertone::worker::agent::run()
}
