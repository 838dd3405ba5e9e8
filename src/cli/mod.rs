//! The native command: one file a subcommand. Results go to standard output,
//! everything else to standard error.

mod analyze;
mod baseline;
mod evaluate;
mod features;
mod import;
mod models;
mod train;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::process::ExitCode;

/// Some input could not be used; what could be was.
const BAD_INPUT: u8 = 2;

#[derive(Parser)]
#[command(name = "undertone", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hear which emotions recordings carry.
    Analyze(analyze::Arguments),
    /// Print the speech features of a recording.
    Features(features::Arguments),
    /// Train a model on labelled recordings.
    Train(Box<train::Arguments>),
    /// Measure a model on labelled recordings.
    Evaluate(evaluate::Arguments),
    /// Convert a published network into a front end to train on.
    ImportEncoder(import::Arguments),
}

/// Runs the command line; the exit code is 0, 2 if some input could not be
/// used, or 1 if nothing could be done.
pub fn run() -> ExitCode {
    // Whoever reads the output may stop (`| head`); Rust would call that a bug.
    sigpipe::reset();
    let result = match Arguments::parse().command {
        Command::Analyze(arguments) => analyze::run(&arguments),
        Command::Features(arguments) => features::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::ImportEncoder(arguments) => import::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("undertone: {error}");
        ExitCode::FAILURE
    })
}

/// What a subcommand gives: a code, or the one sentence it fails with.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// A bar that counts; hidden where nobody watches.
fn progress_bar(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_message(what.to_owned())
}

/// Writes a file, and names it if that fails.
fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}
