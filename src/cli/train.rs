//! `undertone train`.

use super::{Outcome, progress_bar, write};
use crate::model::ModelError;
use crate::model::artifact::Artifact;
use crate::model::front_ends::{FrontEnd, PackedFrontEnd};
use crate::train::cache;
use crate::train::corpora::{self, Recording};
use crate::train::examples::Examples;
use crate::train::noise::Talkers;
use crate::train::protocol::{
    self, Candidate, FIVE_CLASSES, PAPER_CORPORA, Protocol, Run, calibrate_by_others,
};
use crate::train::recipe::Recipe;
use crate::train::report::Report;
use crate::train::split::{always_trained_on, by_speaker};
use crate::train::trainer::{Calibrated, Progress, Stage, Trained, TrainingConfig, prepare, train};
use crate::train::tuning::{Tuning, n_passes};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder of corpora under their official names, or with a manifest.csv
    /// (corpus,path,speaker,sex,emotion,seconds)
    #[arg(long)]
    corpora: PathBuf,
    /// Where to write the model: of the protocol `final`, or, under
    /// `speaker-independent` without `--patience`, one that is fitted to everybody, with
    /// the mean of all tunings there were, and calibrated by what the folds of the first
    /// seed answer
    #[arg(long, required_if_eq("protocol", "final"))]
    out: Option<PathBuf>,
    /// Where to write the figures as JSON, beside it the same as Markdown and a
    /// reliability diagram (all protocols but `final`)
    #[arg(long)]
    report: Option<PathBuf>,
    /// Folder for each split's model, which `evaluate --unheard` can then measure
    /// in noise or with its speakers known
    #[arg(long)]
    split_models: Option<PathBuf>,
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
    /// Where encoded recordings are kept from one run to the next (up to 2 MB
    /// a recording); in the user's cache folder by default
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Folder where trainings are kept on their way: the same command goes on
    /// where it was cut off
    #[arg(long)]
    checkpoints: Option<PathBuf>,
    /// Splits to run: folds 0 to 4, or corpora to leave out; all by default
    #[arg(long, value_delimiter = ',')]
    fold: Vec<String>,
    /// Corpora to use; all by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Most passes over the data; the model's own number by default
    #[arg(long)]
    epochs: Option<usize>,
    /// Stop after so many passes without a better validation by an eighth of the
    /// speakers, who are not trained on; by default all passes are done and
    /// everybody is trained on
    #[arg(long)]
    patience: Option<usize>,
    /// Altered views of each recording; the model's own number by default
    #[arg(long)]
    altered: Option<usize>,
    /// Most clips of one corpus in a pass
    #[arg(long, default_value_t = 1000)]
    clips_per_corpus: usize,
    /// Units of one direction of a recurrent layer, where there is one
    #[arg(long, default_value_t = 128)]
    hidden: usize,
    /// Units of the dense layer; the model's own number by default
    #[arg(long)]
    dense: Option<usize>,
    /// Clips a step; the model's own number by default
    #[arg(long)]
    batch: Option<usize>,
    /// Largest learning rate of the schedule
    #[arg(long, default_value_t = 1.5e-3)]
    learning_rate: f64,
    /// Share of values dropped; the model's own by default
    #[arg(long)]
    dropout: Option<f32>,
    /// Passes in which the front ends' last layers are tuned; the model's own number
    /// by default, 0 leaves them as published
    #[arg(long)]
    tuning: Option<usize>,
    /// Seeds of weights and order; the first for the protocol `final`
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seed: Vec<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut recordings = corpora::read(&arguments.corpora)?;
    let talkers = Arc::new(Talkers::of(&always_trained_on(&recordings)));
    if arguments.protocol == Protocol::RandomSplit {
        let five = |r: &Recording| r.emotion.is_some_and(|e| FIVE_CLASSES.contains(&e));
        recordings.retain(|r| five(r) && PAPER_CORPORA.contains(&&*r.corpus));
    }
    if !arguments.only.is_empty() {
        recordings.retain(|r| arguments.only.contains(&r.corpus));
    }
    count(&recordings);
    let mut config = config(arguments, talkers)?;
    let bar = progress_bar("preparing");
    let examples = prepare(&recordings, &config, &bar)?;
    bar.finish_and_clear();
    let (mut runs, mut tunings) = (Vec::new(), Vec::new());
    let mut calibration = None;
    for seed in &arguments.seed {
        config.seed = *seed;
        let mut splits = arguments.protocol.splits(&recordings, *seed);
        splits.retain(|(fold, _)| arguments.fold.is_empty() || arguments.fold.contains(fold));
        let told = |progress: &Progress| tell(progress, &config);
        if arguments.protocol == Protocol::Final {
            let trained = whole(&recordings, &examples, &config, Calibrated::Crossed, &[])?;
            write_model(arguments, &trained.artifact)?;
            return Ok(ExitCode::SUCCESS);
        }
        let calibrated = match splits.len() {
            1 => Calibrated::Crossed,
            _ => Calibrated::Later,
        };
        let mut candidates = Vec::new();
        for split in &splits {
            let candidate = Candidate::train(&examples, split, &config, calibrated, told)?;
            let recall = candidate.recall(&examples.corpora)?;
            eprintln!("{}: test UAR {}", candidate.fold(), listed(&recall));
            candidates.push(candidate);
        }
        if calibrated == Calibrated::Later && config.patience.is_none() {
            let together = calibrate_by_others(&mut candidates, &examples.corpora)?;
            calibration.get_or_insert(together);
        }
        for candidate in candidates {
            if let Some(folder) = &arguments.split_models {
                let name = format!("{}-seed-{seed}.safetensors", candidate.fold());
                std::fs::create_dir_all(folder)?;
                write_artifact(arguments, &folder.join(name), candidate.artifact())?;
            }
            tunings.extend_from_slice(candidate.tunings());
            runs.push(protocol::run(candidate, &examples.corpora)?);
        }
    }
    if runs.is_empty() {
        return Err("no split has these names; leave --fold out to run them all".into());
    }
    let report = Report::new(arguments.protocol, arguments.model.name(), runs);
    // Before anything is printed, as the model: a reader may close the pipe.
    if let Some(path) = &arguments.report {
        let picture = path.with_extension("svg");
        let name = picture.file_name().unwrap_or_default().to_string_lossy();
        write(path, serde_json::to_string_pretty(&report)?)?;
        write(&path.with_extension("md"), report.to_markdown(&name))?;
        write(&picture, report.to_svg())?;
    }
    let everybody = arguments.protocol == Protocol::SpeakerIndependent;
    if let Some(calibration) = calibration.filter(|_| everybody && arguments.out.is_some()) {
        config.seed = arguments.seed[0];
        let calibrated = Calibrated::Later;
        let mut trained = whole(&recordings, &examples, &config, calibrated, &tunings)?;
        trained.artifact.header.calibration = calibration;
        write_model(arguments, &trained.artifact)?;
    }
    report.runs.iter().for_each(print);
    for (knowledge, corpora) in &report.means {
        for (corpus, m) in corpora {
            println!(
                "{corpus:<12} UAR {:.3} ± {:.3}  accuracy {:.3}  ECE {:.3}  ({}, {} runs)",
                m.uar,
                m.uar_deviation,
                m.accuracy,
                m.ece,
                knowledge.name(),
                m.runs
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains what is shipped, on everybody, with the tunings of others averaged in.
fn whole<'a>(
    recordings: &[Recording],
    examples: &'a Examples,
    config: &TrainingConfig,
    calibrated: Calibrated,
    beside: &[Tuning],
) -> Result<Trained<'a>, Box<dyn std::error::Error>> {
    let split = by_speaker(recordings, None);
    let told = |progress: &Progress| tell(progress, config);
    Ok(train(examples, &split, config, calibrated, beside, told)?)
}

fn write_model(
    arguments: &Arguments,
    artifact: &Artifact,
) -> Result<(), Box<dyn std::error::Error>> {
    match &arguments.out {
        Some(path) => write_artifact(arguments, path, artifact),
        None => Ok(()),
    }
}

fn write_artifact(
    arguments: &Arguments,
    path: &Path,
    artifact: &Artifact,
) -> Result<(), Box<dyn std::error::Error>> {
    let precision = arguments.model.schooling().precision;
    write(path, artifact.to_bytes(precision)?)?;
    eprintln!("written to {}", path.display());
    Ok(())
}

/// A line a corpus and what was known.
fn print(run: &Run) {
    for (knowledge, corpora) in &run.figures {
        let each = corpora.iter();
        let figures: Vec<String> = each.map(|(c, m)| format!("{c} {:.3}", m.uar)).collect();
        println!(
            "{} seed {}, {}: UAR {}",
            run.fold,
            run.seed,
            knowledge.name(),
            figures.join(", ")
        );
    }
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

fn config(arguments: &Arguments, talkers: Arc<Talkers>) -> Result<TrainingConfig, String> {
    let recipe = arguments.model;
    let schooling = recipe.schooling();
    let mut architecture = recipe.architecture(
        arguments.hidden,
        arguments.dropout.unwrap_or(schooling.dropout),
    );
    architecture.dense = arguments.dense.unwrap_or(architecture.dense);
    let (features, front_ends) = (recipe.features(), front_ends(arguments)?);
    let n_outputs = front_ends.iter().map(|f| Ok(FrontEnd::new(f)?.n_outputs()));
    let n_outputs: Vec<usize> = n_outputs
        .collect::<Result<_, ModelError>>()
        .map_err(|e| e.to_string())?;
    (architecture.as_they_are, architecture.fading) =
        recipe.as_they_are(features.n_features(), &n_outputs);
    Ok(TrainingConfig {
        name: recipe.name().to_owned(),
        features,
        front_ends,
        architecture,
        cache: arguments.cache.clone().or_else(cache::default_folder),
        talkers,
        epochs: arguments.epochs.unwrap_or(schooling.epochs),
        patience: arguments.patience,
        batch_size: arguments.batch.unwrap_or(schooling.batch_size),
        learning_rate: arguments.learning_rate,
        clips_per_corpus: arguments.clips_per_corpus,
        n_altered: arguments.altered.unwrap_or(schooling.n_altered),
        throats: schooling.throats,
        tuning: arguments.tuning.unwrap_or(schooling.tuning),
        seed: 0,
        checkpoints: arguments.checkpoints.clone(),
    })
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

fn tell(progress: &Progress, config: &TrainingConfig) {
    if progress.stage == Stage::Tuning {
        eprintln!(
            "tuning {}/{}  loss {:.3}",
            progress.epoch,
            n_passes(config.tuning),
            progress.loss
        );
        return;
    }
    let last = progress.epoch == config.epochs;
    let validation = if !progress.validation.is_empty() {
        let best = if progress.best { "  best" } else { "" };
        format!("  validation UAR {}{best}", listed(&progress.validation))
    } else if last || progress.epoch.is_multiple_of(10) {
        String::new()
    } else {
        return;
    };
    let left_s = progress.left.as_secs();
    eprintln!(
        "epoch {:>3}/{}  loss {:.3}{validation}  {}:{:02} left",
        progress.epoch,
        config.epochs,
        progress.loss,
        left_s / 60,
        left_s % 60
    );
}

/// A figure for each corpus.
fn listed(figures: &[(String, f64)]) -> String {
    let each = figures.iter().map(|(c, uar)| format!("{c} {uar:.3}"));
    each.collect::<Vec<_>>().join(", ")
}
