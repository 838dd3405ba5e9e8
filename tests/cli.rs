//! The command, as people run it.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn undertone<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_undertone"))
        .args(args)
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the command writes UTF-8")
}

fn path(name: &str) -> String {
    common::data_dir().join(name).display().to_string()
}

/// Fails with what the command said where it should have succeeded.
fn succeeded(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn sum_of_scores(scores: &Value) -> f64 {
    let scores = scores.as_object().expect("an object of scores");
    assert_eq!(scores.len(), 8);
    scores.values().filter_map(Value::as_f64).sum()
}

#[test]
fn analyze_json_is_one_object_a_line() {
    let files = [path("speech.wav"), path("vorbis-48000-2ch.ogg")];
    let output = undertone([["analyze", "--json"], [&files[0], &files[1]]].concat());
    let lines: Vec<Value> = succeeded(&output)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, file) in lines.iter().zip(&files) {
        let shown = line["file"].as_str().expect("a name");
        assert!(file.ends_with(shown) || shown == file, "{shown}");
        assert!((sum_of_scores(&line["scores"]) - 1.0).abs() < 1e-3);
        let label = line["label"].as_str().expect("a label");
        let confidence = line["confidence"].as_f64().expect("a confidence");
        assert!((line["scores"][label].as_f64().expect("its score") - confidence).abs() < 1e-6);
        let windows = line["windows"].as_array().expect("windows");
        assert!(!windows.is_empty());
        for window in windows {
            assert!(window["start_s"].as_f64() < window["end_s"].as_f64());
            assert!((sum_of_scores(&window["scores"]) - 1.0).abs() < 1e-3);
        }
    }
    let duration_s = lines[0]["duration_s"].as_f64().expect("a duration");
    assert!((duration_s - 2.2756).abs() < 0.01, "{duration_s}");
}

#[test]
fn analyze_csv_has_a_header_and_as_many_fields_in_every_row() {
    let table = succeeded(&undertone([
        "analyze",
        "--csv",
        &path("speech.wav"),
        &path("quiet.wav"),
    ]));
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let header = rows.headers().expect("a header").clone();
    for column in [
        "file",
        "start_s",
        "end_s",
        "label",
        "confidence",
        "neutral",
        "surprised",
    ] {
        assert!(header.iter().any(|h| h == column), "{column} in {header:?}");
    }
    let rows: Vec<csv::StringRecord> = rows
        .records()
        .collect::<Result<_, _>>()
        .expect("whole rows");
    let of = |name: &str| rows.iter().filter(|r| r[0].ends_with(name)).count();
    assert!(of("speech.wav") >= 2 && of("quiet.wav") >= 2, "{table}");
}

#[test]
fn analyze_names_file_and_emotion_for_people() {
    let table = succeeded(&undertone(["analyze", &path("speech.wav")]));
    assert!(table.contains("speech.wav"), "{table}");
    let emotions = [
        "neutral",
        "calm",
        "happy",
        "sad",
        "angry",
        "fearful",
        "disgusted",
        "surprised",
        "not sure",
    ];
    assert!(
        emotions.iter().any(|e| table.to_lowercase().contains(e)),
        "{table}"
    );
}

#[test]
fn bad_files_are_named_and_the_others_analysed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut args = vec![
        "analyze".to_owned(),
        "--json".to_owned(),
        path("speech.wav"),
    ];
    let bad = common::bad_files();
    for file in &bad {
        let at = folder.path().join(file.name);
        std::fs::write(&at, &file.bytes).expect("is written");
        args.push(at.display().to_string());
    }
    args.push(folder.path().join("absent.wav").display().to_string());
    args.push(folder.path().display().to_string());
    let cut = folder.path().join("cut.wav");
    std::fs::write(&cut, common::truncated()).expect("is written");
    args.push(cut.display().to_string());
    args.push(path("quiet.wav"));
    let output = undertone(&args);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for name in bad.iter().map(|f| f.name).chain(["absent.wav"]) {
        let lines: Vec<&str> = said.lines().filter(|l| l.contains(name)).collect();
        assert_eq!(lines.len(), 1, "one line about {name} in:\n{said}");
        assert!(lines[0].len() > name.len() + 15, "{}", lines[0]);
    }
    assert!(!said.contains("panicked"), "{said}");
    let heard: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let names: Vec<&str> = heard.iter().filter_map(|v| v["file"].as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for (name, wanted) in names.iter().zip(["speech.wav", "cut.wav", "quiet.wav"]) {
        assert!(name.ends_with(wanted), "{names:?}");
    }
    assert_eq!(heard[1]["notices"][0]["kind"], "truncated");
}

#[test]
fn each_bad_file_alone_ends_with_two() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in common::bad_files() {
        let at = folder.path().join(file.name);
        std::fs::write(&at, &file.bytes).expect("is written");
        let output = undertone([OsStr::new("analyze"), at.as_os_str()]);
        assert_eq!(output.status.code(), Some(2), "{}", file.name);
        assert!(text(&output.stderr).contains(file.name), "{}", file.name);
    }
}

#[test]
fn features_csv_has_names_with_units() {
    let table = succeeded(&undertone(["features", &path("speech.wav"), "--csv"]));
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let header = rows.headers().expect("a header").clone();
    assert!(
        header[0].starts_with("time") && header[0].ends_with("_s"),
        "{header:?}"
    );
    for column in [
        "mfcc_0_db",
        "mfcc_delta_0_db_per_frame",
        "chroma_c",
        "contrast_0_db",
        "zero_crossing_rate",
        "log_energy_dbfs",
        "voicing_probability",
        "voiced",
    ] {
        assert!(header.iter().any(|h| h == column), "{column} in {header:?}");
    }
    let rows: Vec<csv::StringRecord> = rows
        .records()
        .collect::<Result<_, _>>()
        .expect("whole rows");
    // One row every 10 ms, the first at zero.
    assert_eq!(rows.len(), 1 + common::reference("speech.wav").len() / 160);
    for (i, row) in rows.iter().enumerate() {
        let numbers: Vec<f64> = row.iter().map(|v| v.parse().expect("a number")).collect();
        assert!((numbers[0] - 0.01 * i as f64).abs() < 1e-6);
        assert!(numbers.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn librosa_s_defaults_have_its_frames_and_names_with_units() {
    let arguments = [
        "features",
        &path("speech.wav"),
        "--csv",
        "--librosa-defaults",
    ];
    let table = succeeded(&undertone(arguments));
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let header = rows.headers().expect("a header").clone();
    for column in [
        "time_s",
        "log_mel_127_db",
        "mfcc_19_db",
        "chroma_b",
        "rms_fs",
        "f0_yin_hz",
        "f0_pyin_hz",
        "onset_strength_db",
    ] {
        assert!(header.iter().any(|h| h == column), "{column} in {header:?}");
    }
    let n_rows = rows.records().filter(Result::is_ok).count();
    assert_eq!(n_rows, 1 + common::reference("speech.wav").len() / 512);
}

#[test]
fn features_begin_with_the_voice_in_figures() {
    let summary = succeeded(&undertone(["features", &path("speech.wav")]));
    let row = |name: &str| {
        let line = summary.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} in {summary}"))
    };
    let pitch: Vec<&str> = row("median pitch").split_whitespace().collect();
    assert_eq!(pitch[3], "Hz");
    let hz: f64 = pitch[2].parse().expect("a number");
    assert!((hz - 144.4).abs() < 1.5, "{hz}");
    assert!(row("speaking rate").ends_with("syllables/s"));
    assert!(row("spectral tilt").ends_with("dB/octave"));
    row("mfcc_0_db");
}

/// As `| head -n 1` reads.
#[cfg(unix)]
#[test]
fn output_that_nobody_reads_to_its_end_is_no_bug() {
    // So many that most are not analysed yet when the reader goes.
    let mut child = Command::new(env!("CARGO_BIN_EXE_undertone"))
        .args(["analyze", "--json"])
        .args(vec![path("speech.wav"); 20])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut first = String::new();
    let stdout = child.stdout.take().expect("is piped");
    BufReader::new(stdout)
        .read_line(&mut first)
        .expect("a line");
    let output = child.wait_with_output().expect("ends");
    assert!(!first.is_empty());
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn features_of_a_bad_file_end_with_two() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("text.wav");
    std::fs::write(&at, common::text()).expect("is written");
    let output = undertone([OsStr::new("features"), at.as_os_str(), OsStr::new("--csv")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("text.wav"));
}

/// A corpus of fixtures: two speakers, three emotions, one label of no class.
fn corpus(folder: &Path) {
    let clips = [
        ("speech.wav", "one", "m", "angry"),
        ("s24-44100-2ch.flac", "one", "m", "angry"),
        ("mpeg1-44100-2ch.mp3", "one", "m", "neutral"),
        ("vorbis-48000-2ch.ogg", "two", "m", "neutral"),
        ("quiet.wav", "two", "f", "sad"),
        ("aac-44100-2ch.m4a", "two", "f", "boredom"),
    ];
    let mut manifest = String::from("corpus,path,speaker,sex,emotion,seconds\n");
    std::fs::create_dir(folder.join("clips")).expect("a folder");
    for (name, speaker, sex, emotion) in clips {
        std::fs::write(folder.join("clips").join(name), common::fixture(name)).expect("is written");
        manifest += &format!("mine,clips/{name},{speaker},{sex},{emotion},1.2\n");
    }
    std::fs::write(folder.join("manifest.csv"), manifest).expect("is written");
}

#[test]
fn evaluate_reports_a_corpus_of_one_s_own() {
    let folder = tempfile::tempdir().expect("a folder");
    corpus(folder.path());
    let report = folder.path().join("report.json");
    let output = undertone([
        OsStr::new("evaluate"),
        OsStr::new("--corpora"),
        folder.path().as_os_str(),
        OsStr::new("--json"),
        report.as_os_str(),
    ]);
    let shown = succeeded(&output);
    assert!(shown.contains("mine"), "{shown}");
    let report = std::fs::read_to_string(&report).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let mine = &report["corpora"]["mine"];
    assert_eq!(mine["clips"], 5);
    assert_eq!(mine["skipped"], 1);
    assert_eq!(mine["speakers"], 2);
    assert_eq!(
        mine["classes"],
        serde_json::json!(["neutral", "sad", "angry"])
    );
    for figure in ["accuracy", "uar", "ece"] {
        let value = mine[figure]
            .as_f64()
            .unwrap_or_else(|| panic!("{figure} in {mine}"));
        assert!((0.0..=1.0).contains(&value), "{figure} {value}");
    }
    let per_class = mine["per_class"].as_object().expect("figures by class");
    assert_eq!(per_class.len(), 3);
    for (class, figures) in per_class {
        for figure in ["precision", "recall", "f1"] {
            assert!(
                figures[figure].is_number(),
                "{figure} of {class}: {figures}"
            );
        }
    }
    let confusion = mine["confusion"].as_array().expect("a matrix");
    let cells = confusion.iter().filter_map(Value::as_array).flatten();
    assert_eq!(cells.filter_map(Value::as_u64).sum::<u64>(), 5);
    // The mean of the recalls is the unweighted average recall.
    let recalls = per_class.values().filter_map(|f| f["recall"].as_f64());
    let mean = recalls.sum::<f64>() / 3.0;
    assert!((mean - mine["uar"].as_f64().expect("checked above")).abs() < 1e-6);
}

/// Restricted to a single class every answer would be right.
#[test]
fn a_corpus_of_a_single_class_is_judged_by_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("speech.wav");
    std::fs::write(&clip, common::fixture("speech.wav")).expect("is written");
    let analysis = succeeded(&undertone([
        OsStr::new("analyze"),
        OsStr::new("--json"),
        clip.as_os_str(),
    ]));
    let analysis: Value = serde_json::from_str(&analysis).expect("JSON");
    let heard = analysis["label"].as_str().expect("a label");
    let evaluated = |emotion: &str| {
        let manifest = format!(
            "corpus,path,speaker,sex,emotion,seconds\nmine,speech.wav,one,f,{emotion},1.2\n"
        );
        std::fs::write(folder.path().join("manifest.csv"), manifest).expect("is written");
        let report = folder.path().join("report.json");
        succeeded(&undertone([
            OsStr::new("evaluate"),
            OsStr::new("--corpora"),
            folder.path().as_os_str(),
            OsStr::new("--json"),
            report.as_os_str(),
        ]));
        let report = std::fs::read_to_string(&report).expect("a report");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        report["corpora"]["mine"].clone()
    };
    let right = evaluated(heard);
    assert_eq!(right["classes"].as_array().map(Vec::len), Some(8));
    assert_eq!(right["uar"], 1.0);
    let other = ["neutral", "disgusted"].into_iter().find(|e| *e != heard);
    let wrong = evaluated(other.expect("two to choose from"));
    assert_eq!(wrong["uar"], 0.0);
    assert_eq!(evaluated("sad")["calm_or_unsure"], Value::Null);
    let told = !matches!(heard, "neutral" | "calm") && analysis["sure"] == true;
    let calm_or_unsure = if told { 0.0 } else { 1.0 };
    assert_eq!(evaluated("neutral")["calm_or_unsure"], calm_or_unsure);
}

#[test]
fn evaluate_can_leave_out_whom_the_model_was_trained_on() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("speech.wav"),
        common::fixture("speech.wav"),
    )
    .expect("is written");
    let evaluated = |speakers: &[&str]| {
        let rows = speakers.iter();
        let rows = rows.map(|s| format!("ravdess,speech.wav,{s},f,neutral,1.2\n"));
        let manifest = rows.collect::<String>();
        let manifest = format!("corpus,path,speaker,sex,emotion,seconds\n{manifest}");
        std::fs::write(folder.path().join("manifest.csv"), manifest).expect("is written");
        undertone([
            OsStr::new("evaluate"),
            OsStr::new("--corpora"),
            folder.path().as_os_str(),
            OsStr::new("--unheard"),
        ])
    };
    // Actor 01 was trained on, nobody is called 99.
    let shown = succeeded(&evaluated(&["01", "99"]));
    let counts: Vec<&str> = (shown.lines())
        .find(|line| line.starts_with("ravdess "))
        .expect("a line")
        .split_whitespace()
        .collect();
    assert_eq!(counts[1], "1", "{shown}");
    let none = evaluated(&["01"]);
    assert_ne!(none.status.code(), Some(0));
    assert!(
        text(&none.stderr).contains("--unheard"),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn a_missing_corpus_or_model_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = folder.path().join("nowhere");
    let output = undertone([
        OsStr::new("evaluate"),
        OsStr::new("--corpora"),
        nowhere.as_os_str(),
    ]);
    assert_ne!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).contains("nowhere"),
        "{}",
        text(&output.stderr)
    );
    corpus(folder.path());
    let output = undertone([
        OsStr::new("evaluate"),
        OsStr::new("--corpora"),
        folder.path().as_os_str(),
        OsStr::new("--model"),
        OsStr::new(&path("speech.wav")),
    ]);
    assert_ne!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(
        said.contains("speech.wav") && !said.contains("panicked"),
        "{said}"
    );
}

#[test]
fn help_lists_the_subcommands() {
    let help = succeeded(&undertone(["--help"]));
    for subcommand in ["analyze", "features", "train", "evaluate"] {
        assert!(help.contains(subcommand), "{help}");
    }
    assert_eq!(undertone(["no-such-thing"]).status.code(), Some(2));
}
