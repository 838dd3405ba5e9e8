//! The conversation between page and worker: [`protocol`] is the words,
//! [`session`] what the worker does with them, one job at a time, `agent` the
//! worker's and `client` the page's end of the line; `clean` takes the noise from a
//! sound that is to be listened to. For many files there is a
//! `pool` of workers, who does what in [`schedule`], how long it takes in
//! [`pace`].

mod clean;
mod job;
pub mod live;
pub mod pace;
pub mod protocol;
pub mod schedule;
pub mod session;

#[cfg(feature = "web")]
pub mod agent;
#[cfg(feature = "web")]
pub mod client;
#[cfg(feature = "web")]
mod live_line;
#[cfg(feature = "web")]
pub mod pool;
