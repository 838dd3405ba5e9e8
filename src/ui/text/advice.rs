//! What went wrong, and what to do next.

use crate::analysis::AnalyzeError;
use crate::ui::state::Fault;
use crate::web::{CaptureError, FileError};

/// An error for a person.
pub struct Advice {
    /// One clause.
    pub happened: &'static str,
    /// One more, with the figures that help.
    pub next: String,
}

fn advice(happened: &'static str, next: impl Into<String>) -> Advice {
    Advice {
        happened,
        next: next.into(),
    }
}

/// What screen readers are told of an error.
pub fn announced_fault(given: &Fault) -> String {
    let Advice { happened, next } = fault(given);
    format!("{happened}: {next}")
}

/// What a person is told of it.
pub fn fault(fault: &Fault) -> Advice {
    match fault {
        Fault::Analyze(error) => analyze_error(error),
        Fault::Capture(error) => capture_error(error),
        Fault::File(error) => file_error(error),
        Fault::Save => advice(
            "The file could not be saved",
            "check that this page may download files, then try again.",
        ),
    }
}

/// Why an analysis has no answer.
pub fn analyze_error(error: &AnalyzeError) -> Advice {
    match error {
        AnalyzeError::EmptyFile => {
            advice("This file is empty", "choose one that holds a recording.")
        }
        AnalyzeError::Unreadable { .. } => advice(
            "The browser could not read this file",
            "check that it is still where it was, then choose it again.",
        ),
        AnalyzeError::NoDecoder { .. } => advice(
            "What decodes files could not be loaded",
            "check the connection, then choose the file again.",
        ),
        AnalyzeError::NotAudio => advice(
            "This is not audio that can be read here",
            "choose a WAV, FLAC, MP3, Ogg or M4A file.",
        ),
        AnalyzeError::UnsupportedCodec { .. } => advice(
            "This kind of audio cannot be read here",
            "convert it to WAV, FLAC or MP3 and try again.",
        ),
        AnalyzeError::Damaged => advice(
            "This file is damaged and no sound could be read from it",
            "export or copy it again.",
        ),
        AnalyzeError::NoSamples => advice(
            "This recording holds no sound at all",
            "record or export it again.",
        ),
        AnalyzeError::NotFinite => advice(
            "This recording contains values that are not numbers",
            "export it again from the program that made it.",
        ),
        AnalyzeError::TooShort {
            duration_s,
            minimum_s,
        } => advice(
            "This is too short to judge",
            format!("it holds {duration_s:.1} s of speech; give at least {minimum_s:.1} s."),
        ),
        AnalyzeError::NoSpeech { .. } => advice(
            "No speech was found in this recording",
            "it may hold noise or music alone; give one of a voice, near the microphone.",
        ),
        AnalyzeError::Silent { .. } => advice(
            "This recording is silent",
            "check that the microphone is on and near you, then record again.",
        ),
        AnalyzeError::Model { .. } => advice(
            "The engine is not ready, so nothing was analysed",
            "try the engine again, or reload the page.",
        ),
        AnalyzeError::UnsupportedRate { rate_hz } => advice(
            "The sample rate of this recording is out of range",
            format!("it is {rate_hz} Hz; export it at 8,000 to 192,000 Hz."),
        ),
        AnalyzeError::Cancelled => advice("The analysis was cancelled", "start it again."),
        AnalyzeError::Internal { .. } => advice(
            "Something went wrong in the engine, which has been started again",
            "try once more, or try another file.",
        ),
    }
}

fn capture_error(error: &CaptureError) -> Advice {
    match error {
        CaptureError::Denied => advice(
            "The microphone was not allowed",
            "allow it for this page in the browser’s address bar, or choose a file instead.",
        ),
        CaptureError::Missing => advice(
            "No microphone was found",
            "connect one and try again, or choose a file instead.",
        ),
        CaptureError::Busy { .. } => advice(
            "The microphone cannot be used now",
            "close other programs that use it, then try again.",
        ),
        CaptureError::Silent => advice(
            "The microphone gave no sound at all",
            "check its switch and the system’s sound settings, then record again.",
        ),
        CaptureError::Unsupported { .. } => advice(
            "This browser cannot record here",
            "open the page over https in a current browser, or choose a file instead.",
        ),
    }
}

fn file_error(error: &FileError) -> Advice {
    match error {
        FileError::Unreadable { .. } => advice(
            "The browser could not read this file",
            "check that it is still where it was, then choose it again.",
        ),
        FileError::NotFetched { .. } => advice(
            "The sample could not be loaded",
            "check the connection and try again.",
        ),
        FileError::NoFile => advice(
            "What you dropped is not a file",
            "drop a sound file from your computer.",
        ),
    }
}

/// Why there is no cleaned sound.
pub fn not_cleaned(error: &AnalyzeError) -> String {
    let Advice { happened, next } = analyze_error(error);
    format!("There is no cleaned sound. {happened}: {next}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_what_to_do_next() {
        let faults = [
            Fault::Analyze(AnalyzeError::EmptyFile),
            Fault::Analyze(AnalyzeError::Silent { peak_db: -80.0 }),
            Fault::Capture(CaptureError::Denied),
            Fault::File(FileError::NoFile),
            Fault::Save,
        ];
        for given in faults {
            let advice = fault(&given);
            assert!(!advice.happened.ends_with('.'), "{}", advice.happened);
            assert!(advice.next.ends_with('.'), "{}", advice.next);
        }
    }

    #[test]
    fn why_there_is_no_cleaned_sound_is_said() {
        let said = not_cleaned(&AnalyzeError::Damaged);
        assert!(said.starts_with("There is no cleaned sound. This file is damaged"));
    }
}
