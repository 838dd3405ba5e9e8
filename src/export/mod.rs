//! Analyses as CSV and JSON: pure functions.
