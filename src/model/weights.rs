//! Weights as files keep them: in full, in half precision, or in 8 bits with
//! one scale a row, which is a quarter of the size.

use super::error::ModelError;
use super::matmul::PackedMatrix;
use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Weights by name.
pub type Weights = BTreeMap<String, Weight>;

/// Beside 8-bit weights `name` lie their scales under `name` and this.
const SCALES: &str = ".scales";

/// How closely a file keeps a network's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Full,
    /// 16-bit floats.
    Half,
    /// Matrices in 8 bits with one scale a row, vectors as 16-bit floats.
    Eight,
}

/// One weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Full(Vec<f32>),
    Half(Vec<f16>),
    /// A row is what lies under one index of the first dimension.
    Eight {
        values: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Weight {
    /// Keeps values row-major; matrices and convolutions are rounded to 8 bits
    /// a row if asked for.
    ///
    /// # Panics
    /// If the shape does not hold as many values.
    pub fn new(shape: &[usize], values: &[f32], precision: Precision) -> Weight {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape");
        let values = match precision {
            Precision::Full => Values::Full(values.to_vec()),
            Precision::Eight if shape.len() > 1 => rounded(values, shape[0]),
            Precision::Half | Precision::Eight => {
                Values::Half(values.iter().map(|v| f16::from_f32(*v)).collect())
            }
        };
        Weight {
            shape: shape.to_vec(),
            values,
        }
    }

    /// Takes values that are 8-bit already, row-major, and a scale a row.
    ///
    /// # Panics
    /// If the shape does not hold as many values or scales.
    pub fn from_eight_bits(shape: &[usize], values: Vec<i8>, scales: Vec<f32>) -> Weight {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape");
        assert_eq!(shape[0], scales.len(), "scales");
        Weight {
            shape: shape.to_vec(),
            values: Values::Eight { values, scales },
        }
    }

    /// Sizes, the outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Packs a row an output for products; 8-bit weights stay 8-bit. Column `i`
    /// comes from column `order(i)`.
    pub fn pack(&self, order: impl Fn(usize) -> usize) -> PackedMatrix {
        let n_rows = self.shape.first().copied().unwrap_or(0);
        let n_columns: usize = self.shape.iter().skip(1).product();
        fn ordered<T: Copy>(values: &[T], n: usize, order: impl Fn(usize) -> usize) -> Vec<T> {
            let rows = values.chunks_exact(n.max(1));
            rows.flat_map(|row| (0..n).map(|i| row[order(i)]).collect::<Vec<_>>())
                .collect()
        }
        match &self.values {
            Values::Eight { values, scales } => {
                let values = ordered(values, n_columns, order);
                PackedMatrix::from_eight_bits(&values, scales, n_columns)
            }
            Values::Full(_) | Values::Half(_) => {
                let values = ordered(&self.to_f32(), n_columns, order);
                PackedMatrix::new(&values, n_rows, n_columns)
            }
        }
    }

    /// The values in full, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.values {
            Values::Full(values) => values.clone(),
            Values::Half(values) => values.iter().map(|v| v.to_f32()).collect(),
            Values::Eight { values, scales } => {
                let n_columns = (values.len() / scales.len().max(1)).max(1);
                values
                    .chunks_exact(n_columns)
                    .zip(scales)
                    .flat_map(|(row, scale)| row.iter().map(move |v| f32::from(*v) * scale))
                    .collect()
            }
        }
    }
}

/// Each row as whole multiples, −127 to 127, of a 127th of its largest value.
fn rounded(values: &[f32], n_rows: usize) -> Values {
    let n_columns = (values.len() / n_rows.max(1)).max(1);
    let (mut rows, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for row in values.chunks_exact(n_columns) {
        let largest = row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = largest.max(f32::MIN_POSITIVE) / 127.0;
        scales.push(scale);
        rows.extend(row.iter().map(|v| (v / scale).round() as i8));
    }
    Values::Eight {
        values: rows,
        scales,
    }
}

/// Every weight of a file by name.
///
/// # Errors
/// [`ModelError::NotAModel`] if a weight is of another type, or its scales are
/// missing.
pub fn read(file: &SafeTensors) -> Result<Weights, ModelError> {
    let mut weights = Weights::new();
    for (name, view) in file.iter().filter(|(name, _)| !name.ends_with(SCALES)) {
        let values = match view.dtype() {
            Dtype::F32 => Values::Full(floats(&view)),
            Dtype::F16 => {
                let (pairs, _) = view.data().as_chunks::<2>();
                Values::Half(pairs.iter().map(|b| f16::from_le_bytes(*b)).collect())
            }
            Dtype::I8 => {
                let scales = file
                    .tensor(&format!("{name}{SCALES}"))
                    .ok()
                    .filter(|s| s.dtype() == Dtype::F32 && s.shape() == &view.shape()[..1])
                    .ok_or_else(|| ModelError::NotAModel {
                        reason: format!("`{name}` has no scales"),
                    })?;
                Values::Eight {
                    values: view.data().iter().map(|b| b.cast_signed()).collect(),
                    scales: floats(&scales),
                }
            }
            other => {
                return Err(ModelError::NotAModel {
                    reason: format!("`{name}` is of type {other:?}"),
                });
            }
        };
        let shape = view.shape().to_vec();
        weights.insert(name.to_owned(), Weight { shape, values });
    }
    Ok(weights)
}

fn floats(view: &TensorView) -> Vec<f32> {
    let (words, _) = view.data().as_chunks::<4>();
    words.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// A file of weights with its metadata.
///
/// # Errors
/// [`ModelError::NotAModel`] if it cannot be written.
pub fn write(weights: &Weights, metadata: (&str, String)) -> Result<Vec<u8>, ModelError> {
    let mut parts = BTreeMap::new();
    for (name, weight) in weights {
        let (dtype, bytes): (Dtype, Vec<u8>) = match &weight.values {
            Values::Full(v) => (Dtype::F32, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Half(v) => (Dtype::F16, v.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Eight { values, scales } => {
                let part = Part {
                    dtype: Dtype::F32,
                    shape: vec![scales.len()],
                    bytes: scales.iter().flat_map(|v| v.to_le_bytes()).collect(),
                };
                parts.insert(format!("{name}{SCALES}"), part);
                let bytes = values.iter().map(|v| v.cast_unsigned()).collect();
                (Dtype::I8, bytes)
            }
        };
        let shape = weight.shape.clone();
        parts.insert(
            name.clone(),
            Part {
                dtype,
                shape,
                bytes,
            },
        );
    }
    let metadata = [(metadata.0.to_owned(), metadata.1)].into();
    safetensors::serialize(parts, Some(metadata)).map_err(|e| ModelError::NotAModel {
        reason: e.to_string(),
    })
}

/// A stretch of a file.
struct Part {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Part {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_back_what_was_written() {
        let values: Vec<f32> = (0..12).map(|i| (i as f32 - 5.0) / 7.0).collect();
        let weights: Weights = [
            ("full", Precision::Full),
            ("half", Precision::Half),
            ("eight", Precision::Eight),
        ]
        .into_iter()
        .map(|(name, p)| (name.to_owned(), Weight::new(&[3, 4], &values, p)))
        .collect();
        let bytes = write(&weights, ("key", "value".to_owned())).expect("is written");
        let file = SafeTensors::deserialize(&bytes).expect("is a file");
        let back = read(&file).expect("is read");
        assert_eq!(back, weights);
        for (name, tolerance) in [("full", 0.0), ("half", 1e-3), ("eight", 4e-3)] {
            for (a, b) in back[name].to_f32().iter().zip(&values) {
                assert!((a - b).abs() <= tolerance, "{name}: {a} {b}");
            }
        }
    }
}
