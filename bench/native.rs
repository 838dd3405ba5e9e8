//! Times the extractor natively on one thread: `native GROUPS ROUNDS` reads
//! mono `f32` samples at 16 kHz from standard input, little-endian, and prints
//! milliseconds, a line a round.

use std::io::{self, Read};
use std::time::Instant;
use undertone::features::{Extractor, FeatureConfig, FeatureGroup};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let groups = arguments.next().ok_or("which groups?")?;
    let rounds: usize = arguments.next().ok_or("how many rounds?")?.parse()?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes)?;
    let samples: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let groups = groups
        .split(',')
        .map(|name| serde_json::from_value(name.into()))
        .collect::<Result<Vec<FeatureGroup>, _>>()?;
    let mut extractor = Extractor::new(&FeatureConfig {
        groups,
        n_mels: 128,
        ..FeatureConfig::all()
    })?;
    for _ in 0..rounds {
        let start = Instant::now();
        let frames = extractor.extract(&samples)?.n_frames();
        assert!(frames > 0, "no frames");
        println!("{}", start.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(())
}
