//! A model as one safetensors file; the header travels as JSON under the
//! metadata key `undertone`.

use super::error::ModelError;
use super::front_ends::PackedFrontEnd;
use super::header::{FORMAT_VERSION, ModelHeader};
use super::weights::{self, Precision, Weight, Weights};
use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Metadata key of the header.
const HEADER_KEY: &str = "undertone";

/// Header and weights, as read or about to be written.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What the file says about itself.
    pub header: ModelHeader,
    /// The network's weights by name. Lower precision is kept in the file only.
    pub weights: BTreeMap<String, Tensor>,
    /// Weights of the header's front ends.
    pub front_ends: Vec<Arc<Weights>>,
}

/// The part of the header that every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

impl Artifact {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// If the bytes are no model, are cut short or damaged, or belong to
    /// another version of the program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Artifact, ModelError> {
        let not_a_model = |reason: String| ModelError::NotAModel { reason };
        let (header_length, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|e| not_a_model(e.to_string()))?;
        let json = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(HEADER_KEY))
            .ok_or_else(|| not_a_model(format!("no `{HEADER_KEY}` header")))?;
        let version: Version =
            serde_json::from_str(json).map_err(|e| not_a_model(e.to_string()))?;
        if version.format_version != FORMAT_VERSION {
            return Err(ModelError::FormatVersion {
                expected: FORMAT_VERSION,
                actual: version.format_version,
            });
        }
        let header: ModelHeader =
            serde_json::from_str(json).map_err(|e| not_a_model(e.to_string()))?;
        let actual = checksum(&bytes[8 + header_length..]);
        if actual != header.checksum {
            return Err(ModelError::Checksum {
                expected: header.checksum,
                actual,
            });
        }
        let file = SafeTensors::deserialize(bytes).map_err(|e| not_a_model(e.to_string()))?;
        let mut stored = weights::read(&file)?;
        let front_ends = (0..header.front_ends.len())
            .map(|i| {
                let prefix = prefix(i);
                let (own, others) = std::mem::take(&mut stored)
                    .into_iter()
                    .partition::<Weights, _>(|(name, _)| name.starts_with(&prefix));
                stored = others;
                let own = own.into_iter();
                let own: Weights = own
                    .map(|(name, w)| (name[prefix.len()..].to_owned(), w))
                    .collect();
                Arc::new(own)
            })
            .collect();
        let weights = stored
            .into_iter()
            .map(|(name, w)| {
                let tensor = Tensor::from_vec(w.to_f32(), w.shape(), &Device::Cpu)?;
                Ok((name, tensor))
            })
            .collect::<Result<BTreeMap<_, _>, candle_core::Error>>()?;
        Ok(Artifact {
            header,
            weights,
            front_ends,
        })
    }

    /// The front ends, each with its header.
    pub fn packed_front_ends(&self) -> Vec<PackedFrontEnd> {
        let headers = self.header.front_ends.iter().cloned();
        headers
            .zip(self.front_ends.iter().cloned())
            .map(|(header, weights)| PackedFrontEnd { header, weights })
            .collect()
    }

    /// The file's bytes, the network's weights in the given precision and the
    /// front ends' in their own; the checksum in the header is computed anew.
    ///
    /// # Errors
    /// If a weight cannot be converted.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, ModelError> {
        let mut stored = Weights::new();
        for (name, tensor) in &self.weights {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            stored.insert(name.clone(), Weight::new(tensor.dims(), &values, precision));
        }
        for (i, front_end) in self.front_ends.iter().enumerate() {
            let prefix = prefix(i);
            let named = front_end
                .iter()
                .map(|(n, w)| (format!("{prefix}{n}"), w.clone()));
            stored.extend(named);
        }
        let serialize = |checksum: String| -> Result<Vec<u8>, ModelError> {
            let header = ModelHeader {
                checksum,
                ..self.header.clone()
            };
            let json = serde_json::to_string(&header).map_err(|e| ModelError::NotAModel {
                reason: e.to_string(),
            })?;
            weights::write(&stored, (HEADER_KEY, json))
        };
        // The checksum covers the weights alone, so it is taken from a first
        // writing and put into the header of the second.
        let draft = serialize(String::new())?;
        let (header_length, _) =
            SafeTensors::read_metadata(&draft).map_err(|e| ModelError::NotAModel {
                reason: e.to_string(),
            })?;
        serialize(checksum(&draft[8 + header_length..]))
    }
}

/// What a front end's weights are called in a model file, before their own names.
fn prefix(index: usize) -> String {
    format!("front_ends.{index}.")
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
