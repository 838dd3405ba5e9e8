//! Published networks as front ends: reads the files that others publish, and
//! keeps the layers that help.

mod onnx;
mod pickle;

use crate::model::ModelError;
use crate::model::front_ends::{
    FrontEnd, FrontEndHeader, FrontEndKind, HOP_SAMPLES, PackedFrontEnd,
};
use crate::model::weights::Weights;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Why a published file could not be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file that nobody has looked at.
    #[error(
        "this file has SHA-256 {actual}, which is none of the published ones: {known}; get the version named there"
    )]
    Unknown {
        /// Checksum of the file.
        actual: String,
        /// What is known, with checksums.
        known: String,
    },
    /// The file lacks what its publisher put there.
    #[error("the file cannot be read as {format}: {reason}")]
    Contents {
        /// What it should be.
        format: &'static str,
        /// What is missing.
        reason: String,
    },
    /// The weights fit no front end.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A file that can be imported.
struct Known {
    sha256: &'static str,
    kind: FrontEndKind,
    origin: &'static str,
    version: &'static str,
    license: &'static str,
    read: fn(&[u8]) -> Result<Weights, ImportError>,
}

const KNOWN: [Known; 2] = [
    Known {
        sha256: "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
        kind: FrontEndKind::Speaker,
        origin: "resemblyzer/pretrained.pt of the PyPI package Resemblyzer (Resemble AI): GE2E speaker encoder, LSTM layers 1 and 2",
        version: "0.1.4",
        license: "Apache-2.0",
        read: pickle::speaker,
    },
    Known {
        sha256: "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
        kind: FrontEndKind::Whisper,
        origin: "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx of the PyPI package pipecat-ai (Daily): Whisper-tiny encoder (OpenAI, MIT) fine-tuned on turn-taking, convolutions and blocks 1 to 3",
        version: "1.14.0 (smart-turn 3.2)",
        license: "BSD-2-Clause",
        read: onnx::whisper,
    },
];

/// Reads a published file; which one it is, its checksum says.
///
/// # Errors
/// [`ImportError`].
pub fn import(path: &Path) -> Result<PackedFrontEnd, ImportError> {
    let bytes = std::fs::read(path).map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })?;
    let sha256: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let Some(known) = KNOWN.iter().find(|k| k.sha256 == sha256) else {
        let known: Vec<String> = KNOWN
            .iter()
            .map(|k| format!("{} {} ({})", k.origin, k.version, k.sha256))
            .collect();
        return Err(ImportError::Unknown {
            actual: sha256,
            known: known.join("; "),
        });
    };
    let packed = PackedFrontEnd {
        header: FrontEndHeader {
            kind: known.kind,
            origin: known.origin.to_owned(),
            version: known.version.to_owned(),
            sha256,
            license: known.license.to_owned(),
            hop_samples: HOP_SAMPLES,
        },
        weights: Arc::new((known.read)(&bytes)?),
    };
    // What cannot run is not written.
    FrontEnd::new(&packed)?;
    Ok(packed)
}
