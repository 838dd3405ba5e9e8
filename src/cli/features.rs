//! `undertone features`.

use super::{BAD_INPUT, Outcome};
use crate::analysis::VoiceProfile;
use crate::audio::{self, SAMPLE_RATE_HZ};
use crate::features::{Extractor, FeatureConfig, FeatureError, FeatureMatrix, librosa};
use clap::Args;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// A recording
    file: PathBuf,
    /// A row a frame with a header of names and units, instead of the voice in
    /// figures and a summary
    #[arg(long)]
    csv: bool,
    /// librosa's own defaults at 16 kHz (frames of 2048 every 512, 128 mel
    /// bands, limits and tuning of the whole recording), instead of the
    /// causal features of the model
    #[arg(long)]
    librosa_defaults: bool,
}

/// A row a frame, and what the columns are.
struct Table {
    names: Vec<String>,
    hop_samples: usize,
    rows: FeatureMatrix,
}

impl Table {
    fn of(samples: &[f32], librosa_defaults: bool) -> Result<Table, FeatureError> {
        if librosa_defaults {
            return Ok(Table {
                names: librosa::names(),
                hop_samples: librosa::HOP_SAMPLES,
                rows: librosa::extract(samples)?,
            });
        }
        let config = FeatureConfig::all();
        Ok(Table {
            names: config.names(),
            hop_samples: config.hop_samples,
            rows: Extractor::new(&config)?.extract(samples)?,
        })
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display().to_string();
    let described = std::fs::read(&arguments.file)
        .map_err(|e| e.to_string())
        .and_then(|bytes| audio::load(bytes, &name).map_err(|e| e.to_string()))
        .and_then(|decoded| {
            let samples = decoded.clip.samples();
            let table = Table::of(samples, arguments.librosa_defaults);
            let profile = VoiceProfile::of(samples);
            table
                .and_then(|table| Ok((table, profile?)))
                .map_err(|e| e.to_string())
        });
    let (table, profile) = match described {
        Ok(described) => described,
        Err(error) => {
            eprintln!("{name}: {error}");
            return Ok(ExitCode::from(BAD_INPUT));
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if arguments.csv {
        write_csv(&mut out, &table)
    } else {
        write_profile(&mut out, &profile).and_then(|()| write_summary(&mut out, &table))
    };
    written.and_then(|()| out.flush())?;
    Ok(ExitCode::SUCCESS)
}

fn write_csv(out: &mut impl Write, table: &Table) -> io::Result<()> {
    writeln!(out, "time_s,{}", table.names.join(","))?;
    let hop_s = table.hop_samples as f64 / f64::from(SAMPLE_RATE_HZ);
    for i in 0..table.rows.n_frames() {
        write!(out, "{:.3}", i as f64 * hop_s)?;
        for value in table.rows.frame(i) {
            write!(out, ",{value}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_profile(out: &mut impl Write, profile: &VoiceProfile) -> io::Result<()> {
    for (name, value, unit) in profile.rows() {
        match value {
            Some(value) => writeln!(out, "{name:<28} {value:>12.2} {unit}")?,
            None => writeln!(out, "{name:<28} {:>12}", "–")?,
        }
    }
    writeln!(out)
}

fn write_summary(out: &mut impl Write, table: &Table) -> io::Result<()> {
    let n = table.rows.n_frames().max(1) as f64;
    writeln!(out, "{:<28} {:>12} {:>12}", "feature", "mean", "deviation")?;
    for (column, name) in table.names.iter().enumerate() {
        let values = (0..table.rows.n_frames()).map(|i| f64::from(table.rows.frame(i)[column]));
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        writeln!(out, "{name:<28} {mean:>12.4} {:>12.4}", variance.sqrt())?;
    }
    Ok(())
}
