//! Learning a speaker's voice from recordings of it.

use super::speech::{MAX_SPAN_S, SpeechDetector};
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
    let rate = f64::from(SAMPLE_RATE_HZ);
    let mut detector = SpeechDetector::new();
    let mut spans = Vec::new();
    detector.push(samples, &mut spans);
    detector.finish(&mut spans);
    spans.retain(|span| span.len() as f64 / rate >= MINIMUM_S);
    if spans.is_empty() {
        return Err(AnalyzeError::NoSpeech {
            duration_s: samples.len() as f64 / rate,
        });
    }
    if samples.len() as f64 / rate <= MAX_SPAN_S {
        spans.truncate(1);
        spans[0] = 0..samples.len();
    }
    let failed = |e: crate::model::ModelError| AnalyzeError::Internal {
        reason: e.to_string(),
    };
    for span in spans {
        let frames = model.encode(&samples[span]).map_err(failed)?;
        let columns = model.columns(&frames, 0..frames.n_frames());
        baseline.add(columns.map_err(failed)?);
    }
    Ok(())
}
