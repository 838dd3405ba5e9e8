//! Every word a person reads on the page.

mod advice;
mod times;

pub use advice::{analyze_error, announced_fault, fault, not_cleaned};
pub use times::{clock, duration, fine_clock, length, remaining, tick, time_constant};

use super::state::{Origin, Outcome};
use crate::analysis::live::{Hearing, Moment};
use crate::analysis::{Notice, Utterance};
use crate::emotion::Emotion;
use crate::model::shipped;
use crate::worker::client::EngineState;

pub const NAME: &str = "Undertone";
pub const TAGLINE: &str = "Hear the emotion in a voice.";
pub const PRIVACY: &str =
    "Your voice never leaves this device. Everything is computed here, in this page.";

pub const RECORD: &str = "Record";
pub const RECORD_STOP: &str = "Stop";
pub const RECORD_ASKING: &str = "Waiting";
pub const RECORD_HINT: &str = "Say a sentence or two, as you would to a friend.";
pub const RECORD_HINT_RECORDING: &str = "Listening. Press again to stop and analyse.";
pub const RECORD_HINT_ASKING: &str = "Allow the microphone in your browser to begin.";
pub const LEVEL: &str = "Microphone level";
pub const ELAPSED: &str = "Time recorded";

pub const MICROPHONE: &str = "Microphone";

pub const LIVE: &str = "Right now";
pub const LIVE_WAITS: &str = "Waiting for the engine…";
pub const LIVE_DEAF: &str = "Still recording";
pub const LIVE_DEAF_HINT: &str = "The live view stopped; nothing of the recording is lost.";
pub const LIVE_LISTENS: &str = "Listening…";
pub const LIVE_NO_SPEECH_YET: &str = "No speech yet";
pub const LIVE_NO_SPEECH: &str = "No speech";
pub const LIVE_TRAIL: &str = "The last half minute";
pub const LIVE_TRAIL_MEANING: &str =
    "The leading emotion over the last 30 seconds, the newest at the right; faint where not sure.";
pub const LIVE_TRAIL_START: &str = "30 s ago";
pub const LIVE_TRAIL_END: &str = "now";
pub const SMOOTHING: &str = "Smoothing";
pub const SMOOTHING_HINT: &str =
    "Time constant of what is shown here. The analysis after Stop is not smoothed.";

pub const DROP: &str = "Choose a recording";
pub const DROP_HINT: &str = "or drop it anywhere. WAV, FLAC, MP3, Ogg, M4A.";
pub const DROP_HOVER: &str = "Let go to analyse it";

pub const SAMPLES: &str = "Or try an actor’s voice";
pub const SAMPLES_SOURCE: &str = "Clips from CREMA-D (Cao et al. 2014), Open Database License.";

pub const ANALYZING: &str = "Listening to it…";
pub const ANALYZING_WAITS: &str = "Waiting for the engine…";
pub const CANCEL: &str = "Cancel";
pub const DISMISS: &str = "Close";
pub const RETRY: &str = "Try again";

pub const EMPTY_TITLE: &str = "Speak, and see what your voice carries.";
pub const EMPTY_TEXT: &str = "Undertone listens to how something is said, not to the words: the pitch, the loudness, the pace and the colour of the voice. It knows eight emotions.";
pub const HONEST: &str = "It learnt from actors and is often wrong about everyday speech. Take it as an impression, never as a verdict on a person.";

pub const MODEL: &str = "Model";

pub const REDUCE_NOISE: &str = "Reduce noise";
pub const REDUCE_NOISE_MEANING: &str = "Cleans steady noise away first, and lets you hear the result. The answers become no better by it, and worse in loud noise.";
pub const VERSIONS: &str = "Which sound plays";
pub const ORIGINAL: &str = "Original";
pub const CLEANED: &str = "Cleaned";
pub const CLEANING: &str = "Cleaning…";
pub const NO_ROOM_FOR_CLEANED: &str =
    "The browser has no room for the cleaned sound. The original is still there.";

pub const RESULT: &str = "Result";
pub const SO_FAR: &str = "What has been found so far";
pub const NOT_SURE: &str = "Not sure";
pub const TOO_SHORT: &str = "Too short";
pub const UTTERANCES: &str = "Utterances";
pub const UTTERANCE_TIME: &str = "At";
pub const UTTERANCE_LENGTH: &str = "Length";
pub const UTTERANCE_EMOTION: &str = "Emotion";
pub const UTTERANCE_CONFIDENCE: &str = "Confidence";
pub const PAUSED: &str = "a pause";
pub const SCORES: &str = "All eight";
pub const OVER_TIME: &str = "Over time";
pub const PLAY: &str = "Play";
pub const PAUSE: &str = "Pause";
pub const NOT_PLAYABLE: &str = "This browser cannot play this file; its analysis stands.";
pub const POSITION: &str = "Position";
pub const WAVEFORM: &str = "Waveform of the recording";
pub const SAVE_JSON: &str = "Save JSON";
pub const SAVE_CSV: &str = "Save CSV";

pub const SAID_READY: &str = "The engine is ready.";
pub const SAID_RECORDING: &str = "Recording.";
pub const SAID_ANALYZING: &str = "Analysing.";
pub const SAID_CANCELLED: &str = "Cancelled.";
pub const SAID_CLEANING: &str = "Cleaning the sound.";
pub const SAID_CLEANED: &str = "The cleaned sound plays from now on.";

/// One of the page's own clips.
pub struct Sample {
    /// Its name under `samples/`.
    pub file: &'static str,
    /// What the actor was asked to express.
    pub acted: Emotion,
}

/// The page's own clips; their sentences and source stand in
/// `public/samples/README.md`.
pub const SAMPLE_CLIPS: [Sample; 4] = [
    Sample {
        file: "1052_TIE_HAP_XX.ogg",
        acted: Emotion::Happy,
    },
    Sample {
        file: "1020_WSI_SAD_XX.ogg",
        acted: Emotion::Sad,
    },
    Sample {
        file: "1002_DFA_ANG_XX.ogg",
        acted: Emotion::Angry,
    },
    Sample {
        file: "1001_IOM_NEU_XX.ogg",
        acted: Emotion::Neutral,
    },
];

/// An emotion's name.
pub fn emotion(emotion: Emotion) -> &'static str {
    match emotion {
        Emotion::Neutral => "Neutral",
        Emotion::Calm => "Calm",
        Emotion::Happy => "Happy",
        Emotion::Sad => "Sad",
        Emotion::Angry => "Angry",
        Emotion::Fearful => "Fearful",
        Emotion::Disgusted => "Disgusted",
        Emotion::Surprised => "Surprised",
    }
}

/// The leading emotion, or that there is none; and what to add to it.
pub fn verdict(outcome: &Outcome) -> (String, Option<String>) {
    let name = emotion(outcome.analysis.label);
    if outcome.analysis.sure {
        (name.to_owned(), None)
    } else {
        (
            NOT_SURE.to_owned(),
            Some(format!("closest: {}", name.to_ascii_lowercase())),
        )
    }
}

/// The leading emotion's probability in words and figures.
pub fn confidence(p: f32, sure: bool) -> String {
    let words = match p {
        _ if !sure => "Too little to say",
        p if p >= 0.85 => "Very likely",
        p if p >= 0.65 => "Likely",
        p if p >= 0.5 => "More likely than not",
        _ => "Only slightly ahead",
    };
    format!("{words} · {}", percent(p))
}

/// A probability as a percentage.
pub fn percent(p: f32) -> String {
    let percent = p * 100.0;
    if percent > 0.0 && percent < 1.0 {
        "< 1 %".to_owned()
    } else {
        format!("{percent:.0} %")
    }
}

/// What was analysed and how, and by which model where that is not the default.
pub fn source(outcome: &Outcome) -> String {
    let name = match outcome.origin {
        Origin::Microphone => "Your recording",
        Origin::File => outcome.file.as_str(),
    };
    let analysis = &outcome.analysis;
    let heard = as_heard(analysis.options.denoise);
    let duration = duration(analysis.duration_s);
    match analysis.model.as_str() {
        shipped::DEFAULT => format!("{name} · {duration}{heard}"),
        model => format!("{name} · {duration}{heard} · {}", model_name(model)),
    }
}

/// What is being heard now, and how.
pub fn live(denoised: bool) -> String {
    format!("{LIVE}{}", as_heard(denoised))
}

fn as_heard(denoised: bool) -> &'static str {
    match denoised {
        true => " · noise reduced",
        false => "",
    }
}

/// What screen readers are told of a new result.
pub fn announced(outcome: &Outcome) -> String {
    let (label, closest) = verdict(outcome);
    let closest = closest.map_or(String::new(), |closest| format!(", {closest}"));
    format!(
        "{label}{closest}. {}.",
        confidence(outcome.analysis.confidence, outcome.analysis.sure)
    )
}

/// Why nothing can be shown of a voice that is being recorded.
pub fn live_hindrance(engine: &EngineState, deaf: bool) -> Option<&'static str> {
    match engine {
        _ if deaf => Some(LIVE_DEAF),
        EngineState::Ready => None,
        EngineState::Failed { .. } => Some(LIVE_DEAF),
        _ => Some(LIVE_WAITS),
    }
}

/// What is heard now, and what to add to it.
pub fn live_headline(moment: Option<&Moment>, spoken: bool) -> (String, Option<String>) {
    let said = match moment {
        None => LIVE_LISTENS,
        Some(moment) => match (moment.hearing, &moment.answer) {
            (Hearing::Speech, Some(answer)) => {
                let name = emotion(answer.label);
                return if answer.sure {
                    (name.to_owned(), None)
                } else {
                    let closest = format!("closest: {}", name.to_ascii_lowercase());
                    (NOT_SURE.to_owned(), Some(closest))
                };
            }
            (Hearing::NoSpeech, _) if spoken => LIVE_NO_SPEECH,
            (Hearing::NoSpeech, _) => LIVE_NO_SPEECH_YET,
            (Hearing::Listening | Hearing::Speech, _) => LIVE_LISTENS,
        },
    };
    (said.to_owned(), None)
}

/// How sure the leading emotion is now.
pub fn live_confidence(moment: Option<&Moment>) -> String {
    match moment.and_then(|moment| moment.answer.as_ref()) {
        Some(answer) => confidence(answer.confidence, answer.sure),
        // A line's height, so that nothing jumps.
        None => "\u{a0}".to_owned(),
    }
}

/// What screen readers are told while a voice is followed.
pub fn announced_moment(leading: Option<Emotion>) -> String {
    match leading {
        Some(leading) => format!("Now: {}.", emotion(leading)),
        None => format!("Now: {}.", NOT_SURE.to_ascii_lowercase()),
    }
}

/// A model's name for a person.
pub fn model_name(name: &str) -> &str {
    match name {
        "undertone" => "Undertone",
        "undertone-light" => "Undertone light",
        "lstm" => "LSTM",
        "simple-rnn" => "Simple RNN",
        other => other,
    }
}

/// What a model is, in one line.
pub fn model_description(name: &str) -> &'static str {
    match name {
        "undertone" => "The default: two pretrained networks that know voices and speech.",
        "undertone-light" => {
            "One pretrained network that knows voices: small and quick, a little less sure."
        }
        "lstm" => "Two LSTM layers over speech features, trained from scratch.",
        "simple-rnn" => "Simple recurrent layers over speech features, for comparison.",
        _ => "",
    }
}

/// That a model could not be loaded, and what answers instead.
pub fn model_refused(name: &str, kept: &str) -> String {
    format!(
        "{} could not be loaded; {} stays in use. Check the connection and choose it again.",
        model_name(name),
        model_name(kept)
    )
}

/// The slider's value, as a screen reader says it.
pub fn position(position_s: f64, outcome: &Outcome) -> String {
    let here = outcome.utterance_at(position_s).map_or(PAUSED, heard);
    format!(
        "{} of {}, {here}",
        duration(position_s),
        duration(outcome.analysis.duration_s)
    )
}

/// What an utterance carries.
pub fn heard(utterance: &Utterance) -> &'static str {
    match utterance.verdict {
        Some(verdict) if verdict.sure => emotion(verdict.label),
        Some(_) => NOT_SURE,
        None => TOO_SHORT,
    }
}

/// What an utterance carries, with what is closest where that is not sure.
pub fn utterance_emotion(utterance: &Utterance) -> String {
    match utterance.verdict {
        Some(verdict) if !verdict.sure => {
            format!(
                "{NOT_SURE}, closest: {}",
                emotion(verdict.label).to_ascii_lowercase()
            )
        }
        _ => heard(utterance).to_owned(),
    }
}

/// Where an utterance's button leads.
pub fn go_to(utterance: &Utterance) -> String {
    format!("Go to {}", fine_clock(utterance.start_s))
}

/// An utterance, as its tooltip says it.
pub fn utterance(utterance: &Utterance) -> String {
    let p = utterance
        .verdict
        .map_or(String::new(), |v| format!(", {}", percent(v.confidence)));
    format!(
        "{}, {} to {}{p}",
        heard(utterance),
        duration(utterance.start_s),
        duration(utterance.end_s),
    )
}

/// What the engine is doing.
pub fn engine(state: &EngineState) -> String {
    match state {
        EngineState::Starting => "Starting the engine…".to_owned(),
        EngineState::Loading { fraction: None } => "Loading the model…".to_owned(),
        EngineState::Loading {
            fraction: Some(fraction),
        } => format!("Loading the model, {}", percent(*fraction)),
        EngineState::Ready => "Ready".to_owned(),
        EngineState::Failed { .. } => "The engine did not start.".to_owned(),
    }
}

/// The value of `data-kind` of a notice, and its words.
pub fn notice(notice: &Notice) -> (&'static str, String) {
    match notice {
        Notice::Truncated { read_s, expected_s } => {
            let promised = expected_s.map_or(String::new(), |expected_s| {
                format!(" of {}", duration(expected_s))
            });
            (
                "truncated",
                format!(
                    "This file is cut short: {}{promised} could be read and analysed.",
                    duration(*read_s)
                ),
            )
        }
        Notice::Unfamiliar => (
            "unfamiliar",
            "Unlike what the model learnt from: perhaps another room, microphone or language. \
             It is less sure here."
                .to_owned(),
        ),
    }
}

/// What is being read, and how much of it has been heard.
pub fn heard_so_far(file: &str, heard_s: f64, duration_s: f64) -> String {
    format!("{file} · {} of {} heard", clock(heard_s), clock(duration_s))
}

/// The leading emotion's probability while there is more to come.
pub fn so_far(p: f32) -> String {
    format!("so far · {}", percent(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_read_well() {
        assert_eq!(percent(0.004), "< 1 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(confidence(0.72, true), "Likely · 72 %");
        assert_eq!(confidence(0.72, false), "Too little to say · 72 %");
    }

    #[test]
    fn what_is_heard_without_its_noise_says_so() {
        assert_eq!(live(false), LIVE);
        assert_eq!(live(true), "Right now · noise reduced");
    }

    #[test]
    fn every_shipped_model_is_described() {
        for name in crate::model::shipped::NAMES {
            assert_ne!(model_name(name), name, "{name} has a name for people");
            assert!(!model_description(name).is_empty(), "{name}");
        }
    }
}
