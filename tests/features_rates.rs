//! A voice has the same features whatever rate it was recorded at, as far as
//! that rate reaches.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use std::f64::consts::PI;
use undertone::audio::resample::resample;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup, FeatureMatrix};

const RATES_HZ: [u32; 9] = [
    8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000, 192_000,
];
/// How far the features may differ.
const LOG_MEL_DB: f32 = 0.01;
const LOG_ENERGY_DB: f32 = 0.001;
const PITCH_OCTAVES: f32 = 1e-4;

/// The samples at another rate, without what lies above `cutoff_hz`, by sums
/// written out: a sinc of 48 crossings under a raised cosine.
fn render(samples: &[f32], rate_hz: u32, cutoff_hz: f64) -> Vec<f32> {
    let share = cutoff_hz / 8_000.0;
    let reach = 48.0 / share;
    let n = samples.len() * rate_hz as usize / 16_000;
    (0..n)
        .map(|i| {
            let at = i as f64 * 16_000.0 / f64::from(rate_hz);
            let first = (at - reach).ceil().max(0.0) as usize;
            let last = ((at + reach) as usize).min(samples.len() - 1);
            let terms = (first..=last).map(|k| {
                let x = at - k as f64;
                let sinc = if x == 0.0 {
                    1.0
                } else {
                    (PI * x * share).sin() / (PI * x * share)
                };
                let window = 0.5 + 0.5 * (PI * x / reach).cos();
                f64::from(samples[k]) * share * sinc * window
            });
            terms.sum::<f64>() as f32
        })
        .collect()
}

fn features(samples: &[f32]) -> FeatureMatrix {
    let config = FeatureConfig {
        groups: vec![
            FeatureGroup::LogMel,
            FeatureGroup::LogEnergy,
            FeatureGroup::Pitch,
            FeatureGroup::Voiced,
        ],
        ..FeatureConfig::all()
    };
    let mut extractor = Extractor::new(&config).expect("plans");
    extractor.extract(samples).expect("finite")
}

#[test]
fn the_rate_does_not_show() {
    let voice = &common::reference("speech.wav")[8_000..20_800];
    for rate_hz in RATES_HZ {
        // What both the rate and the resampler's pass band hold.
        let cutoff_hz = (0.42 * f64::from(rate_hz)).min(7_000.0);
        let there = render(voice, rate_hz, cutoff_hz);
        let back = resample(&there, rate_hz).expect("a rate in range");
        let expected = features(&render(voice, 16_000, cutoff_hz));
        let actual = features(&back);
        assert!(actual.n_frames().abs_diff(expected.n_frames()) <= 1);
        // Bands whose upper edge lies below the cut-off: 64 of equal width in
        // mel up to 8 kHz.
        let mel = |hz: f64| undertone::dsp::hz_to_mel(hz);
        let n_bands = (mel(0.95 * cutoff_hz) / mel(8_000.0) * 65.0) as usize - 1;
        let mut worst = [0.0f32; 3];
        // The clip's ends are cut hard, which no filter keeps.
        for t in 5..expected.n_frames().min(actual.n_frames()) - 5 {
            let (a, e) = (actual.frame(t), expected.frame(t));
            let loudest = e[..n_bands].iter().copied().fold(f32::MIN, f32::max);
            for band in 0..n_bands {
                if e[band] > loudest - 60.0 {
                    worst[0] = worst[0].max((a[band] - e[band]).abs());
                }
            }
            worst[1] = worst[1].max((a[64] - e[64]).abs());
            if a[67] == 1.0 && e[67] == 1.0 {
                worst[2] = worst[2].max((a[65] - e[65]).abs());
            }
        }
        println!("{rate_hz} Hz, {n_bands} bands: {worst:?}");
        let limits = [LOG_MEL_DB, LOG_ENERGY_DB, PITCH_OCTAVES];
        for (value, limit) in worst.iter().zip(limits) {
            assert!(*value <= limit, "{rate_hz} Hz: {worst:?}");
        }
    }
}
