//! The likeliest path of pitch through a recording.

/// Width of a step in pitch and chance of a change of voicing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// Pitch bins in all.
    pub n_bins: usize,
    /// Most bins that pitch moves within a frame, either way; less is
    /// likelier, in a triangle.
    pub reach: usize,
    /// Probability that voicing begins or ends from a frame to the next.
    pub switch: f64,
}

/// What stands for the logarithm of nothing: that of the smallest `f64`, which
/// `librosa.sequence.viterbi` adds to every probability.
fn log_of(probability: f64) -> f64 {
    (probability + f64::MIN_POSITIVE).ln()
}

/// The path of greatest probability through `frames`, each a list of voiced
/// bins with their probability and the probability of every unvoiced bin;
/// gives the bin where voiced. `librosa.sequence.viterbi` with the transitions
/// of `librosa.pyin`: a state is a bin, voiced or not.
pub(super) fn path<'a>(
    frames: impl ExactSizeIterator<Item = (&'a [(usize, f64)], f64)>,
    steps: Steps,
) -> Vec<Option<usize>> {
    let n = steps.n_bins;
    let n_frames = frames.len();
    let weights: Vec<f64> = (0..=steps.reach)
        .map(|d| (1.0 - d as f64 / (steps.reach + 1) as f64).ln())
        .collect();
    let row_logs = row_logs(steps);
    let (stay, switch) = ((1.0 - steps.switch).ln(), steps.switch.ln());
    let mut values = vec![log_of(1.0 / (2 * n) as f64); 2 * n];
    let mut from = vec![0u16; n_frames * 2 * n];
    let mut voiced = Best::new(n);
    let mut unvoiced = Best::new(n);
    for (t, (observed, nothing)) in frames.enumerate() {
        if t > 0 {
            let anywhere = first_maximum(&values);
            let leap = values[anywhere] + log_of(0.0);
            voiced.reach(&values[..n], &row_logs, &weights);
            unvoiced.reach(&values[n..], &row_logs, &weights);
            for state in 0..2 * n {
                let (bin, is_voiced) = (state % n, state < n);
                let (of_voiced, of_unvoiced) = if is_voiced {
                    (stay, switch)
                } else {
                    (switch, stay)
                };
                let mut best = (voiced.values[bin] + of_voiced, voiced.bins[bin] as usize);
                let other = unvoiced.values[bin] + of_unvoiced;
                if other > best.0 {
                    best = (other, n + unvoiced.bins[bin] as usize);
                }
                if leap > best.0 {
                    best = (leap, anywhere);
                }
                values[state] = best.0;
                from[t * 2 * n + state] = best.1 as u16;
            }
        }
        let (nothing, silent) = (log_of(nothing), log_of(0.0));
        let before: Vec<f64> = observed.iter().map(|(bin, _)| values[*bin]).collect();
        values[..n].iter_mut().for_each(|v| *v += silent);
        values[n..].iter_mut().for_each(|v| *v += nothing);
        for ((bin, probability), value) in observed.iter().zip(before) {
            values[*bin] = value + log_of(*probability);
        }
    }
    let mut bins = vec![None; n_frames];
    let mut state = first_maximum(&values);
    for (t, bin) in bins.iter_mut().enumerate().rev() {
        *bin = (state < n).then_some(state);
        state = usize::from(from[t * 2 * n + state]);
    }
    bins
}

/// Logarithm of each row's sum of triangle weights, which the ends of the
/// range cut short: `librosa.sequence.transition_local(wrap=False)`.
fn row_logs(steps: Steps) -> Vec<f64> {
    let weight = |d: usize| 1.0 - d as f64 / (steps.reach + 1) as f64;
    (0..steps.n_bins)
        .map(|i| {
            let low = i.saturating_sub(steps.reach);
            let high = (i + steps.reach).min(steps.n_bins - 1);
            (low..=high)
                .map(|j| weight(i.abs_diff(j)))
                .sum::<f64>()
                .ln()
        })
        .collect()
}

fn first_maximum(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}

/// For every bin, the best way to it from the bins within reach.
struct Best {
    values: Vec<f64>,
    bins: Vec<u16>,
    leaving: Vec<f64>,
}

impl Best {
    fn new(n_bins: usize) -> Best {
        Best {
            values: vec![0.0; n_bins],
            bins: vec![0; n_bins],
            leaving: vec![0.0; n_bins],
        }
    }

    fn reach(&mut self, values: &[f64], row_logs: &[f64], weights: &[f64]) {
        let n = values.len();
        for ((leaving, v), row) in self.leaving.iter_mut().zip(values).zip(row_logs) {
            *leaving = v - row;
        }
        self.values.fill(f64::NEG_INFINITY);
        let reach = weights.len() as isize - 1;
        // The lowest source first, so that it wins a tie.
        for step in -reach..=reach {
            let weight = weights[step.unsigned_abs()];
            let first = step.min(0).unsigned_abs().min(n);
            let end = n - (step.max(0) as usize).min(n);
            for bin in first..end {
                let source = (bin as isize + step) as usize;
                let value = self.leaving[source] + weight;
                if value > self.values[bin] {
                    self.values[bin] = value;
                    self.bins[bin] = source as u16;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_doubt_does_not_break_the_voice() {
        let steps = Steps {
            n_bins: 50,
            reach: 5,
            switch: 0.01,
        };
        let sure = [(20, 0.9)];
        let doubtful = [(21, 0.3), (45, 0.35)];
        let frames: Vec<(&[(usize, f64)], f64)> = vec![
            (&[], 1.0 / 50.0),
            (&[], 1.0 / 50.0),
            (&sure, 0.1 / 50.0),
            (&doubtful, 0.35 / 50.0),
            (&sure, 0.1 / 50.0),
            (&[], 1.0 / 50.0),
            (&[], 1.0 / 50.0),
        ];
        let expected = [None, None, Some(20), Some(21), Some(20), None, None];
        assert_eq!(path(frames.into_iter(), steps), expected);
        assert!(path(Vec::new().into_iter(), steps).is_empty());
    }
}
