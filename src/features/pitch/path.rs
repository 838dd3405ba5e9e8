//! The best path through each frame's candidates for its pitch: Boersma 1993,
//! section 4, with the constants of Praat's *To Pitch*.

use super::boersma::{CEILING_HZ, OCTAVE_COST};

/// A pitch that a frame may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Hertz.
    pub f0_hz: f32,
    /// Correlation at that period, `0..=1`.
    pub strength: f32,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Moment {
    /// Pitches it may have, besides none.
    pub candidates: Vec<Candidate>,
    /// Its peak over the recording's, `0..=1`.
    pub level: f32,
}

/// Level below which a frame is rather silent.
const SILENCE: f64 = 0.03;
/// Correlation below which a frame is rather unvoiced.
const VOICING: f64 = 0.45;
/// What an octave's jump in 10 ms costs.
const JUMP_COST: f64 = 0.35;
/// What a change of voicing in 10 ms costs.
const SWITCH_COST: f64 = 0.14;

/// The pitch of each frame, hertz, on the path of greatest worth; `None` where
/// it is unvoiced.
pub(super) fn best_path(moments: &[Moment], step_s: f64) -> Vec<Option<f32>> {
    let pace = 0.01 / step_s;
    let mut from: Vec<Vec<u8>> = Vec::with_capacity(moments.len());
    let mut before: Vec<(Option<f32>, f64)> = Vec::new();
    for moment in moments {
        let mut now = states(moment);
        let mut sources = vec![0; now.len()];
        for ((f0, worth), source) in now.iter_mut().zip(&mut sources) {
            let mut best = None;
            for (i, (earlier, value)) in before.iter().enumerate() {
                let value = value - pace * cost(*earlier, *f0);
                if best.is_none_or(|(_, most)| value > most) {
                    best = Some((i, value));
                }
            }
            if let Some((i, value)) = best {
                *worth += value;
                *source = i as u8;
            }
        }
        from.push(sources);
        before = now;
    }
    let mut at = 0;
    for (i, (_, worth)) in before.iter().enumerate() {
        if *worth > before[at].1 {
            at = i;
        }
    }
    let mut path = vec![None; moments.len()];
    for (t, f0) in path.iter_mut().enumerate().rev() {
        *f0 = (at > 0).then(|| moments[t].candidates[at - 1].f0_hz);
        *f0 = f0.filter(|hz| is_voiced(*hz));
        at = usize::from(from[t][at]);
    }
    path
}

fn is_voiced(f0_hz: f32) -> bool {
    f64::from(f0_hz) < CEILING_HZ
}

/// What a frame may be, unvoiced first, each with its worth.
fn states(moment: &Moment) -> Vec<(Option<f32>, f64)> {
    let quiet = 2.0 - f64::from(moment.level) / (SILENCE / (1.0 + VOICING));
    let unvoiced = VOICING + quiet.max(0.0);
    let mut states = vec![(None, unvoiced)];
    states.extend(moment.candidates.iter().map(|c| {
        if is_voiced(c.f0_hz) {
            let below = (CEILING_HZ / f64::from(c.f0_hz)).log2();
            (Some(c.f0_hz), f64::from(c.strength) - OCTAVE_COST * below)
        } else {
            (None, unvoiced)
        }
    }));
    states
}

fn cost(earlier: Option<f32>, later: Option<f32>) -> f64 {
    match (earlier, later) {
        (None, None) => 0.0,
        (Some(a), Some(b)) => JUMP_COST * f64::from((a / b).log2().abs()),
        _ => SWITCH_COST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_s_octave_error_is_passed_over() {
        let candidate = |f0_hz, strength| Candidate { f0_hz, strength };
        let frame = |candidates: &[Candidate]| Moment {
            candidates: candidates.to_vec(),
            level: 1.0,
        };
        let sure = frame(&[candidate(120.0, 0.9)]);
        let torn = frame(&[candidate(120.0, 0.85), candidate(240.0, 0.9)]);
        let none = frame(&[]);
        let moments = [none.clone(), sure.clone(), torn, sure, none];
        let expected = [None, Some(120.0), Some(120.0), Some(120.0), None];
        assert_eq!(best_path(&moments, 0.01), expected);
        assert!(best_path(&[], 0.01).is_empty());
    }
}
