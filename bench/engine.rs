//! The engine as the side-by-side page calls it.

use undertone::features::{Extractor, FeatureConfig, FeatureGroup};
use wasm_bindgen::prelude::wasm_bindgen;

/// A planned extractor.
#[wasm_bindgen]
pub struct Features(Extractor);

#[wasm_bindgen]
impl Features {
    /// Plans the named groups (`mfcc,chroma,…`; `all` for every one) for
    /// frames of `n_fft` samples every `hop_samples`; `None` if there is no
    /// such group or configuration.
    pub fn plan(
        groups: &str,
        n_fft: usize,
        hop_samples: usize,
        n_mels: usize,
        n_mfcc: usize,
    ) -> Option<Features> {
        let all = FeatureConfig::all();
        let groups = if groups == "all" {
            all.groups
        } else {
            let read = |name: &str| serde_json::from_value(name.into()).ok();
            groups
                .split(',')
                .map(read)
                .collect::<Option<Vec<FeatureGroup>>>()?
        };
        let config = FeatureConfig {
            n_fft,
            hop_samples,
            n_mels,
            n_mfcc,
            groups,
        };
        Extractor::new(&config).ok().map(Features)
    }

    /// Extracts a whole clip; returns the number of frames, or zero if the
    /// samples are not finite.
    pub fn extract(&mut self, samples: &[f32]) -> usize {
        self.0.extract(samples).map_or(0, |m| m.n_frames())
    }
}

fn main() {}
