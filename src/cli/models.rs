//! Models by name or file.

use crate::model::{ModelError, shipped};
use std::path::PathBuf;

/// The shipped models' bytes, in the order of [`shipped::NAMES`].
const SHIPPED: [&[u8]; shipped::NAMES.len()] = [
    include_bytes!("../../public/model/undertone.safetensors"),
    include_bytes!("../../public/model/undertone-light.safetensors"),
    include_bytes!("../../public/model/lstm.safetensors"),
    include_bytes!("../../public/model/simple-rnn.safetensors"),
];

/// Which model a subcommand runs.
#[derive(clap::Args)]
pub(super) struct Choice {
    /// One of the built-in models (`undertone`, `undertone-light`, `lstm`, `simple-rnn`) or a model file
    #[arg(long, default_value = shipped::DEFAULT)]
    model: String,
}

impl Choice {
    /// The model's bytes: a built-in one by its name, else the file.
    pub fn bytes(&self) -> Result<Vec<u8>, String> {
        match shipped::NAMES.iter().position(|name| *name == self.model) {
            Some(index) => Ok(SHIPPED[index].to_vec()),
            None => {
                let path = PathBuf::from(&self.model);
                std::fs::read(&path).map_err(|e| format!("{}: {e}", self.model))
            }
        }
    }

    /// Names the model in what went wrong with it.
    pub fn blame(&self, error: ModelError) -> String {
        format!("{}: {error}", self.model)
    }
}
