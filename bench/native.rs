//! Times the engine natively on one thread, milliseconds a line and a round.
//!
//! `native features GROUPS ROUNDS` reads mono `f32` samples at 16 kHz from
//! standard input, little-endian; `native lstm WEIGHTS STEPS full|eight ROUNDS`
//! reads the input of the layers in a safetensors file, under PyTorch's names,
//! and first prints the sum of what the last gives.

mod stack;

use std::io::{self, Read};
use std::time::Instant;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup};
use undertone::model::weights::read;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let samples: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["features", groups, rounds] => features(groups, rounds.parse()?, &samples),
        ["lstm", weights, steps, precision, rounds] => {
            let file = std::fs::read(weights)?;
            let weights = read(&safetensors::SafeTensors::deserialize(&file)?)?;
            let named = weights
                .iter()
                .map(|(name, w)| (name.clone(), (w.shape().to_vec(), w.to_f32())))
                .collect();
            let layers = stack::lstm(&named, precision == "eight").ok_or("no such layers")?;
            let steps = steps.parse()?;
            let run = || layers.outputs(&samples, &[steps]);
            let last = run().pop().unwrap_or_default();
            println!("{}", last.iter().map(|v| f64::from(*v)).sum::<f64>());
            timed(rounds.parse()?, || drop(run()));
            Ok(())
        }
        _ => Err(
            "native features GROUPS ROUNDS or native lstm WEIGHTS STEPS PRECISION ROUNDS".into(),
        ),
    }
}

fn features(groups: &str, rounds: usize, samples: &[f32]) -> Outcome {
    let groups = groups
        .split(',')
        .map(|name| serde_json::from_value(name.into()))
        .collect::<Result<Vec<FeatureGroup>, _>>()?;
    let mut extractor = Extractor::new(&FeatureConfig {
        groups,
        n_mels: 128,
        ..FeatureConfig::all()
    })?;
    assert!(extractor.extract(samples)?.n_frames() > 0, "no frames");
    timed(rounds, || drop(extractor.extract(samples)));
    Ok(())
}

fn timed(rounds: usize, mut work: impl FnMut()) {
    for _ in 0..rounds {
        let start = Instant::now();
        work();
        println!("{}", start.elapsed().as_secs_f64() * 1_000.0);
    }
}
