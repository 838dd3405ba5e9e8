//! What the worker does with each request: a state machine that knows nothing
//! of the browser, so it is tested natively.

use super::job::{Job, Step};
use super::live::Listener;
use super::protocol::{Event, JobId, PROTOCOL_VERSION, Request};
use crate::analysis::AnalyzeError;
use crate::audio::{ClipReader, SampleReader, SoundReader};
use crate::model::EmotionModel;
use symphonia::core::io::MediaSource;

/// Audio that came beside a request.
pub enum Audio {
    /// None came.
    None,
    /// A file, to be read as it is needed.
    File(Box<dyn MediaSource>),
    /// Mono samples, full scale ±1.
    Samples(Vec<f32>),
}

/// What is to be done after a request has been heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: wait for another.
    Wait,
    /// Fetch the model from this address and hand it to
    /// [`Session::model_arrived`].
    Fetch(String),
    /// Call [`Session::work`] until it says that there is no more, and hear
    /// requests in between.
    Work,
}

/// One worker's life, from [`Session::hello`] to its end.
#[derive(Default)]
pub struct Session {
    model: Option<EmotionModel>,
    job: Option<Job>,
    paused: bool,
}

impl Session {
    /// What a worker says first.
    pub fn hello() -> Event {
        Event::Hello {
            protocol: PROTOCOL_VERSION,
        }
    }

    /// Takes a request and tells every event that answers it at once.
    pub fn receive(&mut self, request: Request, audio: Audio, tell: &mut dyn FnMut(Event)) -> Next {
        match request {
            Request::Start {
                protocol,
                model_url,
            } => {
                if protocol == PROTOCOL_VERSION {
                    return Next::Fetch(model_url);
                }
                tell(Event::LoadFailed {
                    error: version_mismatch(protocol, PROTOCOL_VERSION),
                });
            }
            Request::AnalyzeFile { job, name } => {
                let reader = match audio {
                    Audio::File(source) => ClipReader::open(source, &name)
                        .map(|reader| SoundReader::File(Box::new(reader)))
                        .map_err(AnalyzeError::from),
                    _ => Err(wrong_audio()),
                };
                return self.begin(job, reader, tell);
            }
            Request::AnalyzeSamples {
                job,
                sample_rate_hz,
            } => {
                let reader = match audio {
                    Audio::Samples(samples) => SampleReader::new(samples, sample_rate_hz)
                        .map(|reader| SoundReader::Samples(Box::new(reader)))
                        .map_err(AnalyzeError::from),
                    _ => Err(wrong_audio()),
                };
                return self.begin(job, reader, tell);
            }
            Request::Cancel { job } => {
                if self.has(job) {
                    self.break_off(tell);
                }
            }
            Request::Pause { job } => self.paused |= self.has(job),
            Request::Resume { job } => {
                if self.has(job) && std::mem::take(&mut self.paused) {
                    return Next::Work;
                }
            }
            // These concern the line from the microphone, which is not of
            // this world; see `Session::listener`.
            Request::Listen { .. } | Request::Smooth { .. } => {}
        }
        Next::Wait
    }

    fn has(&self, job: JobId) -> bool {
        self.job.as_ref().is_some_and(|current| current.id() == job)
    }

    fn break_off(&mut self, tell: &mut dyn FnMut(Event)) {
        self.paused = false;
        if let Some(job) = self.job.take() {
            tell(Event::Failed {
                job: job.id(),
                error: AnalyzeError::Cancelled,
            });
        }
    }

    fn begin(
        &mut self,
        job: JobId,
        reader: Result<SoundReader, AnalyzeError>,
        tell: &mut dyn FnMut(Event),
    ) -> Next {
        self.break_off(tell);
        let begun = match (&self.model, reader) {
            (Some(model), Ok(reader)) => Ok(Job::new(job, reader, model)),
            (None, _) => Err(no_model()),
            (_, Err(error)) => Err(error),
        };
        match begun {
            Ok(begun) => {
                self.job = Some(begun);
                tell(Event::Progress { job, fraction: 0.0 });
                Next::Work
            }
            Err(error) => {
                tell(Event::Failed { job, error });
                Next::Wait
            }
        }
    }

    /// Works on the job for a moment and tells what came of it. Returns
    /// whether there is more to do; a paused job has none.
    pub fn work(&mut self, tell: &mut dyn FnMut(Event)) -> bool {
        if self.paused {
            return false;
        }
        let Some(job) = self.job.take() else {
            return false;
        };
        let id = job.id();
        match job.step(tell) {
            Ok(Step::More(job)) => {
                self.job = Some(*job);
                return true;
            }
            Ok(Step::Done(analysis)) => tell(Event::Done { job: id, analysis }),
            Err(error) => tell(Event::Failed { job: id, error }),
        }
        false
    }

    /// What follows a voice of this rate with the model that is loaded.
    ///
    /// # Errors
    /// [`AnalyzeError::Model`] before there is one; else as [`Listener::new`].
    pub fn listener(
        &self,
        sample_rate_hz: u32,
        smoothing_s: f64,
    ) -> Result<Listener, AnalyzeError> {
        let model = self.model.as_ref().ok_or_else(no_model)?;
        Listener::new(model, sample_rate_hz, smoothing_s)
    }

    /// Takes the model file, or the reason why it could not be had.
    pub fn model_arrived(&mut self, bytes: Result<Vec<u8>, String>, tell: &mut dyn FnMut(Event)) {
        let model =
            bytes.and_then(|bytes| EmotionModel::load(&bytes).map_err(|error| error.to_string()));
        tell(match model {
            Ok(model) => {
                let name = model.header().name.clone();
                self.model = Some(model);
                Event::Ready { model: name }
            }
            Err(reason) => Event::LoadFailed {
                error: AnalyzeError::Model { reason },
            },
        });
    }
}

/// Why page and worker do not understand each other.
pub fn version_mismatch(page: u32, worker: u32) -> AnalyzeError {
    AnalyzeError::Model {
        reason: format!("the page speaks protocol {page} and the worker {worker}; reload the page"),
    }
}

fn no_model() -> AnalyzeError {
    AnalyzeError::Model {
        reason: "no model has been loaded yet".to_owned(),
    }
}

fn wrong_audio() -> AnalyzeError {
    AnalyzeError::Internal {
        reason: "the request came without its audio".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::features::FeatureConfig;
    use crate::model::calibration::Calibration;
    use crate::model::header::{Architecture, FORMAT_VERSION, Pooling, TrainingFacts};
    use crate::model::network::Network;
    use crate::model::normalize::Normalizer;
    use crate::model::weights::Precision;
    use crate::model::{Artifact, ModelHeader};
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
        let bytes = include_bytes!("../../tests/data/speech.wav").to_vec();
        let clip = crate::audio::load(bytes, "speech.wav")
            .expect("decodes")
            .clip;
        let n = (16_000.0 * seconds) as usize;
        let talk: Vec<f32> = clip.samples().iter().cycle().take(n).copied().collect();
        let mut samples = Vec::new();
        let mut resampler =
            crate::audio::resample::Resampler::between(16_000, rate_hz).expect("plans");
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

    fn file(bytes: Vec<u8>) -> Audio {
        Audio::File(Box::new(Cursor::new(bytes)))
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
        let request = Request::AnalyzeFile {
            job: JOB,
            name: "a.wav".into(),
        };
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
            Request::AnalyzeSamples {
                job: JOB,
                sample_rate_hz: 48_000,
            },
            Audio::Samples(samples.clone()),
        );
        let from_file = ask(
            &mut session,
            Request::AnalyzeFile {
                job: JOB,
                name: "a.wav".into(),
            },
            file(wav(48_000, &samples)),
        );
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
        let read = Request::AnalyzeFile {
            job: JOB,
            name: "a.wav".into(),
        };
        let samples = |sample_rate_hz| Request::AnalyzeSamples {
            job: JOB,
            sample_rate_hz,
        };
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
            let error = serde_json::to_value(error).expect("serialises");
            assert_eq!(error["kind"], kind);
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
        let request = Request::AnalyzeFile {
            job: JOB,
            name: "a.wav".into(),
        };
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
            Request::AnalyzeSamples {
                job: JobId(8),
                sample_rate_hz: 16_000,
            },
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
        let request = Request::AnalyzeSamples {
            job: JOB,
            sample_rate_hz: 44_100,
        };
        let json = serde_json::to_string(&request).expect("serialises");
        assert_eq!(
            json,
            r#"{"type":"analyze-samples","job":7,"sample_rate_hz":44100}"#
        );
        assert_eq!(
            serde_json::from_str::<Request>(&json).expect("reads back"),
            request
        );
    }
}
