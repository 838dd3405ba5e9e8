//! `undertone features`.

use super::{BAD_INPUT, Outcome};
use crate::audio::{self, SAMPLE_RATE_HZ};
use crate::features::{Extractor, FeatureConfig, FeatureMatrix};
use clap::Args;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// A recording
    file: PathBuf,
    /// A row a frame with a header of names and units, instead of a summary
    #[arg(long)]
    csv: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display().to_string();
    let config = FeatureConfig::all();
    let mut extractor = Extractor::new(&config)?;
    let features = std::fs::read(&arguments.file)
        .map_err(|e| e.to_string())
        .and_then(|bytes| audio::load(bytes, &name).map_err(|e| e.to_string()))
        .and_then(|decoded| {
            extractor
                .extract(decoded.clip.samples())
                .map_err(|e| e.to_string())
        });
    let features = match features {
        Ok(features) => features,
        Err(error) => {
            eprintln!("{name}: {error}");
            return Ok(ExitCode::from(BAD_INPUT));
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if arguments.csv {
        write_csv(&mut out, &config, &features)
    } else {
        write_summary(&mut out, &config, &features)
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has had enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(e) => Err(e.into()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn write_csv(
    out: &mut impl Write,
    config: &FeatureConfig,
    features: &FeatureMatrix,
) -> io::Result<()> {
    writeln!(out, "time_s,{}", config.names().join(","))?;
    let hop_s = config.hop_samples as f64 / f64::from(SAMPLE_RATE_HZ);
    for i in 0..features.n_frames() {
        write!(out, "{:.3}", i as f64 * hop_s)?;
        for value in features.frame(i) {
            write!(out, ",{value}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_summary(
    out: &mut impl Write,
    config: &FeatureConfig,
    features: &FeatureMatrix,
) -> io::Result<()> {
    let n = features.n_frames().max(1) as f64;
    writeln!(out, "{:<22} {:>12} {:>12}", "feature", "mean", "deviation")?;
    for (column, name) in config.names().iter().enumerate() {
        let values = (0..features.n_frames()).map(|i| f64::from(features.frame(i)[column]));
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        writeln!(out, "{name:<22} {mean:>12.4} {:>12.4}", variance.sqrt())?;
    }
    Ok(())
}
