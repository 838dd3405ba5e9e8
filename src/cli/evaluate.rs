//! `undertone evaluate`.

use super::models::Choice;
use super::{Outcome, progress_bar, write};
use crate::analysis::Options;
use crate::model::Artifact;
use crate::train::corpora::{self, Sex};
use crate::train::evaluate::{Conditions, Evaluation, Known, evaluate};
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
    /// What is known of each speaker: `neutral`, half a minute of their neutral
    /// recordings; `auto`, all that they say; or recordings of ordinary talk.
    /// Recordings named or taken are not judged, those of `auto` are
    #[arg(long, num_args = 1.., value_name = "neutral|auto|FILE")]
    baseline: Vec<PathBuf>,
    /// Mix noise in at a signal-to-noise ratio in decibels: white:10, pink:5,
    /// babble:0 (six other speakers of the corpora)
    #[arg(long)]
    noise: Option<Noise>,
    /// Reduce noise before anything is judged
    #[arg(long)]
    denoise: bool,
    /// Judge those speakers alone that the model was not trained on
    #[arg(long)]
    unheard: bool,
    /// Judge every N-th recording alone
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    every: NonZeroUsize,
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn known(&self) -> Known {
        match &self.baseline[..] {
            [] => Known::Nothing,
            [word] if word.as_os_str() == "auto" => Known::Session,
            [word] if word.as_os_str() == "neutral" => Known::Neutral,
            files => Known::Files(files.to_vec()),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let choice = &arguments.model;
    let model = Artifact::from_bytes(&choice.bytes()?).map_err(|e| choice.blame(e))?;
    let heard = &model.header.training.speakers;
    let recordings: Vec<_> = corpora::read(&arguments.corpora)?
        .into_iter()
        .filter(|r| !arguments.unheard || !heard.contains(&r.person()))
        .step_by(arguments.every.get())
        .collect();
    if recordings.is_empty() {
        return Err(
            "the model was trained on every speaker there; give others, or leave --unheard out"
                .into(),
        );
    }
    let conditions = Conditions {
        known: arguments.known(),
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

/// A line a corpus (UAR of women and of men apart, and the share of neutral clips heard as
/// neutral, calm or "not sure"), then each corpus's classes and confusions.
fn print(evaluation: &Evaluation) {
    println!(
        "{:<12} {:>6} {:>8} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>15}",
        "corpus",
        "clips",
        "skipped",
        "speakers",
        "accuracy",
        "UAR",
        "ECE",
        "women",
        "men",
        "calm or unsure"
    );
    for (name, report) in &evaluation.corpora {
        let shown = |share: Option<f64>| share.map_or("–".to_owned(), |s| format!("{s:.3}"));
        let by_sex = &report.metrics.uar_by_sex;
        let [women, men] = [Sex::Female, Sex::Male].map(|sex| shown(by_sex.get(&sex).copied()));
        let calm_or_unsure = shown(report.calm_or_unsure);
        println!(
            "{name:<12} {:>6} {:>8} {:>9} {:>9.3} {:>7.3} {:>7.3} {women:>7} {men:>7} {calm_or_unsure:>15}",
            report.clips,
            report.skipped,
            report.speakers,
            report.metrics.accuracy,
            report.metrics.uar,
            report.metrics.ece
        );
    }
    println!("calm or unsure: the share of neutral clips answered neutral, calm or \"not sure\"");
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
            .filter(|((_, metrics), _)| metrics.clips > 0)
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
