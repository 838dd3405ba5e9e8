//! Signal processing that knows no speech.
