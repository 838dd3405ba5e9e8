//! The native command.

use std::process::ExitCode;

fn main() -> ExitCode {
    undertone::cli::run()
}
