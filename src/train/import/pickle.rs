//! A PyTorch checkpoint in the form written before version 1.6: a run of
//! pickles (magic number, protocol, machine, contents, names of the storages),
//! then every storage's length and values.

use super::ImportError;
use crate::model::front_ends::FrontEndKind;
use crate::model::weights::{Weight, Weights};
use candle_core::pickle::{Object, Stack};
use std::collections::HashMap;
use std::path::Path;

/// The first pickle: `0x1950a86a20f9469cfc6c`.
const MAGIC: [u8; 15] = [
    0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
];

/// Layers taken: the third knows who speaks, and no longer how.
const N_LAYERS: usize = 2;

/// The first layers of a speaker encoder.
pub fn speaker(bytes: &[u8]) -> Result<Weights, ImportError> {
    let tensors = tensors(bytes, "model_state").map_err(|e| fault(e.to_string()))?;
    let mut weights = Weights::new();
    for layer in 0..N_LAYERS {
        for part in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"] {
            let name = format!("{part}_l{layer}");
            let (shape, values) = tensors
                .get(&format!("lstm.{name}"))
                .ok_or_else(|| fault(format!("no `lstm.{name}`")))?;
            let precision = FrontEndKind::Speaker.precision();
            weights.insert(name, Weight::new(shape, values, precision));
        }
    }
    Ok(weights)
}

fn fault(reason: String) -> ImportError {
    ImportError::Contents {
        format: "a PyTorch checkpoint",
        reason,
    }
}

/// Shape and values.
type Array = (Vec<usize>, Vec<f32>);

/// The 32-bit tensors of a checkpoint's dictionary `part`, by name.
fn tensors(bytes: &[u8], part: &str) -> candle_core::Result<HashMap<String, Array>> {
    let Some(mut rest) = bytes.strip_prefix(&MAGIC) else {
        candle_core::bail!("another magic number")
    };
    let mut pickle = || -> candle_core::Result<(Object, usize)> {
        let mut stack = Stack::empty();
        stack.read_loop(&mut rest)?;
        Ok((stack.finalize()?, rest.len()))
    };
    let (_protocol, _machine) = (pickle()?, pickle()?);
    let (contents, _) = pickle()?;
    let (names, n_left) = pickle()?;
    let storages = storages(&bytes[bytes.len() - n_left..], names)?;
    let part = contents
        .dict()?
        .into_iter()
        .find_map(|(name, value)| (name.unicode().ok()? == part).then_some(value));
    let Some(part) = part else {
        candle_core::bail!("no such part")
    };
    let mut tensors = HashMap::new();
    for (name, value) in part.dict()? {
        let Some(info) = value.into_tensor_info(name, Path::new(""))? else {
            continue;
        };
        let layout = &info.layout;
        // Storages are named by their address.
        let address = info.path.rsplit('/').next().unwrap_or_default();
        let (Some(storage), Some((start, end))) =
            (storages.get(address), layout.contiguous_offsets())
        else {
            candle_core::bail!("`{}` has no storage of its own", info.name)
        };
        // The offset counts bytes, the length values.
        let start_value = start / 4;
        let Some(values) = storage.get(start_value..start_value + end - start) else {
            candle_core::bail!("`{}` is cut short", info.name)
        };
        tensors.insert(info.name, (layout.dims().to_vec(), values.to_vec()));
    }
    Ok(tensors)
}

/// Each storage's values by its name, as 32-bit floats.
fn storages(mut bytes: &[u8], names: Object) -> candle_core::Result<HashMap<String, Vec<f32>>> {
    let Object::List(names) = names else {
        candle_core::bail!("no list of storages")
    };
    let mut storages = HashMap::new();
    for name in names {
        let cut = || candle_core::Error::Msg("a storage is cut short".to_owned());
        let (n, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
        let n_bytes = usize::try_from(u64::from_le_bytes(*n))
            .ok()
            .and_then(|n| n.checked_mul(4))
            .ok_or_else(cut)?;
        let (values, rest) = rest.split_at_checked(n_bytes).ok_or_else(cut)?;
        let (words, _) = values.as_chunks::<4>();
        let values = words.iter().map(|b| f32::from_le_bytes(*b)).collect();
        storages.insert(name.unicode()?, values);
        bytes = rest;
    }
    Ok(storages)
}
