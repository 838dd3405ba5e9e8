//! Undertone hears the emotion in a voice, in the browser, and never lets the
//! voice leave the device.
//!
//! A clip of speech walks down one staircase, and the page, the command,
//! training and the tests all walk the same one:
//!
//! | floor | gives |
//! | --- | --- |
//! | [`audio`] | [`audio::Clip`]: mono `f32` at 16 000 Hz |
//! | [`features`] (on [`dsp`]) | [`features::FeatureMatrix`] `[frames, features]`, 10 ms hop |
//! | [`model`] | [`emotion::Scores`] for a window of frames |
//! | [`analysis`] | [`analysis::Analysis`]: overall scores, timeline, verdict |
//! | [`worker`] → `ui`, [`export`], `cli` | what a person sees |
//!
//! An arrow never runs back up. Nothing below [`worker`] knows the web, a
//! file path or a clock.
#![deny(unsafe_code)]

pub mod analysis;
pub mod audio;
pub mod dsp;
pub mod emotion;
pub mod export;
pub mod features;
pub mod model;
pub mod wire;
pub mod worker;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod train;
#[cfg(feature = "page")]
pub mod ui;
#[cfg(feature = "web")]
pub mod web;

#[cfg(all(feature = "cli", target_arch = "wasm32"))]
compile_error!("the `cli` feature is native only; build the page with `--features page`");
