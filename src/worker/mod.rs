//! The conversation between page and worker: [`protocol`] is the words, and
//! the rest of this floor carries them.

pub mod protocol;
