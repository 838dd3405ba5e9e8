//! The staircase's last step: samples in, [`Analysis`] out, in memory that
//! grows with the number of utterances alone.

use super::speech::{Heard, MAX_SPAN_S, SpeechDetector};
use super::waveform::Outline;
use super::{
    Analysis, AnalyzeError, Notice, Options, Utterance, Verdict, Waveform, Window, samples_of,
};
use crate::audio::{Clip, ClipReader, Denoiser, SAMPLE_RATE_HZ};
use crate::emotion::Scores;
use crate::features::FeatureMatrix;
use crate::model::{EmotionModel, Prediction};
use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

/// Shortest stretch of speech that is judged, seconds. A syllable lasts about
/// 0.2 s; a half-second holds two or three and some melody.
pub const MINIMUM_S: f64 = 0.5;

/// A recording whose peak lies below this holds no voice, decibels relative
/// to full scale. A quiet room recorded with 16 bits peaks near −60 dBFS.
pub const SILENCE_DBFS: f32 = -60.0;

/// Length of a window, seconds: a short phrase.
const WINDOW_S: f64 = 2.0;

/// Step between windows, seconds.
const STEP_S: f64 = 0.5;

/// Mean novelty of what is said above which a reader is told. Of speakers that the model
/// never heard, from corpora that it knows, one in forty lies beyond; where the whole corpus
/// is strange, one in three, and nine in ten of other rooms (`docs/experiments.md`).
const UNFAMILIAR: f64 = 2.0;

fn seconds_of(sample: usize) -> f64 {
    sample as f64 / f64::from(SAMPLE_RATE_HZ)
}

fn internal(error: impl std::fmt::Display) -> AnalyzeError {
    AnalyzeError::Internal {
        reason: error.to_string(),
    }
}

/// Collects a recording piece by piece and judges each utterance when it has
/// ended. Every second of speech is encoded once.
pub struct Analyzer {
    /// A clone of its own: the weights are shared, and whoever works on several
    /// sounds in turn needs no loan.
    model: EmotionModel,
    options: Options,
    /// Planned with the first samples, where noise is to be reduced.
    denoiser: Option<Denoiser>,
    detector: SpeechDetector,
    /// Samples that an utterance not yet judged may need.
    pending: Vec<f32>,
    /// Where `pending` starts, samples from the beginning.
    start: usize,
    /// Utterances found and not yet judged: a recording that turns out to be
    /// no longer than [`MAX_SPAN_S`] is encoded as a whole.
    found: VecDeque<Range<usize>>,
    utterances: Vec<Utterance>,
    windows: Vec<Window>,
    outline: Outline,
    peak: f32,
    n_samples: usize,
    /// How much speech was judged, seconds.
    judged_s: f64,
    /// The novelty of each second of it, added up.
    novelty: f64,
}

impl Analyzer {
    /// Starts a recording.
    pub fn new(model: &EmotionModel, options: Options) -> Analyzer {
        Analyzer {
            model: model.clone(),
            options,
            denoiser: None,
            detector: SpeechDetector::new(),
            pending: Vec::new(),
            start: 0,
            found: VecDeque::new(),
            utterances: Vec::new(),
            windows: Vec::new(),
            outline: Outline::default(),
            peak: 0.0,
            n_samples: 0,
            judged_s: 0.0,
            novelty: 0.0,
        }
    }

    /// The utterances judged so far, in order of time; those that are there
    /// stay as they are. The first come once the recording is longer than
    /// [`MAX_SPAN_S`].
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// The windows of these utterances, in order of time.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The outline of what has been heard.
    pub fn waveform(&self) -> Waveform {
        self.outline.waveform()
    }

    /// How much has been heard, seconds.
    pub fn heard_s(&self) -> f64 {
        seconds_of(self.n_samples)
    }

    /// What the utterances judged so far carry together; `None` before the
    /// first verdict.
    pub fn so_far(&self) -> Option<Verdict> {
        self.judged().next()?;
        Some(self.verdict(Scores::mean(self.judged())))
    }

    /// The scores of every verdict and the utterance's length, seconds.
    fn judged(&self) -> impl Iterator<Item = (Scores, f32)> {
        let weigh = |u: &Utterance| Some((u.verdict?.scores, (u.end_s - u.start_s) as f32));
        self.utterances.iter().filter_map(weigh)
    }

    /// Takes the next samples, mono at 16 kHz.
    ///
    /// # Errors
    /// [`AnalyzeError::NotFinite`]; [`AnalyzeError::Internal`] if the model fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<(), AnalyzeError> {
        if samples.iter().any(|s| !s.is_finite()) {
            return Err(AnalyzeError::NotFinite);
        }
        self.peak = samples.iter().fold(self.peak, |p, s| p.max(s.abs()));
        if !self.options.denoise {
            return self.hear(samples);
        }
        let mut denoiser = match self.denoiser.take() {
            Some(denoiser) => denoiser,
            None => Denoiser::new().map_err(internal)?,
        };
        let mut cleaned = Vec::with_capacity(samples.len());
        denoiser.push(samples, &mut cleaned).map_err(internal)?;
        self.denoiser = Some(denoiser);
        self.hear(&cleaned)
    }

    /// Takes what is to be judged.
    fn hear(&mut self, samples: &[f32]) -> Result<(), AnalyzeError> {
        self.n_samples += samples.len();
        self.outline.push(samples);
        self.pending.extend_from_slice(samples);
        let mut spans = Vec::new();
        self.detector.push(samples, &mut spans);
        self.found.extend(spans);
        if self.n_samples > samples_of(MAX_SPAN_S) {
            self.judge_found()?;
            self.forget();
        }
        Ok(())
    }

    /// Drops the samples that no utterance can need any more.
    fn forget(&mut self) {
        let needed_from = self.detector.undecided_from().min(self.n_samples);
        // Moving what is left to the front costs less when done rarely.
        if needed_from > self.start + samples_of(MAX_SPAN_S) {
            self.pending.drain(..needed_from - self.start);
            self.start = needed_from;
        }
    }

    /// Encodes and judges each utterance by itself.
    fn judge_found(&mut self) -> Result<(), AnalyzeError> {
        while let Some(span) = self.found.pop_front() {
            let samples = &self.pending[span.start - self.start..span.end - self.start];
            let frames = if samples.len() < samples_of(MINIMUM_S) {
                FeatureMatrix::new(1)
            } else {
                self.model.encode(samples).map_err(internal)?
            };
            self.judge(span.clone(), &frames, span.start)?;
        }
        Ok(())
    }

    /// Judges an utterance and its windows; the frames begin at the sample
    /// `origin`.
    fn judge(
        &mut self,
        span: Range<usize>,
        frames: &FeatureMatrix,
        origin: usize,
    ) -> Result<(), AnalyzeError> {
        let mut verdict = None;
        if span.len() >= samples_of(MINIMUM_S) {
            for window in windows_of(&span) {
                let scores = self.predict(frames, &window, origin)?.scores;
                self.windows.push(Window {
                    start_s: seconds_of(window.start),
                    end_s: seconds_of(window.end),
                    scores,
                });
            }
            let prediction = self.predict(frames, &span, origin)?;
            self.judged_s += seconds_of(span.len());
            self.novelty += f64::from(prediction.novelty) * seconds_of(span.len());
            verdict = Some(self.verdict(prediction.scores));
        }
        self.utterances.push(Utterance {
            start_s: seconds_of(span.start),
            end_s: seconds_of(span.end),
            verdict,
        });
        Ok(())
    }

    fn predict(
        &self,
        frames: &FeatureMatrix,
        span: &Range<usize>,
        origin: usize,
    ) -> Result<Prediction, AnalyzeError> {
        let range = self.model.frames_of(frames, span, origin);
        self.model.predict(frames, range).map_err(internal)
    }

    fn verdict(&self, scores: Scores) -> Verdict {
        let (label, confidence) = scores.top();
        Verdict {
            scores,
            label,
            confidence,
            sure: self.model.header().calibration.is_sure(&scores),
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// [`AnalyzeError::NoSamples`], [`AnalyzeError::Silent`],
    /// [`AnalyzeError::NoSpeech`], [`AnalyzeError::TooShort`];
    /// [`AnalyzeError::Internal`] if the model fails.
    pub fn finish(mut self) -> Result<Analysis, AnalyzeError> {
        if let Some(denoiser) = self.denoiser.take() {
            let mut rest = Vec::new();
            denoiser.finish(&mut rest).map_err(internal)?;
            self.hear(&rest)?;
        }
        if self.n_samples == 0 {
            return Err(AnalyzeError::NoSamples);
        }
        let duration_s = self.heard_s();
        let too_short = |duration_s| AnalyzeError::TooShort {
            duration_s,
            minimum_s: MINIMUM_S,
        };
        if duration_s < MINIMUM_S {
            return Err(too_short(duration_s));
        }
        let peak_db = 20.0 * self.peak.max(1e-10).log10();
        if peak_db < SILENCE_DBFS {
            return Err(AnalyzeError::Silent { peak_db });
        }
        let mut spans = Vec::new();
        self.detector.finish(&mut spans);
        self.found.extend(spans);
        let scores = if self.n_samples > samples_of(MAX_SPAN_S) {
            self.judge_found()?;
            None
        } else if let Some(heard) = Heard::of(self.found.make_contiguous(), self.n_samples) {
            Some(self.judge_whole(&heard)?)
        } else {
            while let Some(span) = self.found.pop_front() {
                self.judge(span.clone(), &FeatureMatrix::new(1), span.start)?;
            }
            None
        };
        if self.judged().next().is_none() {
            let longest_s = |longest: f64, u: &Utterance| longest.max(u.end_s - u.start_s);
            return Err(if self.utterances.is_empty() {
                AnalyzeError::NoSpeech { duration_s }
            } else {
                too_short(self.utterances.iter().fold(0.0, longest_s))
            });
        }
        let scores = scores.unwrap_or_else(|| Scores::mean(self.judged()));
        let Verdict {
            label,
            confidence,
            sure,
            ..
        } = self.verdict(scores);
        let strange = self.novelty > UNFAMILIAR * self.judged_s;
        Ok(Analysis {
            duration_s,
            scores,
            label,
            confidence,
            sure,
            utterances: self.utterances,
            windows: self.windows,
            waveform: self.outline.finish(),
            model: self.model.header().name.clone(),
            options: self.options,
            notices: strange.then_some(Notice::Unfamiliar).into_iter().collect(),
        })
    }

    /// Judges a recording of at most [`MAX_SPAN_S`] as the model was trained
    /// to hear it, as one but for long silence at its ends, and the utterances
    /// within it.
    fn judge_whole(&mut self, heard: &Heard) -> Result<Scores, AnalyzeError> {
        let frames = self.model.encode(&self.pending[heard.all.clone()]);
        let frames = frames.map_err(internal)?;
        let origin = heard.all.start;
        while let Some(span) = self.found.pop_front() {
            self.judge(span, &frames, origin)?;
        }
        let spoken = self.model.frames_of(&frames, &heard.spoken, origin);
        let prediction = self.model.predict_recording(&frames, spoken);
        Ok(prediction.map_err(internal)?.scores)
    }
}

/// Windows over a stretch: the last reaches its end, and one that is shorter
/// than a window is one.
fn windows_of(span: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, end) = (span.start, span.end);
    let room = (end - start).saturating_sub(samples_of(WINDOW_S));
    let n_steps = room.div_ceil(samples_of(STEP_S));
    (0..=n_steps).map(move |i| {
        let from = start + (i * samples_of(STEP_S)).min(room);
        from..(from + samples_of(WINDOW_S)).min(end)
    })
}

/// Analyses a clip that is already in memory.
///
/// # Errors
/// As [`Analyzer::push`] and [`Analyzer::finish`].
pub fn analyze(
    model: &EmotionModel,
    clip: &Clip,
    options: Options,
) -> Result<Analysis, AnalyzeError> {
    let mut analyzer = Analyzer::new(model, options);
    analyzer.push(clip.samples())?;
    analyzer.finish()
}

/// Decodes and analyses a file as one stream. After every packet `progress`
/// hears the fraction read, `0..=1`, sees what has been found so far, and may
/// break off.
///
/// # Errors
/// As [`ClipReader`] and [`Analyzer`]; [`AnalyzeError::Cancelled`] if
/// `progress` broke off.
pub fn analyze_stream(
    model: &EmotionModel,
    mut reader: ClipReader,
    options: Options,
    mut progress: impl FnMut(f32, &Analyzer) -> ControlFlow<()>,
) -> Result<Analysis, AnalyzeError> {
    let mut analyzer = Analyzer::new(model, options);
    let mut block = Vec::new();
    let mut more = true;
    while more {
        block.clear();
        more = reader.next_block(&mut block)?;
        analyzer.push(&block)?;
        if progress(reader.fraction().unwrap_or(0.0), &analyzer).is_break() {
            return Err(AnalyzeError::Cancelled);
        }
    }
    let mut analysis = analyzer.finish()?;
    analysis.cut_short(reader.truncation());
    Ok(analysis)
}
