//! From labelled recordings to a model file, and to figures that hold.
//!
//! [`corpora`] reads the recordings, [`split`] keeps speakers apart,
//! [`examples`] turns them into frames by the very staircase that the page
//! runs, [`trainer`] fits the network, and [`evaluate`] measures a finished
//! model through [`crate::analysis`], as a user would meet it.

pub mod augment;
pub mod batches;
pub mod cache;
mod calibrate;
mod checkpoint;
pub mod corpora;
mod domains;
pub mod evaluate;
pub mod examples;
mod fitting;
pub mod frames;
pub mod import;
pub mod judge;
pub mod metrics;
pub mod noise;
pub mod optimizer;
pub mod protocol;
pub mod recipe;
pub mod report;
pub mod split;
pub mod throats;
pub mod trainer;
pub mod tuning;
mod views;
pub mod voices;
