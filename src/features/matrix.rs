//! Rows of features.

use std::ops::Range;

/// A row-major matrix `[frames, features]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMatrix {
    data: Vec<f32>,
    n_features: usize,
}

impl FeatureMatrix {
    /// An empty matrix of the given width.
    pub fn new(n_features: usize) -> FeatureMatrix {
        FeatureMatrix {
            data: Vec::new(),
            n_features,
        }
    }

    /// Wraps row-major values.
    ///
    /// # Panics
    /// If the length is not a multiple of `n_features`.
    pub fn from_rows(data: Vec<f32>, n_features: usize) -> FeatureMatrix {
        assert!(
            n_features > 0 && data.len().is_multiple_of(n_features),
            "ragged feature matrix"
        );
        FeatureMatrix { data, n_features }
    }

    /// So many frames of zeros.
    pub fn zeros(n_frames: usize, n_features: usize) -> FeatureMatrix {
        FeatureMatrix {
            data: vec![0.0; n_frames * n_features],
            n_features,
        }
    }

    /// The frames of several matrices of the same number of frames, one
    /// matrix's columns after the other's.
    ///
    /// # Panics
    /// If the numbers of frames differ.
    pub fn side_by_side(parts: &[&FeatureMatrix]) -> FeatureMatrix {
        let n_frames = parts.first().map_or(0, |p| p.n_frames());
        assert!(parts.iter().all(|p| p.n_frames() == n_frames), "frames");
        let mut all = FeatureMatrix::new(parts.iter().map(|p| p.n_features).sum());
        all.reserve(n_frames);
        for t in 0..n_frames {
            for part in parts {
                all.data.extend_from_slice(part.frame(t));
            }
        }
        all
    }

    /// Some of the columns.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn columns(&self, columns: Range<usize>) -> FeatureMatrix {
        let mut part = FeatureMatrix::new(columns.len());
        part.reserve(self.n_frames());
        for t in 0..self.n_frames() {
            part.data.extend_from_slice(&self.frame(t)[columns.clone()]);
        }
        part
    }

    /// Makes room for so many more frames.
    pub fn reserve(&mut self, n_frames: usize) {
        self.data.reserve(n_frames * self.n_features);
    }

    /// Appends one frame.
    ///
    /// # Panics
    /// If its length is not `n_features`.
    pub fn push_frame(&mut self, frame: &[f32]) {
        assert_eq!(frame.len(), self.n_features, "features in a frame");
        self.data.extend_from_slice(frame);
    }

    /// Number of frames (rows).
    pub fn n_frames(&self) -> usize {
        self.data.len().checked_div(self.n_features).unwrap_or(0)
    }

    /// Number of features (columns).
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// One frame's features.
    pub fn frame(&self, index: usize) -> &[f32] {
        &self.data[index * self.n_features..(index + 1) * self.n_features]
    }

    /// Row `index`, to be changed.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn frame_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.n_features..][..self.n_features]
    }

    /// All values, row-major.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// All values, row-major, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.data
    }
}
