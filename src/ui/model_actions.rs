//! The choice of model.

use super::state::Page;
use super::text;
use crate::model::shipped;
use crate::web::storage;
use leptos::prelude::*;

/// Where the choice is kept across visits.
const MODEL: &str = "undertone.model";

impl Page {
    /// The model of the last visit, if it is still shipped.
    pub(super) fn recall_model(self) -> String {
        let kept = storage::get(MODEL).filter(|name| shipped::NAMES.contains(&name.as_str()));
        let name = kept.unwrap_or_else(|| shipped::DEFAULT.to_owned());
        self.model.set(name.clone());
        name
    }

    /// Has another model answer from now on.
    pub fn choose_model(self, name: String) {
        self.model_refused.set(None);
        self.model.set(name.clone());
        self.devices.with_value(|devices| {
            if let Some(client) = &devices.client {
                client.use_model(&name);
            }
        });
    }

    /// A model answers, also for the result that is shown; the next visit begins
    /// with it.
    pub(super) fn model_answers(self, name: String) {
        storage::set(MODEL, &name);
        self.model_in_use.set_value(name.clone());
        self.model.set(name);
        self.judge_anew();
    }

    /// A model could not be loaded; the one before goes on.
    pub(super) fn model_is_refused(self, name: String) {
        let kept = self.model_in_use.get_value();
        self.announcement.set(text::model_refused(&name, &kept));
        self.model_refused.set(Some(name));
        self.model.set(kept);
    }
}
