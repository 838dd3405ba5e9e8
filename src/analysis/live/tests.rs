use super::*;
use crate::audio::SAMPLE_RATE_HZ;
use proptest::prelude::*;

fn model(name: &str) -> EmotionModel {
    let path = format!(
        "{}/public/model/{name}.safetensors",
        env!("CARGO_MANIFEST_DIR")
    );
    EmotionModel::load(&std::fs::read(path).expect("it is shipped")).expect("it loads")
}

fn speech() -> Vec<f32> {
    let bytes = include_bytes!("../../../tests/data/speech.wav");
    let decoded = crate::audio::load(bytes.to_vec(), "speech.wav").expect("is decoded");
    decoded.clip.into_samples()
}

/// Feeds pieces and asks after every one that completes a step.
fn follow(live: &mut Live, pieces: &[&[f32]]) -> Vec<Moment> {
    let mut moments = Vec::new();
    for piece in pieces {
        if live.push(piece).expect("follows") {
            moments.push(live.ask().expect("answers"));
        }
    }
    moments
}

fn steps(samples: &[f32]) -> Vec<&[f32]> {
    samples.chunks(samples_of(STEP_S)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn any_partition_gives_the_same_moments(lengths in prop::collection::vec(1usize..samples_of(STEP_S), 1..12)) {
        let (model, speech) = (model("lstm"), speech());
        let mut whole = Live::new(&model, Options::default(), 1.0).expect("starts");
        let expected = follow(&mut whole, &steps(&speech));
        let mut parts = Live::new(&model, Options::default(), 1.0).expect("starts");
        let (mut rest, mut pieces) = (&speech[..], Vec::new());
        for length in lengths.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, later) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece);
            rest = later;
        }
        prop_assert_eq!(follow(&mut parts, &pieces), expected);
    }
}

/// Whoever asks hears of the cleaned sound what he would hear of it as a
/// recording, at the same places in time and at most 0.16 s later.
#[test]
fn noise_is_reduced_before_a_voice_is_followed_and_nothing_is_moved_in_time() {
    let (model, speech) = (model("lstm"), speech());
    let options = Options { denoise: true };
    let cleaned = crate::audio::denoise::denoise(&speech).expect("cleans");
    let mut plain = Live::new(&model, Options::default(), 1.0).expect("starts");
    let expected = follow(&mut plain, &steps(&cleaned));
    let mut live = Live::new(&model, options, 1.0).expect("starts");
    let (mut moments, mut n_heard) = (Vec::new(), 0);
    for piece in speech.chunks(128) {
        n_heard += piece.len();
        if live.push(piece).expect("follows") {
            let moment = live.ask().expect("answers");
            let late_s = n_heard as f64 / f64::from(SAMPLE_RATE_HZ) - moment.at_s;
            assert!((0.0..0.17).contains(&late_s), "{late_s} s late");
            moments.push(moment);
        }
    }
    assert!(
        moments.len() + 1 >= expected.len(),
        "{} came",
        moments.len()
    );
    assert_eq!(moments, expected[..moments.len()]);
    assert!(moments.iter().any(|m| m.hearing == Hearing::Speech));
}
