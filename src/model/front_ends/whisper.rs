//! The first layers of a Whisper encoder (Radford et al. 2022, "Robust Speech
//! Recognition via Large-Scale Weak Supervision", section 2.2): what a speech
//! recogniser knows of how words are said.

use super::block::Block;
use super::log_mel::LogMel;
use super::{HOP_SAMPLES, MAX_SAMPLES};
use crate::features::FeatureMatrix;
use crate::model::error::ModelError;
use crate::model::linear::{Linear, gelu, get};
use crate::model::matmul::Scratch;
use crate::model::weights::Weights;
use std::sync::Arc;

/// Blocks that training moves, the last ones: what lies below holds for every voice.
const N_TUNED: usize = 2;

/// How many of so many blocks training moves: it needs one below them.
pub fn n_tuned(n_blocks: usize) -> usize {
    N_TUNED.min(n_blocks.saturating_sub(1))
}

/// Two convolutions, positions, and the blocks that the file has.
#[derive(Clone)]
pub struct WhisperEncoder {
    log_mel: LogMel,
    layers: Arc<Layers>,
}

struct Layers {
    n_mels: usize,
    width: usize,
    /// Spans three frames.
    first: Linear,
    /// Spans three frames and moves by two.
    second: Linear,
    /// `[positions, width]`.
    positions: Vec<f32>,
    blocks: Vec<Block>,
}

impl WhisperEncoder {
    /// Reads the weights under their names in the published models.
    ///
    /// # Errors
    /// If a weight is missing or has another shape.
    pub fn new(weights: &Weights) -> Result<WhisperEncoder, ModelError> {
        let shape = |name: &str| weights.get(name).map_or(&[][..], |w| w.shape());
        let &[width, n_mels, 3] = shape("conv1.weight") else {
            return Err(ModelError::FrontEnd {
                reason: "`conv1.weight` is no convolution of three frames".to_owned(),
            });
        };
        let n_positions = shape("embed_positions.weight")
            .first()
            .copied()
            .unwrap_or(0);
        let names = (0..).map(|i| format!("layers.{i}"));
        let blocks = names
            .take_while(|name| weights.contains_key(&format!("{name}.fc1.weight")))
            .map(|name| Block::read(weights, &name, width))
            .collect::<Result<_, _>>()?;
        let positions = get(weights, "embed_positions.weight", &[n_positions, width])?.to_f32();
        Ok(WhisperEncoder {
            log_mel: LogMel::new(n_mels),
            layers: Arc::new(Layers {
                n_mels,
                width,
                first: Linear::read_convolution(weights, "conv1", width, n_mels)?,
                second: Linear::read_convolution(weights, "conv2", width, width)?,
                positions,
                blocks,
            }),
        })
    }

    /// Columns of [`WhisperEncoder::encode`].
    pub fn n_outputs(&self) -> usize {
        self.layers.blocks.len() * self.layers.width
    }

    /// Columns of one block.
    pub fn width(&self) -> usize {
        self.layers.width
    }

    /// Blocks that training moves.
    pub fn n_tuned(&self) -> usize {
        n_tuned(self.layers.blocks.len())
    }

    /// The outputs of the blocks that training moves, side by side, for those of the block
    /// below, `[frames, width]`. Blocks hear at most 8 s at once, as in
    /// [`crate::model::Encoder::learnt`].
    pub fn tuned_blocks(&self, frames: &FeatureMatrix) -> FeatureMatrix {
        let width = self.layers.width;
        let blocks = &self.layers.blocks[self.layers.blocks.len() - self.n_tuned()..];
        let mut scratch = Scratch::default();
        let mut x = frames.as_slice().to_vec();
        let mut out = Vec::with_capacity(x.len() * blocks.len());
        for piece in x.chunks_mut(MAX_SAMPLES / HOP_SAMPLES * width) {
            out.extend(side_by_side(blocks, piece, width, &mut scratch));
        }
        FeatureMatrix::from_rows(out, blocks.len() * width)
    }

    /// The blocks' outputs side by side, `[frames, blocks · width]`, every
    /// 20 ms: frame `t` is centred on sample `320 · t` and there are
    /// `⌈⌊samples / 160⌋ / 2⌉`, at least one. There must be no more than
    /// positions, 8 s; a shorter clip takes the last ones, since the model was
    /// trained on clips padded in front.
    ///
    /// # Errors
    /// [`ModelError::FrontEnd`] if the clip is longer.
    pub fn encode(&mut self, samples: &[f32]) -> Result<FeatureMatrix, ModelError> {
        let frames = self.log_mel.frames(samples);
        self.encode_log_mel(&frames)
    }

    /// What [`WhisperEncoder::encode`] makes of log-mel frames `[frames, mels]`,
    /// every 10 ms.
    ///
    /// # Errors
    /// [`ModelError::FrontEnd`] if there are more than positions for them.
    pub fn encode_log_mel(&self, frames: &[f32]) -> Result<FeatureMatrix, ModelError> {
        let layers = &self.layers;
        let mut scratch = Scratch::default();
        let spans = spans_of_three(frames, layers.n_mels, 1);
        let mut x = layers.first.apply(&spans, &mut scratch);
        gelu(&mut x);
        let spans = spans_of_three(&x, layers.width, 2);
        let mut x = layers.second.apply(&spans, &mut scratch);
        gelu(&mut x);
        let Some(unused) = layers.positions.len().checked_sub(x.len()) else {
            return Err(ModelError::FrontEnd {
                reason: format!(
                    "{} frames at once are too many",
                    frames.len() / layers.n_mels
                ),
            });
        };
        for (x, position) in x.iter_mut().zip(&layers.positions[unused..]) {
            *x += position;
        }
        let out = side_by_side(&layers.blocks, &mut x, layers.width, &mut scratch);
        Ok(FeatureMatrix::from_rows(out, self.n_outputs()))
    }
}

/// What each block makes of the one before it, side by side: `[frames, width]` → `[frames,
/// blocks · width]`. `x` ends as the last one's.
fn side_by_side(blocks: &[Block], x: &mut [f32], width: usize, scratch: &mut Scratch) -> Vec<f32> {
    let mut out = vec![0.0; x.len() * blocks.len()];
    for (i, block) in blocks.iter().enumerate() {
        block.apply(x, scratch);
        let rows = out.chunks_exact_mut(blocks.len() * width);
        for (row, x) in rows.zip(x.chunks_exact(width)) {
            row[i * width..][..width].copy_from_slice(x);
        }
    }
    out
}

/// Every `stride`-th frame between its neighbours: `[frames, width]` →
/// `[⌈frames / stride⌉, 3 · width]`. Beyond the ends lie zeros.
fn spans_of_three(frames: &[f32], width: usize, stride: usize) -> Vec<f32> {
    let mut padded = vec![0.0; frames.len() + 2 * width];
    padded[width..width + frames.len()].copy_from_slice(frames);
    let mut spans = Vec::with_capacity(3 * frames.len() / stride + 3 * width);
    for span in padded.windows(3 * width).step_by(stride * width) {
        spans.extend_from_slice(span);
    }
    spans
}
