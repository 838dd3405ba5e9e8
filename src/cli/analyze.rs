//! `undertone analyze`.

use super::baseline::Known;
use super::models::Choice;
use super::{BAD_INPUT, Outcome};
use crate::analysis::voice::learn;
use crate::analysis::{Analysis, AnalyzeError, Notice, Options, Verdict, analyze_stream};
use crate::audio::{self, ClipReader};
use crate::export::{to_csv, to_json};
use crate::model::EmotionModel;
use crate::model::baseline::{Baseline, BaselineKind};
use clap::Args;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Arguments {
    /// Recordings: WAV, FLAC, MP3, Ogg Vorbis, AAC/M4A, AIFF
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// One JSON object a file, one a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// A table with a row a file, an utterance and a window
    #[arg(long)]
    csv: bool,
    /// Reduce noise before anything is judged
    #[arg(long)]
    denoise: bool,
    #[command(flatten)]
    model: Choice,
    #[command(flatten)]
    known: Known,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let choice = &arguments.model;
    let mut model = EmotionModel::load(&choice.bytes()?).map_err(|e| choice.blame(e))?;
    if let Some(kind) = arguments.known.kind() {
        let files = match kind {
            BaselineKind::Ordinary => arguments.known.files(),
            BaselineKind::Session => &arguments.files,
        };
        know(&mut model, kind, files)?;
    }
    let options = Options {
        denoise: arguments.denoise,
    };
    let mut complete = true;
    for (i, file) in arguments.files.iter().enumerate() {
        let name = file.display().to_string();
        match analyze_file(&model, file, options) {
            Ok(analysis) => {
                for notice in &analysis.notices {
                    complete &= !matches!(notice, Notice::Truncated { .. });
                    eprintln!("{name}: {}", sentence(notice));
                }
                if arguments.json {
                    println!("{}", to_json(&name, &analysis));
                } else if arguments.csv {
                    let table = to_csv([(name.as_str(), &analysis)]);
                    let skipped = usize::from(i > 0);
                    table.lines().skip(skipped).for_each(|l| println!("{l}"));
                } else {
                    print_table(&name, &analysis);
                }
            }
            Err(error) => {
                complete = false;
                eprintln!("{name}: {error}");
            }
        }
    }
    Ok(if complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BAD_INPUT)
    })
}

/// Has the model learn a speaker's voice. A file that cannot be used for it is
/// named, and the others count.
fn know(
    model: &mut EmotionModel,
    kind: BaselineKind,
    files: &[PathBuf],
) -> Result<(), Box<dyn std::error::Error>> {
    let mut baseline = Baseline::new(kind);
    for file in files {
        let learnt = std::fs::read(file)
            .map_err(|e| e.to_string())
            .and_then(|bytes| {
                audio::load(bytes, &file.to_string_lossy()).map_err(|e| e.to_string())
            })
            .and_then(|decoded| {
                learn(model, &decoded.clip, &mut baseline).map_err(|e| e.to_string())
            });
        if let Err(reason) = learnt {
            eprintln!("{}: not learnt from: {reason}", file.display());
        }
    }
    if baseline.utterances().is_empty() {
        return Err("no voice could be learnt from; name recordings of ordinary talk".into());
    }
    model.compare_with(Some(&baseline))?;
    Ok(())
}

/// Why a file gave no analysis: the system's word or the engine's.
fn analyze_file(
    model: &EmotionModel,
    path: &Path,
    options: Options,
) -> Result<Analysis, Box<dyn std::error::Error>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err("this is a folder; name the recordings in it".into());
    }
    let reader =
        ClipReader::open(Box::new(file), &path.to_string_lossy()).map_err(AnalyzeError::from)?;
    Ok(analyze_stream(model, reader, options, |_, _| {
        ControlFlow::Continue(())
    })?)
}

fn sentence(notice: &Notice) -> String {
    match notice {
        Notice::Truncated {
            read_s,
            expected_s: Some(expected_s),
        } => format!(
            "the file ends after {read_s:.1} of {expected_s:.1} s; what there is was analysed"
        ),
        Notice::Truncated { read_s, .. } => {
            format!("the file is cut short after {read_s:.1} s; what there is was analysed")
        }
        Notice::Unfamiliar => "unlike what the model learnt from: perhaps another room, \
                               microphone or language; it is less sure here"
            .to_owned(),
    }
}

fn print_table(name: &str, analysis: &Analysis) {
    let verdict = if analysis.sure {
        ""
    } else {
        "not sure, closest: "
    };
    let percent = 100.0 * analysis.confidence;
    let heard = if analysis.options.denoise {
        "noise reduced  "
    } else {
        ""
    };
    println!(
        "{name}  {:.1} s  {heard}{verdict}{} {percent:.0} %",
        analysis.duration_s, analysis.label
    );
    for (emotion, p) in analysis.scores.ranked() {
        let bar = "█".repeat((30.0 * p).round() as usize);
        println!("  {emotion:<10} {:>5.1} %  {bar}", 100.0 * p);
    }
    for utterance in &analysis.utterances {
        print!("  {:>7.1}–{:<7.1} ", utterance.start_s, utterance.end_s);
        match utterance.verdict {
            Some(Verdict {
                label,
                confidence,
                sure,
                ..
            }) => {
                let doubt = if sure { "" } else { "  not sure" };
                println!("{label:<10} {:>3.0} %{doubt}", 100.0 * confidence);
            }
            None => println!("too short"),
        }
    }
}
