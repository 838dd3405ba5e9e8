//! A voice that is followed while it speaks.

use super::{Client, EngineState};
use crate::analysis::Options;
use crate::web::Feed;
use crate::worker::protocol::Request;

impl Client {
    /// Has a voice followed; says nothing if the engine is not ready. A voice
    /// followed before is let go.
    pub fn listen(&self, feed: &Feed, options: Options, smoothing_s: f64) {
        let job = {
            let mut inner = self.0.borrow_mut();
            if inner.state != EngineState::Ready {
                return;
            }
            inner.last_job.0 += 1;
            inner.live = Some(inner.last_job);
            inner.last_job
        };
        let request = Request::Listen {
            job,
            sample_rate_hz: feed.sample_rate_hz,
            options,
            smoothing_s,
        };
        self.post(&request, Some(feed.as_js()));
    }

    /// Changes the time constant of what is shown of the voice, seconds.
    pub fn smooth_over(&self, smoothing_s: f64) {
        if self.0.borrow().live.is_some() {
            self.post(&Request::Smooth { smoothing_s }, None);
        }
    }

    /// Hears no more of the voice that is followed.
    pub fn let_go(&self) {
        self.0.borrow_mut().live = None;
    }
}
