//! What the page asks of the window itself.

use wasm_bindgen::JsCast;
use web_sys::{ScrollBehavior, ScrollIntoViewOptions, ScrollLogicalPosition};

/// Brings an element into view if it is not; smoothly, unless the person
/// wants less motion.
pub fn reveal(element_id: &str) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let calm = window
        .match_media("(prefers-reduced-motion: reduce)")
        .ok()
        .flatten()
        .is_some_and(|query| query.matches());
    let Some(element) = window
        .document()
        .and_then(|document| document.get_element_by_id(element_id))
    else {
        return;
    };
    let options = ScrollIntoViewOptions::new();
    options.set_block(ScrollLogicalPosition::Nearest);
    options.set_behavior(if calm {
        ScrollBehavior::Instant
    } else {
        ScrollBehavior::Smooth
    });
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Gives an element the keyboard's focus.
pub fn focus(element_id: &str) {
    let element = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id(element_id))
        .and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = element {
        // An element that cannot take it leaves it where it was.
        let _ = element.focus();
    }
}

/// Whether an element has the keyboard's focus.
pub fn has_focus(element_id: &str) -> bool {
    focused().is_some_and(|element| element.id() == element_id)
}

/// Whether no control has the keyboard's focus.
pub fn nothing_has_focus() -> bool {
    focused().is_none_or(|element| element.tag_name() == "BODY")
}

fn focused() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.active_element()
}

/// How many cores the browser owns up to; two where it says nothing.
pub fn n_cores() -> usize {
    let cores = web_sys::window().map(|window| window.navigator().hardware_concurrency());
    cores.map_or(2, |cores| cores as usize)
}

/// The time on a clock of its own, milliseconds.
pub fn now_ms() -> f64 {
    js_sys::Date::now()
}
