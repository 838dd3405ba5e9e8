//! Analyses as JSON and CSV: pure functions, shared by the page's downloads
//! and the command.

mod csv;
mod json;

pub use csv::to_csv;
pub use json::to_json;
