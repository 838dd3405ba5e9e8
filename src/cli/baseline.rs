//! `--baseline`: what is known of a speaker.

use crate::model::baseline::BaselineKind;
use std::path::PathBuf;

/// What is known of the speaker of the recordings.
#[derive(clap::Args)]
pub(super) struct Known {
    /// Recordings of the speaker's ordinary talk, half a minute or more in all;
    /// or `auto`: whatever is said in the recordings themselves, which must be
    /// one person's
    #[arg(long, num_args = 1.., value_name = "FILE|auto")]
    baseline: Vec<PathBuf>,
}

impl Known {
    /// The recordings of ordinary talk, if any were named.
    pub fn files(&self) -> &[PathBuf] {
        if self.kind() == Some(BaselineKind::Ordinary) {
            &self.baseline
        } else {
            &[]
        }
    }

    /// What the baseline is made of; none was asked for where there is none.
    pub fn kind(&self) -> Option<BaselineKind> {
        match &self.baseline[..] {
            [] => None,
            [word] if word.as_os_str() == "auto" => Some(BaselineKind::Session),
            _ => Some(BaselineKind::Ordinary),
        }
    }
}
