//! The models that come with the program, by name. Their files are
//! `public/model/NAME.safetensors`: the page fetches one, the command carries
//! them all.

/// The one that answers unless another is asked for.
pub const DEFAULT: &str = "undertone";

/// All of them, the default first.
pub const NAMES: [&str; 4] = [DEFAULT, "undertone-light", "lstm", "simple-rnn"];

/// Where a model's file lies below the page.
pub fn file(name: &str) -> String {
    format!("model/{name}.safetensors")
}
