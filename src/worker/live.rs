//! A voice followed while it speaks: what the worker does with the blocks that
//! the microphone sends. Knows nothing of the browser.

use crate::analysis::live::{Live, Moment};
use crate::analysis::{AnalyzeError, Options};
use crate::audio::DecodeError;
use crate::audio::resample::Resampler;
use crate::model::EmotionModel;

/// From the microphone's samples to moments.
pub struct Listener {
    sample_rate_hz: u32,
    /// Where the first block starts, seconds from the recording's beginning.
    begin_s: f64,
    resampler: Resampler,
    live: Live,
    converted: Vec<f32>,
    /// Whether there is something new to ask.
    stepped: bool,
}

impl Listener {
    /// Starts to listen to mono samples of this rate.
    ///
    /// # Errors
    /// [`AnalyzeError::UnsupportedRate`]; [`AnalyzeError::Internal`] if the
    /// model cannot follow a stream, or noise cannot be reduced.
    pub fn new(
        model: &EmotionModel,
        sample_rate_hz: u32,
        options: Options,
        smoothing_s: f64,
    ) -> Result<Listener, AnalyzeError> {
        Ok(Listener {
            sample_rate_hz,
            begin_s: 0.0,
            resampler: Resampler::new(sample_rate_hz).map_err(DecodeError::from)?,
            live: Live::new(model, options, smoothing_s)?,
            converted: Vec::new(),
            stepped: false,
        })
    }

    /// The first block starts after so many samples of the recording.
    pub fn begin_at(&mut self, n_samples: f64) {
        self.begin_s = n_samples / f64::from(self.sample_rate_hz);
    }

    /// Changes the time constant of what is shown, seconds.
    pub fn smooth_over(&mut self, smoothing_s: f64) {
        self.live.smooth_over(smoothing_s);
    }

    /// Takes the next block.
    ///
    /// # Errors
    /// As [`Live::push`]; [`AnalyzeError::Internal`] if the resampler fails.
    pub fn hear(&mut self, block: &[f32]) -> Result<(), AnalyzeError> {
        if block.iter().any(|s| !s.is_finite()) {
            return Err(AnalyzeError::NotFinite);
        }
        self.converted.clear();
        self.resampler
            .push(block, &mut self.converted)
            .map_err(DecodeError::from)?;
        self.stepped |= self.live.push(&self.converted)?;
        Ok(())
    }

    /// The newest moment, in the recording's time, if the blocks since the last call completed one.
    ///
    /// # Errors
    /// As [`Live::ask`].
    pub fn moment(&mut self) -> Result<Option<Moment>, AnalyzeError> {
        let stepped = std::mem::take(&mut self.stepped);
        let moment = stepped.then(|| self.live.ask()).transpose()?;
        Ok(moment.map(|moment| Moment {
            at_s: self.begin_s + moment.at_s,
            ..moment
        }))
    }
}
