//! Fundamental frequency, two ways: pYIN, for live, for the model and to compare
//! with librosa (which has plain YIN beside it); Boersma's method, as Praat has
//! it, for figures that people read, which looks at the whole recording.

mod boersma;
mod difference;
mod path;
mod pyin;
mod viterbi;
mod yin;

pub use boersma::{Boersma, Track};
pub use difference::Difference;
pub use pyin::{Pitch, Pyin};
pub use yin::period_samples;
