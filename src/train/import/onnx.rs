//! An ONNX file with 8-bit weights, each followed by a `DequantizeLinear`.

use super::ImportError;
use crate::model::front_ends::FrontEndKind;
use crate::model::weights::{Precision, Weight, Weights};
use prost::Message;
use std::collections::HashMap;

/// Blocks taken: the fourth knows what is said, and less how.
const N_BLOCKS: usize = 3;

/// Constant matrix products of a block, in the order of the file's nodes.
const PRODUCTS: [&str; 6] = [
    "self_attn.k_proj",
    "self_attn.q_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
    "fc1",
    "fc2",
];

/// `ModelProto` of onnx.proto, as far as it is read.
#[derive(Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<Initializer>,
}

#[derive(Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "4")]
    operator: String,
}

#[derive(Message)]
struct Initializer {
    #[prost(int64, repeated, tag = "1")]
    sizes: Vec<i64>,
    #[prost(float, repeated, tag = "4")]
    floats: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    integers: Vec<i32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw: Vec<u8>,
}

impl Initializer {
    fn shape(&self) -> Vec<usize> {
        self.sizes.iter().map(|n| *n as usize).collect()
    }

    fn to_f32(&self) -> Vec<f32> {
        let (words, _) = self.raw.as_chunks::<4>();
        let raw = words.iter().map(|b| f32::from_le_bytes(*b));
        self.floats.iter().copied().chain(raw).collect()
    }

    fn to_i32(&self) -> Vec<i32> {
        let (words, _) = self.raw.as_chunks::<4>();
        let raw = words.iter().map(|b| i32::from_le_bytes(*b));
        self.integers.iter().copied().chain(raw).collect()
    }
}

/// The convolutions, positions and first blocks of a Whisper encoder, under
/// the names of OpenAI's models in transformers. Matrices are rounded as files keep
/// them, biases and norms stay as they are.
pub fn whisper(bytes: &[u8]) -> Result<Weights, ImportError> {
    let graph = Model::decode(bytes)
        .map_err(|e| fault(e.to_string()))?
        .graph
        .ok_or_else(|| fault("no graph".to_owned()))?;
    let file = File::new(&graph);
    let mut weights = Weights::new();
    for name in ["conv1", "conv2"] {
        let weight = file.eight_bits(&format!("inner.encoder.{name}.weight"), false)?;
        weights.insert(format!("{name}.weight"), weight);
        let bias = file.integer_bias(&format!("inner.encoder.{name}.bias"))?;
        weights.insert(format!("{name}.bias"), bias);
    }
    let positions = file.get("inner.encoder.embed_positions.weight")?;
    weights.insert(
        "embed_positions.weight".to_owned(),
        rounded(&positions.shape(), &positions.to_f32()),
    );
    let mut products = file.constant_products(&graph).into_iter();
    for block in 0..N_BLOCKS {
        let prefix = format!("layers.{block}.");
        let from = format!("inner.encoder.{prefix}");
        for initializer in &graph.initializers {
            if let Some(name) = initializer.name.strip_prefix(&from) {
                let values = initializer.to_f32();
                let weight = Weight::new(&initializer.shape(), &values, Precision::Full);
                weights.insert(format!("{prefix}{name}"), weight);
            }
        }
        for (name, product) in PRODUCTS.into_iter().zip(&mut products) {
            let weight = file.eight_bits(&product, true)?;
            weights.insert(format!("{prefix}{name}.weight"), weight);
        }
    }
    Ok(weights)
}

fn fault(reason: String) -> ImportError {
    ImportError::Contents {
        format: "an ONNX model with 8-bit weights",
        reason,
    }
}

fn rounded(shape: &[usize], values: &[f32]) -> Weight {
    Weight::new(shape, values, FrontEndKind::Whisper.precision())
}

/// Initialisers by name.
struct File<'a>(HashMap<&'a str, &'a Initializer>);

impl<'a> File<'a> {
    fn new(graph: &'a Graph) -> File<'a> {
        let named = graph.initializers.iter().map(|i| (i.name.as_str(), i));
        File(named.collect())
    }

    fn get(&self, name: &str) -> Result<&'a Initializer, ImportError> {
        let found = self.0.get(name).copied();
        found.ok_or_else(|| fault(format!("no `{name}`")))
    }

    /// Stems of the weights of all matrix products with a constant, in the
    /// order of the nodes.
    fn constant_products(&self, graph: &Graph) -> Vec<String> {
        let stems: HashMap<&str, &str> = graph
            .nodes
            .iter()
            .filter(|n| n.operator == "DequantizeLinear")
            .filter_map(|n| {
                let stem = n.inputs.first()?.strip_suffix("_quantized")?;
                Some((n.outputs.first()?.as_str(), stem))
            })
            .collect();
        graph
            .nodes
            .iter()
            .filter(|n| n.operator == "MatMul")
            .filter_map(|n| stems.get(n.inputs.get(1)?.as_str()))
            .map(|stem| (*stem).to_owned())
            .collect()
    }

    /// `stem_quantized` with `stem_scale`, one scale a row. A matrix product's
    /// constant is stored `[inputs, outputs]` and comes out transposed.
    fn eight_bits(&self, stem: &str, transposed: bool) -> Result<Weight, ImportError> {
        let weight = self.get(&format!("{stem}_quantized"))?;
        let scales = self.get(&format!("{stem}_scale"))?.to_f32();
        let zeros = self.get(&format!("{stem}_zero_point"))?;
        if zeros.to_i32().iter().any(|z| *z != 0) || zeros.raw.iter().any(|z| *z != 0) {
            return Err(fault(format!("`{stem}` is not centred on zero")));
        }
        let mut shape = weight.shape();
        let mut values: Vec<f32> = weight
            .raw
            .iter()
            .map(|b| f32::from(b.cast_signed()))
            .collect();
        if let (true, &[n_inputs, n_outputs]) = (transposed, &shape[..]) {
            values = (0..values.len())
                .map(|i| values[i % n_inputs * n_outputs + i / n_inputs])
                .collect();
            shape.reverse();
        }
        if values.len() != shape.iter().product::<usize>() || shape.first() != Some(&scales.len()) {
            return Err(fault(format!("`{stem}` is not 8-bit with a scale a row")));
        }
        let n_columns = values.len() / scales.len().max(1);
        for (row, scale) in values.chunks_exact_mut(n_columns.max(1)).zip(scales) {
            for value in row {
                *value *= scale;
            }
        }
        Ok(rounded(&shape, &values))
    }

    /// A 32-bit integer bias with its scales, in full.
    fn integer_bias(&self, stem: &str) -> Result<Weight, ImportError> {
        let values = self.get(&format!("{stem}_quantized"))?.to_i32();
        let scales = self.get(&format!("{stem}_quantized_scale"))?.to_f32();
        let bias: Vec<f32> = values
            .iter()
            .zip(scales)
            .map(|(v, scale)| *v as f32 * scale)
            .collect();
        Ok(Weight::new(&[bias.len()], &bias, Precision::Full))
    }
}
