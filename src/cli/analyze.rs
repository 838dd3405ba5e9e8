//! `undertone analyze`.

use super::models::Choice;
use super::{BAD_INPUT, Outcome};
use crate::analysis::{Analysis, AnalyzeError, Notice, Options, Verdict, analyze_stream};
use crate::audio::ClipReader;
use crate::export::{to_csv, to_json};
use crate::model::EmotionModel;
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
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let choice = &arguments.model;
    let model = EmotionModel::load(&choice.bytes()?).map_err(|e| choice.blame(e))?;
    let options = Options {
        denoise: arguments.denoise,
    };
    let mut complete = true;
    for (i, file) in arguments.files.iter().enumerate() {
        let name = file.display().to_string();
        match analyze_file(&model, file, options) {
            Ok(analysis) => {
                for notice in &analysis.notices {
                    complete = false;
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
    }
}

fn print_table(name: &str, analysis: &Analysis) {
    let verdict = if analysis.sure {
        ""
    } else {
        "not sure, closest: "
    };
    let percent = 100.0 * analysis.confidence;
    println!(
        "{name}  {:.1} s  {verdict}{} {percent:.0} %",
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
