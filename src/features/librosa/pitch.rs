//! `librosa.yin` and `librosa.pyin` over one difference.

use super::super::FeatureMatrix;
use super::super::pitch::{Difference, Ends, Pyin, period_samples};
use super::{HOP_SAMPLES, N_FFT, SAMPLE_RATE_HZ};

/// C2, `librosa.note_to_hz("C2")`.
const MIN_HZ: f64 = 65.406_391_325_149_66;
/// C7.
const MAX_HZ: f64 = 2_093.004_522_404_789;

/// Pitch by YIN, hertz; by pYIN, hertz, 0 where unvoiced; whether pYIN calls
/// the frame voiced, 0 or 1; and its probability, `0..=1`. `[frames, 4]`.
pub fn track(frames: &[&[f32]]) -> FeatureMatrix {
    let mut difference = Difference::new(N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ, Ends::Padded);
    let (periods, rate_hz) = (difference.periods(), difference.rate_hz());
    let pyin = Pyin::new(periods.clone(), rate_hz, HOP_SAMPLES, MIN_HZ, MAX_HZ);
    let mut rows = FeatureMatrix::zeros(frames.len(), 4);
    let mut observations = Vec::with_capacity(frames.len());
    for (t, frame) in frames.iter().enumerate() {
        let d = difference.normalised(frame);
        rows.frame_mut(t)[0] = rate_hz as f32 / period_samples(d, &periods);
        observations.push(pyin.observe(d));
    }
    let path = pyin.decode(&observations);
    for (t, (f0_hz, observation)) in path.iter().zip(&observations).enumerate() {
        let row = rows.frame_mut(t);
        row[1] = f0_hz.unwrap_or(0.0);
        row[2] = if f0_hz.is_some() { 1.0 } else { 0.0 };
        row[3] = observation.voicing as f32;
    }
    rows
}
