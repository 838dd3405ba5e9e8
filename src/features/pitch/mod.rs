//! Fundamental frequency: YIN, frame by frame, and pYIN, which looks at the
//! whole recording.

mod difference;
mod pyin;
mod viterbi;
mod yin;

pub use difference::{Difference, Ends};
pub use pyin::Pyin;
pub use yin::{Yin, period_samples};
