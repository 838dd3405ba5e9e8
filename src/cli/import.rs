//! `undertone import-encoder`.

use super::{Outcome, write};
use crate::train::import::import;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// `resemblyzer/pretrained.pt` of the PyPI wheel Resemblyzer 0.1.4, or
    /// `pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx` of
    /// pipecat-ai 1.14.0 (a wheel is a ZIP archive)
    file: PathBuf,
    /// Where to write the front end (.safetensors)
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let front_end = import(&arguments.file)?;
    let bytes = front_end.to_bytes()?;
    write(&arguments.out, &bytes)?;
    let header = &front_end.header;
    eprintln!(
        "{} {} ({}), {} bytes, written to {}",
        header.kind,
        header.version,
        header.license,
        bytes.len(),
        arguments.out.display()
    );
    Ok(ExitCode::SUCCESS)
}
