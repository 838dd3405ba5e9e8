//! One sound under analysis or being cleaned, worked on in short steps, so that
//! whoever works can listen in between.

use super::clean::Cleaner;
use super::protocol::{Event, JobId, Partial, Work};
use crate::analysis::{AnalyzeError, Analyzer};
use crate::audio::{SAMPLE_RATE_HZ, Sound};
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
    /// That was all, and this is the answer, or its last part.
    Done(Event),
}

/// A sound on its way through the analyser or the noise reduction.
pub(super) struct Job {
    id: JobId,
    sound: Box<dyn Sound>,
    stage: Stage,
    block: Vec<f32>,
    told: f32,
}

/// What a sound goes through.
enum Stage {
    Analysis {
        analyzer: Box<Analyzer>,
        /// Utterances that have been told.
        n_told: usize,
    },
    Cleaning(Box<Cleaner>),
}

impl Job {
    /// Starts a job.
    ///
    /// # Errors
    /// [`AnalyzeError::Internal`] if the noise reduction cannot be planned.
    pub fn new(
        id: JobId,
        sound: Box<dyn Sound>,
        work: Work,
        model: &EmotionModel,
    ) -> Result<Job, AnalyzeError> {
        let stage = match work {
            Work::Analyze { options } => Stage::Analysis {
                analyzer: Box::new(Analyzer::new(model, options)),
                n_told: 0,
            },
            Work::Clean => Stage::Cleaning(Box::new(Cleaner::new()?)),
        };
        Ok(Job {
            id,
            sound,
            stage,
            block: Vec::new(),
            told: f32::NEG_INFINITY,
        })
    }

    /// The request's name.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Reads about a second of sound and works on it, and tells how far it is.
    ///
    /// # Errors
    /// As [`Sound::next_block`], [`Analyzer`] and [`Cleaner`]; the job is
    /// then over.
    pub fn step(mut self, tell: &mut dyn FnMut(Event)) -> Result<Step, AnalyzeError> {
        let mut more = true;
        self.block.clear();
        while more && self.block.len() < STEP_SAMPLES {
            more = self.sound.next_block(&mut self.block)?;
        }
        match &mut self.stage {
            Stage::Analysis { analyzer, .. } => analyzer.push(&self.block)?,
            Stage::Cleaning(cleaner) => {
                if let Some(samples) = cleaner.push(&self.block)? {
                    tell(Event::Cleaned {
                        job: self.id,
                        samples,
                        last: false,
                    });
                }
            }
        }
        if more {
            self.tell_progress(tell);
            return Ok(Step::More(Box::new(self)));
        }
        self.finish().map(Step::Done)
    }

    /// The end of the answer.
    fn finish(self) -> Result<Event, AnalyzeError> {
        match self.stage {
            Stage::Analysis { analyzer, .. } => {
                let mut analysis = analyzer.finish()?;
                analysis.cut_short(self.sound.truncation());
                Ok(Event::Done {
                    job: self.id,
                    analysis: Box::new(analysis),
                })
            }
            Stage::Cleaning(cleaner) => Ok(Event::Cleaned {
                job: self.id,
                samples: cleaner.finish()?,
                last: true,
            }),
        }
    }

    fn tell_progress(&mut self, tell: &mut dyn FnMut(Event)) {
        let fraction = self.sound.fraction().unwrap_or(0.0).clamp(0.0, 1.0);
        if fraction - self.told < PROGRESS_STEP {
            return;
        }
        self.told = fraction;
        tell(Event::Progress {
            job: self.id,
            fraction,
        });
        let Stage::Analysis { analyzer, n_told } = &mut self.stage else {
            return;
        };
        let heard_s = analyzer.heard_s();
        let duration_s = self.sound.expected_s();
        if duration_s.unwrap_or(heard_s).max(heard_s) < PARTIAL_FROM_S {
            return;
        }
        let utterances = &analyzer.utterances()[*n_told..];
        *n_told += utterances.len();
        tell(Event::Partial {
            job: self.id,
            partial: Box::new(Partial {
                heard_s,
                duration_s,
                utterances: utterances.to_vec(),
                verdict: analyzer.so_far(),
                waveform: analyzer.waveform(),
            }),
        });
    }
}
