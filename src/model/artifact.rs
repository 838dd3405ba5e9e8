//! A model as one safetensors file; the header travels as JSON under the
//! metadata key `undertone`.

use super::error::ModelError;
use super::header::{FORMAT_VERSION, ModelHeader};
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Metadata key of the header.
const HEADER_KEY: &str = "undertone";

/// Header and weights, as read or about to be written.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// What the file says about itself.
    pub header: ModelHeader,
    /// Weights by name. Half precision is kept in the file only.
    pub weights: BTreeMap<String, Tensor>,
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
        let weights = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)?
            .into_iter()
            .map(|(name, tensor)| Ok((name, tensor.to_dtype(DType::F32)?)))
            .collect::<Result<_, candle_core::Error>>()?;
        Ok(Artifact { header, weights })
    }

    /// The file's bytes, weights as `dtype` (full or half precision); the
    /// checksum in the header is computed anew.
    ///
    /// # Errors
    /// If a weight cannot be converted.
    pub fn to_bytes(&self, dtype: DType) -> Result<Vec<u8>, ModelError> {
        let weights = self
            .weights
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(dtype)?)))
            .collect::<Result<BTreeMap<_, _>, candle_core::Error>>()?;
        let serialize = |checksum: String| -> Result<Vec<u8>, ModelError> {
            let header = ModelHeader {
                checksum,
                ..self.header.clone()
            };
            let json = serde_json::to_string(&header).map_err(|e| ModelError::NotAModel {
                reason: e.to_string(),
            })?;
            let metadata = HashMap::from([(HEADER_KEY.to_owned(), json)]);
            safetensors::serialize(&weights, Some(metadata)).map_err(|e| ModelError::NotAModel {
                reason: e.to_string(),
            })
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

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
