//! `undertone train`.

use super::evaluate::print;
use super::{Outcome, progress_bar, write};
use crate::model::Artifact;
use crate::model::front_ends::PackedFrontEnd;
use crate::train::cache;
use crate::train::corpora::{self, Recording};
use crate::train::evaluate::{Conditions, Evaluation, evaluate};
use crate::train::recipe::Recipe;
use crate::train::split::{N_FOLDS, Split, by_speaker};
use crate::train::trainer::{Progress, TrainingConfig, train};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder of corpora under their official names, or with a manifest.csv
    /// (corpus,path,speaker,sex,emotion,seconds)
    #[arg(long)]
    corpora: PathBuf,
    /// Where to write the model (protocol `final`)
    #[arg(long, required_if_eq("protocol", "final"))]
    out: Option<PathBuf>,
    /// Where to write the figures as JSON (protocol `speaker-independent`)
    #[arg(long)]
    report: Option<PathBuf>,
    /// What is trained on and what is tested
    #[arg(long, value_enum, default_value_t = Protocol::Final)]
    protocol: Protocol,
    /// What is trained
    #[arg(long, value_enum, default_value_t = Recipe::Lstm)]
    model: Recipe,
    /// Front ends that `import-encoder` wrote: those of `undertone` are the
    /// speaker encoder and Whisper's, that of `undertone-light` the first alone
    #[arg(long)]
    encoder: Vec<PathBuf>,
    /// Where encoded recordings are kept from one run to the next (up to 1 MB
    /// a recording); in the user's cache folder by default
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Folds to run, 0 to 4; all by default
    #[arg(long, value_delimiter = ',')]
    fold: Vec<usize>,
    /// Corpora to use; all by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Most passes over the data
    #[arg(long, default_value_t = 40)]
    epochs: usize,
    /// Passes without a better validation before stopping
    #[arg(long, default_value_t = 12)]
    patience: usize,
    /// Altered views of each recording
    #[arg(long, default_value_t = 3)]
    altered: usize,
    /// Most clips of one corpus in a pass
    #[arg(long, default_value_t = 1000)]
    clips_per_corpus: usize,
    /// Units of one direction of a recurrent layer, where there is one
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Units of the dense layer; the model's own number by default
    #[arg(long)]
    dense: Option<usize>,
    /// Clips a step
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Largest learning rate of the schedule
    #[arg(long, default_value_t = 1.5e-3)]
    learning_rate: f64,
    /// Share of values dropped
    #[arg(long, default_value_t = 0.3)]
    dropout: f32,
    /// Seed of weights, order and alteration
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Every speaker but an eighth, who decide when to stop: what is shipped
    Final,
    /// Five folds of speakers, each tested by a model that never heard them
    SpeakerIndependent,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut recordings = corpora::read(&arguments.corpora)?;
    if !arguments.only.is_empty() {
        recordings.retain(|r| arguments.only.contains(&r.corpus));
    }
    count(&recordings);
    match arguments.protocol {
        Protocol::Final => {
            let model = fit(arguments, &by_speaker(&recordings, None))?;
            if let Some(path) = &arguments.out {
                write(path, model.to_bytes(arguments.model.precision())?)?;
                eprintln!("written to {}", path.display());
            }
        }
        Protocol::SpeakerIndependent => folds(arguments, &recordings)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what there is to learn from.
fn count(recordings: &[Recording]) {
    let mut corpora: BTreeMap<&str, (BTreeSet<&str>, BTreeMap<&str, usize>)> = BTreeMap::new();
    for r in recordings {
        let (speakers, classes) = corpora.entry(&r.corpus).or_default();
        speakers.insert(&r.speaker);
        let class = r.emotion.map_or("(other)", |e| e.name());
        *classes.entry(class).or_default() += 1;
    }
    for (corpus, (speakers, classes)) in corpora {
        let total: usize = classes.values().sum();
        let classes: Vec<String> = classes.iter().map(|(c, n)| format!("{c} {n}")).collect();
        eprintln!(
            "{corpus}: {total} clips, {} speakers ({})",
            speakers.len(),
            classes.join(", ")
        );
    }
}

fn fit(arguments: &Arguments, split: &Split) -> Result<Artifact, Box<dyn std::error::Error>> {
    let recipe = arguments.model;
    let mut architecture = recipe.architecture(arguments.hidden, arguments.dropout);
    architecture.dense = arguments.dense.unwrap_or(architecture.dense);
    let config = TrainingConfig {
        name: recipe.name().to_owned(),
        features: recipe.features(),
        front_ends: front_ends(arguments)?,
        architecture,
        cache: (!recipe.front_ends().is_empty())
            .then(|| arguments.cache.clone().or_else(cache::default_folder))
            .flatten(),
        epochs: arguments.epochs,
        patience: arguments.patience,
        batch_size: arguments.batch,
        learning_rate: arguments.learning_rate,
        clips_per_corpus: arguments.clips_per_corpus,
        n_altered: arguments.altered,
        seed: arguments.seed,
    };
    let bar = progress_bar("preparing");
    let model = train(split, &config, &bar, |progress| {
        tell(progress, arguments.epochs)
    });
    bar.finish_and_clear();
    Ok(model?)
}

/// The recipe's front ends in its order, from the files given.
fn front_ends(arguments: &Arguments) -> Result<Vec<PackedFrontEnd>, String> {
    let mut given = Vec::new();
    for path in &arguments.encoder {
        let named = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let bytes = std::fs::read(path).map_err(|e| named(&e))?;
        given.push(PackedFrontEnd::from_bytes(&bytes).map_err(|e| named(&e))?);
    }
    let recipe = arguments.model;
    recipe
        .front_ends()
        .iter()
        .map(|kind| {
            let found = given.iter().find(|f| f.header.kind == *kind);
            found.cloned().ok_or_else(|| {
                format!(
                    "`{}` needs the {kind} front end: convert it with `undertone import-encoder` and name it with --encoder",
                    recipe.name()
                )
            })
        })
        .collect()
}

fn tell(progress: &Progress, epochs: usize) {
    let validation: Vec<String> = progress
        .validation
        .iter()
        .map(|(corpus, uar)| format!("{corpus} {uar:.3}"))
        .collect();
    let left_s = progress.left.as_secs();
    eprintln!(
        "epoch {:>3}/{epochs}  loss {:.3}  validation UAR {}{}  {}:{:02} left",
        progress.epoch,
        progress.loss,
        validation.join(", "),
        if progress.best { "  best" } else { "" },
        left_s / 60,
        left_s % 60
    );
}

/// The figures of a protocol.
#[derive(Serialize)]
struct Report {
    protocol: &'static str,
    seed: u64,
    folds: BTreeMap<usize, Evaluation>,
    mean: BTreeMap<String, Mean>,
}

/// A corpus over the folds in which it was tested.
#[derive(Serialize)]
struct Mean {
    folds: usize,
    uar: f64,
    uar_deviation: f64,
    accuracy: f64,
    ece: f64,
}

fn folds(
    arguments: &Arguments,
    recordings: &[Recording],
) -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<usize> = if arguments.fold.is_empty() {
        (0..N_FOLDS).collect()
    } else {
        arguments.fold.clone()
    };
    if let Some(fold) = wanted.iter().find(|f| **f >= N_FOLDS) {
        return Err(format!(
            "there is no fold {fold}; the folds are 0 to {}",
            N_FOLDS - 1
        )
        .into());
    }
    let mut folds = BTreeMap::new();
    for fold in wanted {
        let split = by_speaker(recordings, Some(fold));
        let model = fit(arguments, &split)?;
        let bar = progress_bar("testing");
        let evaluation = evaluate(&model, &split.test, &Conditions::default(), &bar)?;
        bar.finish_and_clear();
        println!("fold {fold}");
        print(&evaluation);
        folds.insert(fold, evaluation);
    }
    let mean = means(&folds);
    println!("\nover {} folds, speakers never trained on", folds.len());
    for (corpus, m) in &mean {
        println!(
            "{corpus:<12} UAR {:.3} ± {:.3}  accuracy {:.3}  ECE {:.3}",
            m.uar, m.uar_deviation, m.accuracy, m.ece
        );
    }
    let report = Report {
        protocol: "speaker-independent",
        seed: arguments.seed,
        folds,
        mean,
    };
    if let Some(path) = &arguments.report {
        write(path, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(())
}

fn means(folds: &BTreeMap<usize, Evaluation>) -> BTreeMap<String, Mean> {
    let corpora: BTreeSet<&String> = folds.values().flat_map(|e| e.corpora.keys()).collect();
    corpora
        .into_iter()
        .map(|corpus| {
            let reports: Vec<_> = folds
                .values()
                .filter_map(|e| e.corpora.get(corpus))
                .collect();
            let n = reports.len() as f64;
            let over =
                |figure: &dyn Fn(usize) -> f64| (0..reports.len()).map(figure).sum::<f64>() / n;
            let uar = over(&|i| reports[i].metrics.uar);
            let mean = Mean {
                folds: reports.len(),
                uar,
                uar_deviation: over(&|i| (reports[i].metrics.uar - uar).powi(2)).sqrt(),
                accuracy: over(&|i| reports[i].metrics.accuracy),
                ece: over(&|i| reports[i].metrics.ece),
            };
            (corpus.clone(), mean)
        })
        .collect()
}
