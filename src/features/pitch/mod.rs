//! Fundamental frequency, three ways: YIN, frame by frame, for live and for the
//! model; pYIN, to compare with librosa; Boersma's method, as Praat has it, for
//! figures that people read. The last two look at the whole recording.

mod boersma;
mod difference;
mod path;
mod pyin;
mod viterbi;
mod yin;

pub use boersma::{Boersma, Track};
pub use difference::{Difference, Ends};
pub use pyin::Pyin;
pub use yin::{Yin, period_samples};
