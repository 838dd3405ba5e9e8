//! Names as people order them.

use js_sys::{Array, Function, Intl, Object, Reflect};
use std::cmp::Ordering;
use wasm_bindgen::prelude::*;

/// Compares names in the reader's own language: without regard to case, and
/// numbers by value.
pub struct NameOrder(Function);

impl NameOrder {
    /// Asks the browser for it.
    pub fn of_reader() -> NameOrder {
        let options = Object::new();
        for (option, value) in [
            ("numeric", JsValue::TRUE),
            ("sensitivity", JsValue::from_str("accent")),
        ] {
            // A plain object takes any property.
            let _ = Reflect::set(&options, &option.into(), &value);
        }
        NameOrder(Intl::Collator::new(&Array::new(), &options).compare())
    }

    /// Which of two comes first.
    pub fn compare(&self, a: &str, b: &str) -> Ordering {
        let ordering = self.0.call2(&JsValue::UNDEFINED, &a.into(), &b.into());
        let sign = ordering.ok().and_then(|o| o.as_f64()).unwrap_or(0.0);
        sign.total_cmp(&0.0)
    }
}
