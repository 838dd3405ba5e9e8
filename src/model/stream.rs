//! The frames of the last moments of a stream: what an encoder makes of them,
//! kept up to date at a fraction of its cost.

use super::encoder::Encoder;
use super::error::ModelError;
use super::front_ends::{FrontEnd, SpeakerStream, WhisperEncoder};
use super::normalize::averaged;
use crate::features::{Extractor, FeatureMatrix};
use std::ops::Range;

/// Follows a stream from its first sample. What only looks back is computed
/// once and kept; a front end that looks both ways reads the window anew, as if
/// it were all there is, and only when somebody asks.
///
/// Pieces of one length make it exact to the bit, since the speaker encoder's
/// level moves with every piece.
#[derive(Clone)]
pub struct FrameStream {
    /// Frames of the window.
    n_frames: usize,
    hop_samples: usize,
    /// Frames of the extractor in one of ours.
    per_frame: usize,
    extractor: Extractor,
    /// The extractor's frames that are not yet a whole one of ours.
    waiting: FeatureMatrix,
    features: Kept,
    front_ends: Vec<Part>,
    /// The last samples, the first being number `start`.
    samples: Vec<f32>,
    start: usize,
}

/// A front end's share.
#[derive(Clone)]
enum Part {
    /// Steps on.
    Steps(Box<SpeakerStream>, Kept),
    /// Reads the window anew.
    Window(Box<WhisperEncoder>),
}

/// Frames that stay as they are, the first being number `first`.
#[derive(Clone)]
struct Kept {
    rows: Vec<f32>,
    width: usize,
    first: usize,
}

impl Kept {
    fn new(width: usize) -> Kept {
        Kept {
            rows: Vec::new(),
            width,
            first: 0,
        }
    }

    fn end(&self) -> usize {
        self.first + self.rows.len() / self.width
    }

    fn frame(&self, number: usize) -> &[f32] {
        &self.rows[(number - self.first) * self.width..][..self.width]
    }

    fn forget_before(&mut self, number: usize) {
        let n = number.clamp(self.first, self.end()) - self.first;
        self.rows.drain(..n * self.width);
        self.first += n;
    }
}

impl FrameStream {
    /// A stream before its first sample; its window is the last
    /// `window_samples` at 16 kHz.
    ///
    /// # Errors
    /// If a front end cannot follow a stream.
    pub fn new(encoder: &Encoder, window_samples: usize) -> Result<FrameStream, ModelError> {
        let front_ends = encoder.front_ends().iter().map(|front_end| {
            Ok(match front_end {
                FrontEnd::Speaker(speaker) => {
                    let stream = SpeakerStream::new(speaker.clone())?;
                    Part::Steps(Box::new(stream), Kept::new(front_end.n_outputs()))
                }
                FrontEnd::Whisper(whisper) => Part::Window(Box::new(whisper.clone())),
            })
        });
        let extractor = encoder.extractor().clone();
        let hop_samples = encoder.hop_samples();
        Ok(FrameStream {
            n_frames: window_samples / hop_samples,
            hop_samples,
            per_frame: hop_samples / extractor.config().hop_samples,
            waiting: FeatureMatrix::new(extractor.n_features()),
            features: Kept::new(extractor.n_features()),
            front_ends: front_ends.collect::<Result<_, ModelError>>()?,
            extractor,
            samples: Vec::new(),
            start: 0,
        })
    }

    /// Takes the next piece, finite samples at 16 kHz.
    ///
    /// # Errors
    /// [`ModelError::Features`] if a sample is not a finite number.
    pub fn push(&mut self, piece: &[f32]) -> Result<(), ModelError> {
        self.extractor
            .push(piece, &mut self.waiting)
            .map_err(|e| ModelError::Features(e.to_string()))?;
        let n_whole = self.waiting.n_frames() / self.per_frame * self.per_frame;
        let whole = averaged(&self.waiting, 0..n_whole, self.per_frame);
        self.features.rows.extend_from_slice(whole.as_slice());
        self.waiting = from(&self.waiting, n_whole);
        for part in &mut self.front_ends {
            if let Part::Steps(stream, kept) = part {
                let frames = stream.push(piece);
                kept.rows.extend_from_slice(frames.as_slice());
            }
        }
        self.samples.extend_from_slice(piece);
        self.forget();
        Ok(())
    }

    /// Drops what no window will show any more.
    fn forget(&mut self) {
        let first = self.range(self.features.end()).start;
        self.features.forget_before(first);
        for part in &mut self.front_ends {
            if let Part::Steps(_, kept) = part {
                kept.forget_before(first);
            }
        }
        let start = first * self.hop_samples;
        self.samples.drain(..start - self.start);
        self.start = start;
    }

    /// Numbers of the window's frames: the last that all parts have, the
    /// features up to number `features_end`.
    fn range(&self, features_end: usize) -> Range<usize> {
        let steps = self.front_ends.iter().filter_map(|part| match part {
            Part::Steps(_, kept) => Some(kept.end()),
            Part::Window(_) => None,
        });
        let end = steps.fold(features_end, usize::min);
        end.saturating_sub(self.n_frames)..end
    }

    /// The features as if the stream ended here, so that nobody waits for
    /// pitch to be decided: what a file's last frames are, too.
    fn features_to_the_end(&self) -> Kept {
        let mut features = self.features.clone();
        let mut last = self.waiting.clone();
        self.extractor.clone().finish(&mut last);
        let last = averaged(&last, 0..last.n_frames(), self.per_frame);
        features.rows.extend_from_slice(last.as_slice());
        features
    }

    /// The window's frames, `[frames, features]`, in the encoder's order; few
    /// or none at the beginning.
    ///
    /// # Errors
    /// If a front end fails.
    pub fn window(&mut self) -> Result<FeatureMatrix, ModelError> {
        let features = self.features_to_the_end();
        let range = self.range(features.end());
        let mut columns = vec![columns_of(&features, range.clone())];
        for part in &mut self.front_ends {
            columns.push(match part {
                Part::Steps(_, kept) => columns_of(kept, range.clone()),
                Part::Window(whisper) if range.is_empty() => {
                    FeatureMatrix::new(whisper.n_outputs())
                }
                Part::Window(whisper) => {
                    // What follows the last frame is heard with it.
                    let from = range.start * self.hop_samples - self.start;
                    let frames = whisper.encode(&self.samples[from..])?;
                    up_to(&frames, range.len())
                }
            });
        }
        Ok(FeatureMatrix::side_by_side(
            &columns.iter().collect::<Vec<_>>(),
        ))
    }
}

fn columns_of(kept: &Kept, range: Range<usize>) -> FeatureMatrix {
    let mut columns = FeatureMatrix::new(kept.width);
    columns.reserve(range.len());
    for number in range {
        columns.push_frame(kept.frame(number));
    }
    columns
}

/// The frames from number `start` on.
fn from(frames: &FeatureMatrix, start: usize) -> FeatureMatrix {
    let width = frames.n_features();
    FeatureMatrix::from_rows(frames.as_slice()[start * width..].to_vec(), width)
}

/// The first frames.
fn up_to(frames: &FeatureMatrix, n_frames: usize) -> FeatureMatrix {
    let width = frames.n_features();
    FeatureMatrix::from_rows(frames.as_slice()[..n_frames * width].to_vec(), width)
}
