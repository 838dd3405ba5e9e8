//! The conversation between page and worker: [`protocol`] is the words,
//! [`session`] what the worker does with them, one job at a time, `agent` the
//! worker's and `client` the page's end of the line.

mod job;
pub mod live;
pub mod protocol;
pub mod session;

#[cfg(feature = "web")]
pub mod agent;
#[cfg(feature = "web")]
pub mod client;
#[cfg(feature = "web")]
mod live_line;
