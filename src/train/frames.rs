//! Encoded recordings as training keeps them: front ends give a thousand
//! numbers a step, of which half precision is plenty.

use crate::features::FeatureMatrix;
use half::f16;
use half::slice::HalfFloatSliceExt;
use std::borrow::Cow;
use std::ops::Range;

/// A matrix `[steps, features]` in full or half precision.
#[derive(Clone, Debug, PartialEq)]
pub enum Frames {
    /// 32-bit floats.
    Full(FeatureMatrix),
    /// 16-bit floats, row-major.
    Half {
        /// The values.
        values: Vec<f16>,
        /// Columns.
        n_features: usize,
    },
}

impl From<FeatureMatrix> for Frames {
    fn from(matrix: FeatureMatrix) -> Frames {
        Frames::Full(matrix)
    }
}

impl Frames {
    /// Rounds to half precision; what is too large becomes the largest value.
    pub fn half(matrix: &FeatureMatrix) -> Frames {
        let limit = f16::MAX.to_f32();
        let values = matrix.as_slice().iter();
        Frames::Half {
            values: values
                .map(|v| f16::from_f32(v.clamp(-limit, limit)))
                .collect(),
            n_features: matrix.n_features(),
        }
    }

    /// Rows.
    pub fn n_frames(&self) -> usize {
        match self {
            Frames::Full(matrix) => matrix.n_frames(),
            Frames::Half { values, n_features } => values.len() / (*n_features).max(1),
        }
    }

    /// Columns.
    pub fn n_features(&self) -> usize {
        match self {
            Frames::Full(matrix) => matrix.n_features(),
            Frames::Half { n_features, .. } => *n_features,
        }
    }

    /// All rows in full precision.
    pub fn matrix(&self) -> Cow<'_, FeatureMatrix> {
        self.rows(0..self.n_frames()).0
    }

    /// A matrix in full precision, and where in it the rows `range` are.
    pub fn rows(&self, range: Range<usize>) -> (Cow<'_, FeatureMatrix>, Range<usize>) {
        match self {
            Frames::Full(matrix) => (Cow::Borrowed(matrix), range),
            Frames::Half { values, n_features } => {
                let wanted = &values[range.start * n_features..range.end * n_features];
                let matrix = FeatureMatrix::from_rows(wanted.to_f32_vec(), *n_features);
                (Cow::Owned(matrix), 0..range.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_precision_gives_the_same_rows() {
        let values = (0..12).map(|i| i as f32 / 4.0).collect();
        let matrix = FeatureMatrix::from_rows(values, 3);
        let full = Frames::from(matrix.clone());
        let half = Frames::half(&matrix);
        for frames in [&full, &half] {
            assert_eq!((frames.n_frames(), frames.n_features()), (4, 3));
            assert_eq!(*frames.matrix(), matrix);
            let (rows, range) = frames.rows(1..3);
            assert_eq!(range.len(), 2);
            assert_eq!(rows.frame(range.start), matrix.frame(1));
        }
    }
}
