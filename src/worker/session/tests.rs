use super::*;
use crate::analysis::Notice;
use crate::audio::ClipReader;
use crate::emotion::Emotion;
use crate::features::FeatureConfig;
use crate::model::calibration::Calibration;
use crate::model::header::{Architecture, FORMAT_VERSION, Pooling, TrainingFacts};
use crate::model::network::Network;
use crate::model::normalize::Normalizer;
use crate::model::weights::Precision;
use crate::model::{Artifact, ModelHeader};
use crate::wire;
use crate::worker::protocol::Work;
use candle_core::{DType, Device};
use candle_nn::{VarBuilder, VarMap};
use std::io::Cursor;

const JOB: JobId = JobId(7);

/// The smallest model there can be: no recurrence, random weights.
fn model_file() -> Vec<u8> {
    let features = FeatureConfig::all();
    let n_features = features.n_features();
    let architecture = Architecture {
        frames_per_step: 4,
        window_normalized: false,
        convolutions: Vec::new(),
        recurrent: None,
        pooling: Pooling::Attentive,
        told_baseline: false,
        heads: 1,
        as_they_are: Vec::new(),
        fading: Vec::new(),
        dense: 4,
        dropout: 0.0,
    };
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    Network::new(&architecture, n_features, &vb).expect("the shape is valid");
    let weights = map
        .data()
        .lock()
        .expect("nobody else holds it")
        .iter()
        .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
        .collect();
    let header = ModelHeader {
        format_version: FORMAT_VERSION,
        name: "tiny".into(),
        classes: Emotion::ALL.iter().map(|e| e.name().to_owned()).collect(),
        features,
        front_ends: Vec::new(),
        architecture,
        normalizer: Normalizer {
            mean: vec![0.0; n_features],
            deviation: vec![1.0; n_features],
            within: vec![1.0; n_features],
        },
        calibration: Calibration {
            temperature: 1.0,
            sure_threshold: 0.3,
            ..Calibration::default()
        },
        training: TrainingFacts::default(),
        checksum: String::new(),
    };
    let artifact = Artifact {
        header,
        weights,
        front_ends: Vec::new(),
    };
    artifact.to_bytes(Precision::Full).expect("it serialises")
}

/// Somebody talks, again and again.
fn talk(rate_hz: u32, seconds: f32) -> Vec<f32> {
    let bytes = include_bytes!("../../../tests/data/speech.wav").to_vec();
    let clip = crate::audio::load(bytes, "speech.wav")
        .expect("decodes")
        .clip;
    let n = (16_000.0 * seconds) as usize;
    let talk: Vec<f32> = clip.samples().iter().cycle().take(n).copied().collect();
    let mut samples = Vec::new();
    let mut resampler = crate::audio::resample::Resampler::between(16_000, rate_hz).expect("plans");
    resampler.push(&talk, &mut samples).expect("resamples");
    resampler.finish(&mut samples).expect("resamples");
    samples
}

fn tone(rate_hz: u32, seconds: f32) -> Vec<f32> {
    (0..(rate_hz as f32 * seconds) as usize)
        .map(|i| 0.3 * (i as f32 * 440.0 * std::f32::consts::TAU / rate_hz as f32).sin())
        .collect()
}

fn wav(rate_hz: u32, samples: &[f32]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate_hz,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("writes to memory");
    for s in samples {
        writer.write_sample(*s).expect("writes to memory");
    }
    writer.finalize().expect("writes to memory");
    file.into_inner()
}

fn started() -> Session {
    let mut session = Session::default();
    let start = Request::Start {
        protocol: PROTOCOL_VERSION,
        model_url: "model.safetensors".into(),
    };
    let next = session.receive(start, Audio::None, &mut |e| panic!("said {e:?}"));
    assert_eq!(next, Next::Fetch("model.safetensors".into()));
    let mut told = Vec::new();
    session.model_arrived(Ok(model_file()), &mut |e| told.push(e));
    assert_eq!(
        told,
        [Event::Ready {
            model: "tiny".into()
        }]
    );
    session
}

/// Asks, and has all the work done that there is.
fn ask(session: &mut Session, request: Request, audio: Audio) -> Vec<Event> {
    let mut told = Vec::new();
    let next = session.receive(request, audio, &mut |e| told.push(e));
    match next {
        Next::Work => while session.work(&mut |e| told.push(e)) {},
        next => assert_eq!(next, Next::Wait),
    }
    told
}

fn begin(job: JobId, sound: Given, denoise: bool) -> Request {
    let options = Options { denoise };
    let work = Work::Analyze { options };
    Request::Begin { job, sound, work }
}

fn analyze_file() -> Request {
    let name = "a.wav".into();
    begin(JOB, Given::File { name }, false)
}

fn analyze_samples(job: JobId, sample_rate_hz: u32) -> Request {
    begin(job, Given::Samples { sample_rate_hz }, false)
}

fn file(bytes: Vec<u8>) -> Audio {
    let reader = ClipReader::open(Box::new(Cursor::new(bytes)), "a.wav");
    Audio::File(reader.map(|reader| Box::new(reader) as Box<dyn Sound>))
}

#[test]
fn another_version_is_refused() {
    let mut session = Session::default();
    let start = Request::Start {
        protocol: PROTOCOL_VERSION + 1,
        model_url: "model.safetensors".into(),
    };
    let told = ask(&mut session, start, Audio::None);
    assert!(matches!(told[..], [Event::LoadFailed { .. }]), "{told:?}");
}

#[test]
fn a_model_that_is_none_is_refused() {
    for bytes in [
        Ok(Vec::new()),
        Ok(b"<html>".to_vec()),
        Err("404".to_owned()),
    ] {
        let mut told = Vec::new();
        Session::default().model_arrived(bytes, &mut |e| told.push(e));
        assert!(matches!(told[..], [Event::LoadFailed { .. }]), "{told:?}");
    }
}

#[test]
fn work_before_the_model_fails_and_names_its_job() {
    let request = analyze_file();
    let told = ask(&mut Session::default(), request, file(vec![1]));
    assert!(
        matches!(
            told[..],
            [Event::Failed {
                job: JOB,
                error: AnalyzeError::Model { .. }
            }]
        ),
        "{told:?}"
    );
}

#[test]
fn a_file_and_its_samples_give_the_same_answer_after_growing_progress() {
    let mut session = started();
    let samples = talk(48_000, 3.0);
    let told = ask(
        &mut session,
        analyze_samples(JOB, 48_000),
        Audio::Samples(samples.clone()),
    );
    let from_file = ask(&mut session, analyze_file(), file(wav(48_000, &samples)));
    let mut fractions = Vec::new();
    for event in &told[..told.len() - 1] {
        match event {
            Event::Progress { job: JOB, fraction } => fractions.push(*fraction),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(fractions.is_sorted() && fractions.len() > 2);
    let (Some(Event::Done { analysis: a, .. }), Some(Event::Done { analysis: b, .. })) =
        (told.last(), from_file.last())
    else {
        panic!("{told:?} {from_file:?}");
    };
    assert!((a.duration_s - 3.0).abs() < 1e-9);
    for (p, q) in a.scores.as_array().iter().zip(b.scores.as_array()) {
        assert!((p - q).abs() < 1e-4);
    }
}

#[test]
fn bad_audio_ends_in_its_own_error_and_the_session_goes_on() {
    let mut session = started();
    let read = analyze_file();
    let samples = |sample_rate_hz| analyze_samples(JOB, sample_rate_hz);
    let kinds = [
        (read.clone(), file(Vec::new()), "empty-file"),
        (read.clone(), file(b"words".to_vec()), "not-audio"),
        (
            read.clone(),
            file(wav(16_000, &[f32::NAN; 99])),
            "not-finite",
        ),
        (read, Audio::None, "internal"),
        (
            samples(16_000),
            Audio::Samples(vec![f32::NAN; 99]),
            "not-finite",
        ),
        (samples(16_000), Audio::Samples(Vec::new()), "no-samples"),
        (
            samples(16_000),
            Audio::Samples(talk(16_000, 0.1)),
            "too-short",
        ),
        (samples(16_000), Audio::Samples(vec![0.0; 16_000]), "silent"),
        (
            samples(16_000),
            Audio::Samples(tone(16_000, 2.0)),
            "no-speech",
        ),
        (
            samples(1),
            Audio::Samples(tone(16_000, 1.0)),
            "unsupported-rate",
        ),
    ];
    for (request, audio, kind) in kinds {
        let told = ask(&mut session, request, audio);
        let Some(Event::Failed { job: JOB, error }) = told.last() else {
            panic!("{kind}: {told:?}");
        };
        assert_eq!(error.kind(), kind);
    }
    let told = ask(
        &mut session,
        samples(16_000),
        Audio::Samples(talk(16_000, 2.0)),
    );
    assert!(matches!(told.last(), Some(Event::Done { .. })), "{told:?}");
}

/// Phrases of a second and a half, each after a pause of half a second.
fn phrases(n: usize) -> Vec<f32> {
    let mut samples = Vec::new();
    for _ in 0..n {
        samples.extend([0.0; 8_000]);
        samples.extend(talk(16_000, 1.5));
    }
    samples
}

/// A minute of phrases, with the work not begun.
fn long_job(session: &mut Session) -> Vec<Event> {
    let mut told = Vec::new();
    let request = analyze_file();
    let audio = file(wav(16_000, &phrases(30)));
    let next = session.receive(request, audio, &mut |e| told.push(e));
    assert_eq!(next, Next::Work);
    told
}

#[test]
fn the_parts_of_a_long_recording_are_its_answer() {
    let mut session = started();
    let mut told = long_job(&mut session);
    while session.work(&mut |e| told.push(e)) {}
    let Some(Event::Done { analysis, .. }) = told.last() else {
        panic!("{told:?}");
    };
    let mut utterances = Vec::new();
    let mut heard_s = vec![0.0];
    for event in &told {
        if let Event::Partial { job: JOB, partial } = event {
            assert_eq!(partial.duration_s, Some(60.0));
            assert!(!partial.waveform.extremes.is_empty());
            utterances.extend(partial.utterances.clone());
            assert_eq!(partial.verdict.is_some(), !utterances.is_empty());
            heard_s.push(partial.heard_s);
        }
    }
    assert!(heard_s.is_sorted() && heard_s.len() > 10, "{heard_s:?}");
    assert!(utterances.len() > 20, "{} utterances", utterances.len());
    assert_eq!(utterances[..], analysis.utterances[..utterances.len()]);
}

#[test]
fn a_job_is_broken_off_between_two_steps_and_the_next_is_done() {
    let mut session = started();
    let mut told = long_job(&mut session);
    for _ in 0..5 {
        assert!(session.work(&mut |e| told.push(e)));
    }
    // Another job's name means another job.
    let other = Request::Cancel { job: JobId(99) };
    assert!(ask(&mut session, other, Audio::None).is_empty());
    let told = ask(&mut session, Request::Cancel { job: JOB }, Audio::None);
    let cancelled = Event::Failed {
        job: JOB,
        error: AnalyzeError::Cancelled,
    };
    assert_eq!(told, std::slice::from_ref(&cancelled));
    assert!(!session.work(&mut |e| panic!("said {e:?}")));
    // A job that replaces another breaks it off.
    long_job(&mut session);
    let told = ask(
        &mut session,
        analyze_samples(JobId(8), 16_000),
        Audio::Samples(talk(16_000, 2.0)),
    );
    assert_eq!(told[0], cancelled);
    assert!(
        matches!(told.last(), Some(Event::Done { job: JobId(8), .. })),
        "{told:?}"
    );
}

#[test]
fn a_paused_job_stands_still_and_ends_as_if_it_had_not() {
    let mut session = started();
    let mut told = long_job(&mut session);
    while session.work(&mut |e| told.push(e)) {}
    let expected = told.pop();
    let mut told = long_job(&mut session);
    for _ in 0..7 {
        assert!(session.work(&mut |e| told.push(e)));
    }
    let pause = Request::Pause { job: JOB };
    assert!(ask(&mut session, pause, Audio::None).is_empty());
    assert!(!session.work(&mut |e| panic!("said {e:?}")));
    let told = ask(&mut session, Request::Resume { job: JOB }, Audio::None);
    assert_eq!(told.last(), expected.as_ref());
    // A job that is broken off while it is held leaves nothing held.
    long_job(&mut session);
    ask(&mut session, Request::Pause { job: JOB }, Audio::None);
    ask(&mut session, Request::Cancel { job: JOB }, Audio::None);
    long_job(&mut session);
    assert!(session.work(&mut |_| {}));
}

#[test]
fn messages_survive_the_journey() {
    let request = analyze_samples(JOB, 44_100);
    let bytes = wire::to_bytes(&request);
    assert_eq!(wire::from_bytes(&bytes), Some(request));
    assert_eq!(wire::from_bytes::<Request>(&bytes[1..]), None);
    assert_eq!(wire::from_bytes::<Request>(&[]), None);
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(wire::from_bytes::<Request>(&longer), None);
    // An answer, with all that it may hold.
    let mut session = started();
    let samples = Audio::Samples(talk(16_000, 2.0));
    let mut told = ask(&mut session, analyze_samples(JOB, 16_000), samples);
    let Some(Event::Done { analysis, .. }) = told.last_mut() else {
        panic!("{told:?}");
    };
    analysis.notices.push(Notice::Truncated {
        read_s: 2.0,
        expected_s: Some(3.0),
    });
    analysis.notices.push(Notice::Unfamiliar);
    for event in told {
        assert_eq!(wire::from_bytes(&wire::to_bytes(&event)), Some(event));
    }
}

/// A voice in steady noise.
fn noisy(seconds: f32) -> Vec<f32> {
    let mut state = 1u32;
    let mut samples = talk(16_000, seconds);
    for s in &mut samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *s += ((state >> 8) as f32 / (1 << 23) as f32 - 1.0) * 0.02;
    }
    samples
}

#[test]
fn an_answer_says_whether_noise_was_reduced_and_is_that_of_the_cleaned_sound() {
    let mut session = started();
    let mut answer = |samples: &[f32], denoise| {
        let sound = Given::Samples {
            sample_rate_hz: 16_000,
        };
        let request = begin(JOB, sound, denoise);
        let mut told = ask(&mut session, request, Audio::Samples(samples.to_vec()));
        match told.pop() {
            Some(Event::Done { analysis, .. }) => *analysis,
            other => panic!("{other:?}"),
        }
    };
    let samples = noisy(3.0);
    let cleaned = crate::audio::denoise::denoise(&samples).expect("cleans");
    let (as_it_is, reduced) = (answer(&samples, false), answer(&samples, true));
    let by_hand = answer(&cleaned, false);
    assert_eq!(
        (as_it_is.options.denoise, reduced.options.denoise),
        (false, true)
    );
    assert_eq!(reduced.waveform, by_hand.waveform);
    assert_eq!(reduced.scores, by_hand.scores);
    assert_ne!(reduced.waveform, as_it_is.waveform);
}

#[test]
fn a_cleaned_sound_comes_in_parts_as_long_as_the_sound_and_can_be_broken_off() {
    let mut session = started();
    let clean = |job| Request::Begin {
        job,
        sound: Given::File {
            name: "a.wav".into(),
        },
        work: Work::Clean,
    };
    let samples = noisy(70.0);
    let bytes = wav(16_000, &samples);
    let told = ask(&mut session, clean(JOB), file(bytes.clone()));
    let (mut parts, mut fractions) = (Vec::new(), Vec::new());
    for event in &told {
        match event {
            Event::Cleaned {
                job: JOB,
                samples,
                last,
            } => parts.push((samples.len(), *last)),
            Event::Progress { job: JOB, fraction } => fractions.push(*fraction),
            other => panic!("unexpected {other:?}"),
        }
    }
    let lasts: Vec<bool> = parts.iter().map(|(_, last)| *last).collect();
    assert_eq!(lasts, [false, false, true]);
    assert_eq!(parts.iter().map(|(n, _)| n).sum::<usize>(), samples.len());
    assert!(fractions.is_sorted() && fractions.len() > 10);
    // The samples are no part of the message.
    let message = wire::to_bytes(&told[told.len() - 1]);
    let empty = Event::Cleaned {
        job: JOB,
        samples: Vec::new(),
        last: true,
    };
    assert_eq!(wire::from_bytes(&message), Some(empty));

    // An analysis that begins meanwhile has the worker to itself.
    session.receive(clean(JOB), file(bytes), &mut |_| {});
    assert!(session.work(&mut |_| {}));
    let analysis = analyze_samples(JobId(8), 16_000);
    let told = ask(&mut session, analysis, Audio::Samples(talk(16_000, 2.0)));
    let cancelled = Event::Failed {
        job: JOB,
        error: AnalyzeError::Cancelled,
    };
    assert_eq!(told[0], cancelled);
    assert!(matches!(
        told.last(),
        Some(Event::Done { job: JobId(8), .. })
    ));
}
