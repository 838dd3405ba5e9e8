//! `undertone evaluate`.

use super::models::Choice;
use super::{Outcome, progress_bar, write};
use crate::analysis::Options;
use crate::model::Artifact;
use crate::train::corpora;
use crate::train::evaluate::{Conditions, Evaluation, evaluate};
use crate::train::noise::Noise;
use clap::Args;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder of corpora under their official names, or with a manifest.csv
    /// (corpus,path,speaker,sex,emotion,seconds)
    #[arg(long)]
    corpora: PathBuf,
    #[command(flatten)]
    model: Choice,
    /// Mix noise in at a signal-to-noise ratio in decibels: white:10, pink:5,
    /// babble:0 (six other speakers of the corpora)
    #[arg(long)]
    noise: Option<Noise>,
    /// Reduce noise before anything is judged
    #[arg(long)]
    denoise: bool,
    /// Judge every N-th recording alone
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    every: NonZeroUsize,
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let choice = &arguments.model;
    let model = Artifact::from_bytes(&choice.bytes()?).map_err(|e| choice.blame(e))?;
    let recordings: Vec<_> = corpora::read(&arguments.corpora)?
        .into_iter()
        .step_by(arguments.every.get())
        .collect();
    let conditions = Conditions {
        noise: arguments.noise,
        options: Options {
            denoise: arguments.denoise,
        },
    };
    let bar = progress_bar("evaluating");
    let evaluation =
        evaluate(&model, &recordings, &conditions, &bar).map_err(|e| choice.blame(e))?;
    bar.finish_and_clear();
    print(&evaluation);
    if let Some(path) = &arguments.json {
        write(path, serde_json::to_string_pretty(&evaluation)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line a corpus, then each corpus's classes and confusions.
pub(super) fn print(evaluation: &Evaluation) {
    println!(
        "{:<12} {:>6} {:>8} {:>9} {:>9} {:>7} {:>7}",
        "corpus", "clips", "skipped", "speakers", "accuracy", "UAR", "ECE"
    );
    for (name, report) in &evaluation.corpora {
        println!(
            "{name:<12} {:>6} {:>8} {:>9} {:>9.3} {:>7.3} {:>7.3}",
            report.clips,
            report.skipped,
            report.speakers,
            report.metrics.accuracy,
            report.metrics.uar,
            report.metrics.ece
        );
    }
    for (name, report) in &evaluation.corpora {
        println!("\n{name}: a row for what was shown, a column for what was heard");
        print!(
            "{:<10} {:>9} {:>6} {:>6}  ",
            "", "precision", "recall", "F1"
        );
        report
            .classes
            .iter()
            .for_each(|c| print!(" {:>4.4}", c.name()));
        println!();
        for ((class, metrics), row) in report
            .metrics
            .per_class
            .iter()
            .zip(&report.metrics.confusion)
        {
            print!(
                "{class:<10} {:>9.2} {:>6.2} {:>6.2}  ",
                metrics.precision, metrics.recall, metrics.f1
            );
            row.iter().for_each(|n| print!(" {n:>4}"));
            println!();
        }
    }
}
