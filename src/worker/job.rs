//! One sound under analysis, worked on in short steps, so that whoever works
//! can listen in between.

use super::protocol::{Event, JobId, Partial};
use crate::analysis::{Analysis, AnalyzeError, Analyzer, Notice, Options};
use crate::audio::decode::Truncation;
use crate::audio::{SAMPLE_RATE_HZ, SoundReader};
use crate::model::EmotionModel;

/// Audio read in a step, samples at 16 kHz: a second. The analyser may have
/// some seconds to judge at its end, so this bounds what is read, not the time.
const STEP_SAMPLES: usize = SAMPLE_RATE_HZ as usize;

/// Progress is told when it has grown by this much: a message for every
/// packet of a long file would only keep the page busy.
const PROGRESS_STEP: f32 = 0.01;

/// Recordings shorter than this are over before anybody could read a part of
/// their answer, seconds.
const PARTIAL_FROM_S: f64 = 20.0;

/// How far a job is after a step.
pub(super) enum Step {
    /// There is more to do.
    More(Box<Job>),
    /// That was all, and this is the answer.
    Done(Box<Analysis>),
}

/// A sound on its way through the analyser.
pub(super) struct Job {
    id: JobId,
    reader: SoundReader,
    analyzer: Analyzer,
    block: Vec<f32>,
    told: f32,
    n_told: usize,
}

impl Job {
    /// Starts a job.
    pub fn new(id: JobId, reader: SoundReader, model: &EmotionModel) -> Job {
        Job {
            id,
            reader,
            analyzer: Analyzer::new(model, Options::default()),
            block: Vec::new(),
            told: f32::NEG_INFINITY,
            n_told: 0,
        }
    }

    /// The request's name.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Reads and analyses about a second of sound, and tells how far it is.
    ///
    /// # Errors
    /// As [`Analyzer::push`] and [`Analyzer::finish`]; the job is then over.
    pub fn step(mut self, tell: &mut dyn FnMut(Event)) -> Result<Step, AnalyzeError> {
        let mut more = true;
        self.block.clear();
        while more && self.block.len() < STEP_SAMPLES {
            more = self.reader.next_block(&mut self.block)?;
        }
        self.analyzer.push(&self.block)?;
        if more {
            self.tell_progress(tell);
            return Ok(Step::More(Box::new(self)));
        }
        let mut analysis = self.analyzer.finish()?;
        if let Some(Truncation { read_s, expected_s }) = self.reader.truncation() {
            let notice = Notice::Truncated { read_s, expected_s };
            analysis.notices.push(notice);
        }
        Ok(Step::Done(Box::new(analysis)))
    }

    fn tell_progress(&mut self, tell: &mut dyn FnMut(Event)) {
        let fraction = self.reader.fraction().unwrap_or(0.0).clamp(0.0, 1.0);
        if fraction - self.told < PROGRESS_STEP {
            return;
        }
        self.told = fraction;
        tell(Event::Progress {
            job: self.id,
            fraction,
        });
        let heard_s = self.analyzer.heard_s();
        let duration_s = self.reader.expected_s();
        if duration_s.unwrap_or(heard_s).max(heard_s) < PARTIAL_FROM_S {
            return;
        }
        let utterances = &self.analyzer.utterances()[self.n_told..];
        self.n_told += utterances.len();
        tell(Event::Partial {
            job: self.id,
            partial: Box::new(Partial {
                heard_s,
                duration_s,
                utterances: utterances.to_vec(),
                verdict: self.analyzer.so_far(),
                waveform: self.analyzer.waveform(),
            }),
        });
    }
}
