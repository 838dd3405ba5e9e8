//! `librosa.yin` and `librosa.pyin` over one difference.

use super::super::FeatureMatrix;
use super::super::pitch::{Difference, Pyin};
use super::{HOP_SAMPLES, N_FFT, SAMPLE_RATE_HZ};

/// C2, `librosa.note_to_hz("C2")`.
const MIN_HZ: f64 = 65.406_391_325_149_66;
/// C7.
const MAX_HZ: f64 = 2_093.004_522_404_789;
/// Frames after one that its pitch awaits, 32 s: librosa awaits the end of the
/// recording, but no path is in doubt for so long.
const LAG: usize = 1_000;

/// Pitch by YIN, hertz; by pYIN, hertz, 0 where unvoiced; whether pYIN calls
/// the frame voiced, 0 or 1; and its probability, `0..=1`. `[frames, 4]`.
pub fn track(frames: &[&[f32]]) -> FeatureMatrix {
    let difference = Difference::new(N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ);
    let lag = LAG.min(frames.len());
    let mut pyin = Pyin::new(difference, HOP_SAMPLES, MIN_HZ, MAX_HZ, lag);
    let mut rows = FeatureMatrix::zeros(frames.len(), 4);
    let mut write = |pyin: &Pyin, t: usize| {
        let pitch = pyin.pitch(t);
        rows.frame_mut(t)[1] = pitch.bin_hz.unwrap_or(0.0);
        rows.frame_mut(t)[2] = if pitch.bin_hz.is_some() { 1.0 } else { 0.0 };
        rows.frame_mut(t)[3] = pitch.voicing;
    };
    let mut yin_hz = Vec::with_capacity(frames.len());
    for (t, frame) in frames.iter().enumerate() {
        pyin.push(frame);
        yin_hz.push(pyin.yin_hz());
        if t >= lag {
            write(&pyin, t - lag);
        }
    }
    for t in frames.len().saturating_sub(lag)..frames.len() {
        write(&pyin, t);
    }
    for (t, hz) in yin_hz.into_iter().enumerate() {
        rows.frame_mut(t)[0] = hz;
    }
    rows
}
