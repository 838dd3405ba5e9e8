//! Signal processing that knows no speech: short-time spectra and the banks
//! that summarise them.

mod autocorrelation;
mod dct;
pub mod lanes;
mod log;
mod mel;
mod stft;
mod window;

pub use autocorrelation::Autocorrelation;
pub use dct::Dct;
pub use log::{POWER_FLOOR, ln, power_to_db};
pub use mel::{MelBank, hz_to_mel, mel_to_hz};
pub use stft::{Spectrum, bin_frequencies_hz};
pub use window::hann_periodic;
