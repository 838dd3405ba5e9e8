use super::*;
use proptest::prelude::*;
use std::f32::consts::TAU;

fn speechlike(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| {
            let t = i as f32 / 16_000.0;
            0.3 * (TAU * (120.0 + 40.0 * (3.0 * t).sin()) * t).sin() * (1.0 + (TAU * 4.0 * t).sin())
        })
        .collect()
}

#[test]
fn rows_are_as_wide_as_their_names_and_as_many_as_promised() {
    let config = FeatureConfig::all();
    let mut extractor = Extractor::new(&config).expect("plans");
    assert_eq!(config.names().len(), config.n_features());
    for n in [1, 159, 160, 161, 4_000, 16_000] {
        let features = extractor.extract(&speechlike(n)).expect("extracts");
        assert_eq!(features.n_frames(), 1 + n / 160, "{n} samples");
        assert_eq!(features.n_features(), config.n_features());
    }
    assert_eq!(extractor.extract(&[]).expect("extracts").n_frames(), 0);
}

#[test]
fn a_tone_has_its_pitch() {
    let tone: Vec<f32> = (0..16_000)
        .map(|i| (TAU * 300.0 * i as f32 / 16_000.0).sin())
        .collect();
    let config = FeatureConfig {
        groups: vec![FeatureGroup::Pitch],
        ..FeatureConfig::default()
    };
    let features = Extractor::new(&config)
        .expect("plans")
        .extract(&tone)
        .expect("extracts");
    let middle = features.frame(50);
    assert!(
        (middle[0] - 1.0).abs() < 0.01 && middle[1] > 0.9,
        "{middle:?}"
    );
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
    let result = extractor.extract(&[0.0, f32::NAN]);
    assert_eq!(result, Err(FeatureError::NotFinite { index: 1 }));
    let config = FeatureConfig {
        n_mfcc: 90,
        ..FeatureConfig::default()
    };
    assert!(matches!(
        Extractor::new(&config),
        Err(FeatureError::Config { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_partition_of_a_stream_gives_the_offline_frames(
        n in 1usize..9_000,
        cuts in prop::collection::vec(1usize..3_000, 1..12),
    ) {
        let samples = speechlike(n);
        let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
        let offline = extractor.extract(&samples).expect("extracts");
        let mut live = FeatureMatrix::new(extractor.n_features());
        let mut at = 0;
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(n);
            extractor.push(&samples[at..end], &mut live).expect("pushes");
            at = end;
            if at == n {
                break;
            }
        }
        extractor.finish(&mut live);
        prop_assert_eq!(live, offline);
    }

    #[test]
    fn any_finite_samples_give_finite_features(
        samples in prop::collection::vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..2_000),
    ) {
        let mut extractor = Extractor::new(&FeatureConfig::all()).expect("plans");
        let features = extractor.extract(&samples).expect("extracts");
        prop_assert!(features.as_slice().iter().all(|v| v.is_finite()));
    }
}
