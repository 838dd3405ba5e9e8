//! Weights as files keep them: in full, in half precision, or as whole numbers with
//! one scale a row, which is less than a quarter of the size.
//!
//! Whole numbers are deflated (RFC 1950): most are small, so that entropy coding takes a
//! tenth to a fifth off 8 bits, and fewer steps take off more.

use super::error::ModelError;
use super::matmul::PackedMatrix;
use half::f16;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Weights by name.
pub type Weights = BTreeMap<String, Weight>;

/// Beside whole numbers `name` lie their scales under `name` and this.
const SCALES: &str = ".scales";

/// Beside whole numbers `name`, which are deflated, lie their sizes under `name` and
/// this.
const SHAPE: &str = ".shape";

/// How hard whole numbers are deflated, of 10.
const DEFLATION: u8 = 9;

/// How closely a file keeps a network's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Full,
    /// 16-bit floats.
    Half,
    /// Matrices as whole numbers from minus this to this, 1 to 127, with one scale a
    /// row; vectors as 16-bit floats.
    Whole(i8),
}

impl Precision {
    /// Matrices in 8 bits.
    pub const EIGHT_BITS: Precision = Precision::Whole(i8::MAX);
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
    Whole {
        values: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Weight {
    /// Keeps values row-major; matrices and convolutions are rounded to whole numbers
    /// if asked for.
    ///
    /// # Panics
    /// If the shape does not hold as many values.
    pub fn new(shape: &[usize], values: &[f32], precision: Precision) -> Weight {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape");
        let values = match precision {
            Precision::Full => Values::Full(values.to_vec()),
            Precision::Whole(most) if shape.len() > 1 => rounded(values, shape[0], most.into()),
            Precision::Half | Precision::Whole(_) => {
                Values::Half(values.iter().map(|v| f16::from_f32(*v)).collect())
            }
        };
        Weight {
            shape: shape.to_vec(),
            values,
        }
    }

    /// Sizes, the outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Packs a row an output for products; whole numbers stay 8-bit. Column `i`
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
            Values::Whole { values, scales } => {
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
            Values::Whole { values, scales } => {
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

/// Each row as whole multiples, `−most` to `most`, of an equal share of its largest value.
fn rounded(values: &[f32], n_rows: usize, most: f32) -> Values {
    let n_columns = (values.len() / n_rows.max(1)).max(1);
    let (mut rows, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
    for row in values.chunks_exact(n_columns) {
        let largest = row.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = largest.max(f32::MIN_POSITIVE) / most;
        scales.push(scale);
        rows.extend(row.iter().map(|v| (v / scale).round() as i8));
    }
    Values::Whole {
        values: rows,
        scales,
    }
}

/// Every weight of a file by name.
///
/// # Errors
/// [`ModelError::NotAModel`] if a weight is of another type, or whole numbers lack
/// their scales or sizes or do not fit them.
pub fn read(file: &SafeTensors) -> Result<Weights, ModelError> {
    let mut weights = Weights::new();
    let beside = |name: &str| name.ends_with(SCALES) || name.ends_with(SHAPE);
    for (name, view) in file.iter().filter(|(name, _)| !beside(name)) {
        let weight = match view.dtype() {
            Dtype::F32 => Weight {
                shape: view.shape().to_vec(),
                values: Values::Full(floats(&view)),
            },
            Dtype::F16 => {
                let (pairs, _) = view.data().as_chunks::<2>();
                Weight {
                    shape: view.shape().to_vec(),
                    values: Values::Half(pairs.iter().map(|b| f16::from_le_bytes(*b)).collect()),
                }
            }
            Dtype::U8 => {
                inflated(file, name, view.data()).ok_or_else(|| ModelError::NotAModel {
                    reason: format!("`{name}` does not unpack"),
                })?
            }
            other => {
                return Err(ModelError::NotAModel {
                    reason: format!("`{name}` is of type {other:?}"),
                });
            }
        };
        weights.insert(name.to_owned(), weight);
    }
    Ok(weights)
}

/// Whole numbers with what lies beside them.
fn inflated(file: &SafeTensors, name: &str, deflated: &[u8]) -> Option<Weight> {
    let beside = |what: &str, dtype: Dtype| {
        let view = file.tensor(&format!("{name}{what}")).ok()?;
        (view.dtype() == dtype).then_some(view)
    };
    let shape = beside(SHAPE, Dtype::U32)?;
    let (words, _) = shape.data().as_chunks::<4>();
    let shape: Vec<usize> = (words.iter())
        .map(|b| u32::from_le_bytes(*b) as usize)
        .collect();
    let scales = floats(&beside(SCALES, Dtype::F32)?);
    let length = shape.iter().try_fold(1, |n: usize, m| n.checked_mul(*m))?;
    let values = decompress_to_vec_zlib_with_limit(deflated, length).ok()?;
    let fits = values.len() == length && shape.first() == Some(&scales.len());
    fits.then(|| Weight {
        shape,
        values: Values::Whole {
            values: values.into_iter().map(u8::cast_signed).collect(),
            scales,
        },
    })
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
        let shape = weight.shape.clone();
        let part = match &weight.values {
            Values::Full(v) => Part {
                dtype: Dtype::F32,
                shape,
                bytes: v.iter().flat_map(|v| v.to_le_bytes()).collect(),
            },
            Values::Half(v) => Part {
                dtype: Dtype::F16,
                shape,
                bytes: v.iter().flat_map(|v| v.to_le_bytes()).collect(),
            },
            Values::Whole { values, scales } => {
                let sizes = Part {
                    dtype: Dtype::U32,
                    shape: vec![shape.len()],
                    bytes: (shape.iter())
                        .flat_map(|n| (*n as u32).to_le_bytes())
                        .collect(),
                };
                parts.insert(format!("{name}{SHAPE}"), sizes);
                let scales = Part {
                    dtype: Dtype::F32,
                    shape: vec![scales.len()],
                    bytes: scales.iter().flat_map(|v| v.to_le_bytes()).collect(),
                };
                parts.insert(format!("{name}{SCALES}"), scales);
                let values: Vec<u8> = values.iter().map(|v| v.cast_unsigned()).collect();
                let bytes = compress_to_vec_zlib(&values, DEFLATION);
                Part {
                    dtype: Dtype::U8,
                    shape: vec![bytes.len()],
                    bytes,
                }
            }
        };
        parts.insert(name.clone(), part);
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
            ("eight", Precision::EIGHT_BITS),
            ("coarse", Precision::Whole(48)),
        ]
        .into_iter()
        .map(|(name, p)| (name.to_owned(), Weight::new(&[3, 4], &values, p)))
        .collect();
        let bytes = write(&weights, ("key", "value".to_owned())).expect("is written");
        let file = SafeTensors::deserialize(&bytes).expect("is a file");
        let back = read(&file).expect("is read");
        assert_eq!(back, weights);
        for (name, tolerance) in [
            ("full", 0.0),
            ("half", 1e-3),
            ("eight", 4e-3),
            ("coarse", 1e-2),
        ] {
            for (a, b) in back[name].to_f32().iter().zip(&values) {
                assert!((a - b).abs() <= tolerance, "{name}: {a} {b}");
            }
        }
    }

    #[test]
    fn whole_numbers_that_do_not_fit_are_refused() {
        let part = |dtype, n: usize, bytes: Vec<u8>| Part {
            dtype,
            shape: vec![n],
            bytes,
        };
        let read = |sizes: [u32; 2], n_scales: usize, deflated: &[u8]| {
            let sizes = sizes.iter().flat_map(|n| n.to_le_bytes()).collect();
            let parts = [
                ("w", part(Dtype::U8, deflated.len(), deflated.to_vec())),
                ("w.shape", part(Dtype::U32, 2, sizes)),
                (
                    "w.scales",
                    part(Dtype::F32, n_scales, vec![0; 4 * n_scales]),
                ),
            ];
            let bytes = safetensors::serialize(parts, None).expect("is written");
            read(&SafeTensors::deserialize(&bytes).expect("is a file"))
        };
        let deflated = compress_to_vec_zlib(&[7; 12], DEFLATION);
        let weights = read([3, 4], 3, &deflated).expect("fits");
        assert_eq!(weights["w"].shape(), [3, 4]);
        let cut = &deflated[..deflated.len() - 1];
        for (sizes, n_scales, deflated) in [
            ([3, 5], 3, &deflated[..]),
            ([3, 3], 3, &deflated),
            ([u32::MAX, u32::MAX], 3, &deflated),
            ([3, 4], 4, &deflated),
            ([3, 4], 3, cut),
        ] {
            let refused = read(sizes, n_scales, deflated).expect_err("does not fit");
            assert!(refused.to_string().contains("`w`"), "{refused}");
        }
    }
}
