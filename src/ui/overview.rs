//! A timeline of few enough stretches to draw, however long the recording.

use crate::analysis::{Utterance, Verdict};
use crate::emotion::Scores;

/// Most stretches that are drawn: on a wide screen each is still some pixels
/// wide, and the page stays light.
pub const N_DRAWN: usize = 240;

/// Utterances as they are where they are few; of many, one stretch for each of
/// [`N_DRAWN`] equal parts of the time in which somebody speaks, with the mean
/// scores of what is said in it, weighted by its length. Neighbours with the
/// same leading emotion become one.
pub fn overview(utterances: &[Utterance], duration_s: f64) -> Vec<Utterance> {
    if utterances.len() <= N_DRAWN {
        return utterances.to_vec();
    }
    let part_s = duration_s / N_DRAWN as f64;
    let mut drawn: Vec<Utterance> = Vec::new();
    let mut first = 0;
    for part in 0..N_DRAWN {
        let (start_s, end_s) = (part as f64 * part_s, (part + 1) as f64 * part_s);
        while utterances.get(first).is_some_and(|u| u.end_s <= start_s) {
            first += 1;
        }
        let within: Vec<(Verdict, f32)> = utterances[first..]
            .iter()
            .take_while(|u| u.start_s < end_s)
            .filter_map(|u| {
                let shared_s = u.end_s.min(end_s) - u.start_s.max(start_s);
                Some((u.verdict?, shared_s as f32))
            })
            .collect();
        let Some(verdict) = together(&within) else {
            continue;
        };
        match drawn.last_mut() {
            Some(last) if joins(last, start_s, &verdict) => last.end_s = end_s,
            _ => drawn.push(Utterance {
                start_s,
                end_s,
                verdict: Some(verdict),
            }),
        }
    }
    drawn
}

fn together(within: &[(Verdict, f32)]) -> Option<Verdict> {
    if within.is_empty() {
        return None;
    }
    let scores = Scores::mean(within.iter().map(|(v, weight)| (v.scores, *weight)));
    let (label, confidence) = scores.top();
    let all: f32 = within.iter().map(|(_, weight)| weight).sum();
    let sure: f32 = within.iter().filter(|(v, _)| v.sure).map(|(_, w)| w).sum();
    Some(Verdict {
        scores,
        label,
        confidence,
        sure: sure > all / 2.0,
    })
}

fn joins(last: &Utterance, start_s: f64, verdict: &Verdict) -> bool {
    let alike = last
        .verdict
        .is_some_and(|v| (v.label, v.sure) == (verdict.label, verdict.sure));
    alike && (start_s - last.end_s).abs() < 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

    fn utterance(start_s: f64, end_s: f64, label: Emotion) -> Utterance {
        let mut weights = [0.05; 8];
        weights[label.index()] = 0.65;
        let scores = Scores::from_weights(weights);
        Utterance {
            start_s,
            end_s,
            verdict: Some(Verdict {
                scores,
                label,
                confidence: scores.top().1,
                sure: true,
            }),
        }
    }

    #[test]
    fn few_are_drawn_as_they_are() {
        let few = [
            utterance(0.0, 2.0, Emotion::Sad),
            utterance(2.5, 4.0, Emotion::Sad),
        ];
        assert_eq!(overview(&few, 4.0), few);
    }

    #[test]
    fn three_hours_are_drawn_in_few_stretches_at_their_places() {
        // Sad for an hour, silence for an hour, angry for an hour.
        let mut many = Vec::new();
        for i in 0..1_200 {
            let at = 3.0 * f64::from(i);
            many.push(utterance(at, at + 2.5, Emotion::Sad));
        }
        for i in 0..1_200 {
            let at = 7_200.0 + 3.0 * f64::from(i);
            many.push(utterance(at, at + 2.5, Emotion::Angry));
        }
        let drawn = overview(&many, 10_800.0);
        let found: Vec<_> = drawn
            .iter()
            .map(|u| (u.start_s, u.end_s, u.verdict.map(|v| v.label)))
            .collect();
        assert_eq!(
            found,
            [
                (0.0, 3_600.0, Some(Emotion::Sad)),
                (7_200.0, 10_800.0, Some(Emotion::Angry))
            ]
        );
    }

    #[test]
    fn never_more_than_the_limit_nor_out_of_order() {
        let labels = Emotion::ALL;
        let many: Vec<_> = (0..5_000)
            .map(|i| {
                let at = 2.0 * f64::from(i);
                utterance(at, at + 1.7, labels[(i as usize * 7 / 3) % 8])
            })
            .collect();
        let drawn = overview(&many, 10_000.0);
        assert!(
            drawn.len() <= N_DRAWN && drawn.len() > 50,
            "{}",
            drawn.len()
        );
        assert!(drawn.windows(2).all(|w| w[0].end_s <= w[1].start_s + 1e-6));
    }
}
