//! What the worker does with each request: a state machine that knows nothing
//! of the browser, so it is tested natively.

use super::live::Listener;
use super::protocol::{Event, JobId, PROTOCOL_VERSION, Request};
use crate::analysis::{Analysis, AnalyzeError, Analyzer, Options, analyze_stream};
use crate::audio::resample::Resampler;
use crate::audio::{ClipReader, DecodeError};
use crate::model::EmotionModel;
use std::io::Cursor;
use std::ops::ControlFlow;

/// Audio that came beside a request.
#[derive(Debug)]
pub enum Audio {
    /// None came.
    None,
    /// The bytes of a file.
    File(Vec<u8>),
    /// Mono samples, full scale ±1.
    Samples(Vec<f32>),
}

/// Progress is told when it has grown by this much: a message for every
/// packet of a long file would only keep the page busy.
const PROGRESS_STEP: f32 = 0.01;

/// Samples analysed between two words of progress.
const BLOCK_SAMPLES: usize = 1 << 14;

/// One worker's life, from [`Session::hello`] to its end.
#[derive(Default)]
pub struct Session {
    model: Option<EmotionModel>,
}

impl Session {
    /// What a worker says first.
    pub fn hello() -> Event {
        Event::Hello {
            protocol: PROTOCOL_VERSION,
        }
    }

    /// Takes a request and tells every event that answers it. Gives the
    /// address of the model to fetch when that is what is to be done next;
    /// hand the outcome to [`Session::model_arrived`].
    pub fn receive(
        &mut self,
        request: Request,
        audio: Audio,
        tell: &mut dyn FnMut(Event),
    ) -> Option<String> {
        match request {
            Request::Start {
                protocol,
                model_url,
            } => {
                if protocol == PROTOCOL_VERSION {
                    return Some(model_url);
                }
                tell(Event::LoadFailed {
                    error: version_mismatch(protocol, PROTOCOL_VERSION),
                });
            }
            Request::AnalyzeFile { job, name } => {
                let answer = match audio {
                    Audio::File(bytes) => self.analyze_file(job, bytes, &name, tell),
                    _ => Err(wrong_audio()),
                };
                tell(answered(job, answer));
            }
            Request::AnalyzeSamples {
                job,
                sample_rate_hz,
            } => {
                let answer = match audio {
                    Audio::Samples(samples) => {
                        self.analyze_samples(job, &samples, sample_rate_hz, tell)
                    }
                    _ => Err(wrong_audio()),
                };
                tell(answered(job, answer));
            }
            // These concern the line from the microphone, which is not of
            // this world; see `Session::listener`.
            Request::Listen { .. } | Request::Smooth { .. } => {}
        }
        None
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

    fn model(&mut self) -> Result<&mut EmotionModel, AnalyzeError> {
        self.model.as_mut().ok_or_else(no_model)
    }

    fn analyze_file(
        &mut self,
        job: JobId,
        bytes: Vec<u8>,
        name: &str,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Analysis, AnalyzeError> {
        let model = self.model()?;
        let reader = ClipReader::open(Box::new(Cursor::new(bytes)), name)?;
        let mut progress = Progress::new(job, tell);
        analyze_stream(model, reader, Options::default(), |fraction, _| {
            progress.reached(fraction);
            ControlFlow::Continue(())
        })
    }

    fn analyze_samples(
        &mut self,
        job: JobId,
        samples: &[f32],
        sample_rate_hz: u32,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Analysis, AnalyzeError> {
        let model = self.model()?;
        // A sample that is no number would spread through the filter, where
        // nobody could tell whose fault it was.
        if samples.iter().any(|s| !s.is_finite()) {
            return Err(AnalyzeError::NotFinite);
        }
        let mut resampler = Resampler::new(sample_rate_hz).map_err(DecodeError::from)?;
        let mut progress = Progress::new(job, tell);
        let mut analyzer = Analyzer::new(model, Options::default());
        let mut converted = Vec::new();
        for (i, block) in samples.chunks(BLOCK_SAMPLES).enumerate() {
            converted.clear();
            resampler
                .push(block, &mut converted)
                .map_err(DecodeError::from)?;
            analyzer.push(&converted)?;
            let n_done = i * BLOCK_SAMPLES + block.len();
            progress.reached(n_done as f32 / samples.len() as f32);
        }
        converted.clear();
        resampler
            .finish(&mut converted)
            .map_err(DecodeError::from)?;
        analyzer.push(&converted)?;
        analyzer.finish()
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

fn answered(job: JobId, answer: Result<Analysis, AnalyzeError>) -> Event {
    match answer {
        Ok(analysis) => Event::Done {
            job,
            analysis: Box::new(analysis),
        },
        Err(error) => Event::Failed { job, error },
    }
}

/// Tells progress in steps worth telling.
struct Progress<'t> {
    job: JobId,
    told: f32,
    tell: &'t mut dyn FnMut(Event),
}

impl<'t> Progress<'t> {
    fn new(job: JobId, tell: &'t mut dyn FnMut(Event)) -> Progress<'t> {
        let mut progress = Progress {
            job,
            told: f32::NEG_INFINITY,
            tell,
        };
        progress.reached(0.0);
        progress
    }

    fn reached(&mut self, fraction: f32) {
        let fraction = fraction.clamp(0.0, 1.0);
        if fraction - self.told >= PROGRESS_STEP {
            self.told = fraction;
            (self.tell)(Event::Progress {
                job: self.job,
                fraction,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::features::FeatureConfig;
    use crate::model::calibration::Calibration;
    use crate::model::header::{Architecture, FORMAT_VERSION, TrainingFacts};
    use crate::model::network::Network;
    use crate::model::normalize::Normalizer;
    use crate::model::weights::Precision;
    use crate::model::{Artifact, ModelHeader};
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};

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
        let url = session.receive(start, Audio::None, &mut |e| panic!("said {e:?}"));
        assert_eq!(url.as_deref(), Some("model.safetensors"));
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

    fn ask(session: &mut Session, request: Request, audio: Audio) -> Vec<Event> {
        let mut told = Vec::new();
        let next = session.receive(request, audio, &mut |e| told.push(e));
        assert_eq!(next, None);
        told
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
        let told = ask(&mut Session::default(), request, Audio::File(vec![1]));
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
        let samples = tone(48_000, 3.0);
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
            Audio::File(wav(48_000, &samples)),
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
        let file = Request::AnalyzeFile {
            job: JOB,
            name: "a.wav".into(),
        };
        let samples = |sample_rate_hz| Request::AnalyzeSamples {
            job: JOB,
            sample_rate_hz,
        };
        let kinds = [
            (file.clone(), Audio::File(Vec::new()), "empty-file"),
            (file.clone(), Audio::File(b"words".to_vec()), "not-audio"),
            (
                file.clone(),
                Audio::File(wav(16_000, &[f32::NAN; 99])),
                "not-finite",
            ),
            (file, Audio::None, "internal"),
            (
                samples(16_000),
                Audio::Samples(vec![f32::NAN; 99]),
                "not-finite",
            ),
            (samples(16_000), Audio::Samples(Vec::new()), "no-samples"),
            (
                samples(16_000),
                Audio::Samples(tone(16_000, 0.1)),
                "too-short",
            ),
            (samples(16_000), Audio::Samples(vec![0.0; 16_000]), "silent"),
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
            Audio::Samples(tone(16_000, 1.0)),
        );
        assert!(matches!(told.last(), Some(Event::Done { .. })), "{told:?}");
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
