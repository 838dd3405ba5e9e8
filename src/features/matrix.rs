//! Rows of features.

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
}
