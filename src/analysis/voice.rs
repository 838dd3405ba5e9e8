//! Learning a speaker's voice from recordings of it.

use super::speech::{Heard, MAX_SPAN_S, stretches};
use super::{AnalyzeError, MINIMUM_S};
use crate::audio::{Clip, SAMPLE_RATE_HZ};
use crate::model::EmotionModel;
use crate::model::baseline::Baseline;

/// Adds a recording's utterances to what is known of its speaker. A recording
/// that would be judged as one utterance is one here too.
///
/// # Errors
/// [`AnalyzeError::NoSpeech`] if nobody speaks for long enough;
/// [`AnalyzeError::NotFinite`]; [`AnalyzeError::Internal`] if the model fails.
pub fn learn(
    model: &mut EmotionModel,
    clip: &Clip,
    baseline: &mut Baseline,
) -> Result<(), AnalyzeError> {
    let samples = clip.samples();
    if samples.iter().any(|s| !s.is_finite()) {
        return Err(AnalyzeError::NotFinite);
    }
    let duration_s = clip.duration_s();
    let spans = stretches(samples);
    let Some(heard) = Heard::of(&spans, samples.len()) else {
        return Err(AnalyzeError::NoSpeech { duration_s });
    };
    let failed = |e: crate::model::ModelError| AnalyzeError::Internal {
        reason: e.to_string(),
    };
    if duration_s <= MAX_SPAN_S {
        let frames = model.encode(&samples[heard.all.clone()]).map_err(failed)?;
        let spoken = model.frames_of(&frames, &heard.spoken, heard.all.start);
        let columns = model.columns_of_recording(&frames, spoken);
        baseline.add(columns.map_err(failed)?);
        return Ok(());
    }
    for span in spans {
        if span.len() as f64 / f64::from(SAMPLE_RATE_HZ) < MINIMUM_S {
            continue;
        }
        let frames = model.encode(&samples[span]).map_err(failed)?;
        let columns = model.columns(&frames, 0..frames.n_frames());
        baseline.add(columns.map_err(failed)?);
    }
    Ok(())
}
