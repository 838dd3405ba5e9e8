//! The likeliest path of pitch, found a fixed number of frames behind.

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
const NOTHING: f32 = -708.396_4;
/// Bins taken at once, so that a vector unit can take them.
const N_BLOCK: usize = 16;

/// Viterbi's algorithm as `librosa.pyin` runs it, `librosa.sequence.viterbi`
/// over [`Steps`], but that a frame is decided when `lag` more have come, by
/// the likeliest path so far, and that the end of the recording is not awaited.
///
/// A state is a bin, voiced or not: voiced ones count from 0, unvoiced ones
/// from `n_bins`. A voiced bin that a frame does not name is not passed
/// through. No allocation after planning.
#[derive(Clone, Debug)]
pub(super) struct Viterbi {
    n_bins: usize,
    reach: usize,
    lag: usize,
    /// Logarithm of each row's sum of weights.
    row_logs: Vec<f32>,
    /// Logarithms of the weights of moving by `−reach..=reach`.
    weights: Vec<f32>,
    stay: f32,
    switch: f32,
    /// Frames seen.
    n_frames: usize,
    /// The last `lag + 2` frames, by frame number modulo their count.
    frames: Vec<Frame>,
    /// The best way to each bin from the frame before's voiced bins, after
    /// `reach` bins that do not exist.
    from_voiced: Vec<f32>,
    /// And from its unvoiced bins, with nothing before.
    from_unvoiced: Vec<f32>,
}

/// What is kept of a frame. Scores are relative to the best state's, and after
/// `reach` bins that do not exist.
#[derive(Clone, Debug)]
struct Frame {
    /// Score of leaving each bin by any one step, voiced.
    voiced: Vec<f32>,
    /// And unvoiced.
    unvoiced: Vec<f32>,
    /// The voiced bins that were named.
    named: Vec<usize>,
    /// The best state.
    best: usize,
    /// The state on the likeliest path.
    on_path: usize,
}

impl Viterbi {
    /// Plans for frames that name at most `n_named` bins each.
    pub fn new(steps: Steps, lag: usize, n_named: usize) -> Viterbi {
        let Steps { n_bins, reach, .. } = steps;
        let weight = |d: usize| 1.0 - d as f64 / (reach + 1) as f64;
        let n_padded = n_bins.next_multiple_of(N_BLOCK) + 2 * reach;
        let frame = Frame {
            voiced: vec![f32::NEG_INFINITY; n_padded],
            unvoiced: vec![f32::NEG_INFINITY; n_padded],
            named: Vec::with_capacity(n_named),
            best: 0,
            on_path: 0,
        };
        Viterbi {
            n_bins,
            reach,
            lag,
            row_logs: row_logs(n_bins, reach, weight),
            weights: (0..=2 * reach)
                .map(|d| weight(d.abs_diff(reach)).ln() as f32)
                .collect(),
            stay: (1.0 - steps.switch).ln() as f32,
            switch: steps.switch.ln() as f32,
            n_frames: 0,
            // Not `vec!`, whose clones would not keep the room for names.
            frames: (0..lag + 2)
                .map(|_| Frame {
                    named: Vec::with_capacity(n_named),
                    ..frame.clone()
                })
                .collect(),
            from_voiced: vec![0.0; n_padded],
            from_unvoiced: vec![0.0; n_padded],
        }
    }

    /// Forgets every frame.
    pub fn reset(&mut self) {
        self.n_frames = 0;
    }

    /// Takes the next frame: its voiced bins, each at most once, with their
    /// probability, and the probability of every unvoiced bin.
    pub fn push(&mut self, voiced: impl Iterator<Item = (usize, f64)>, unvoiced: f64) {
        let t = self.n_frames;
        self.step();
        let (n, reach, size) = (self.n_bins, self.reach, self.frames.len());
        let frame = &mut self.frames[t % size];
        let (stay, switch) = (self.stay, self.switch);
        let nothing = log_of(unvoiced);
        let mut best = f32::NEG_INFINITY;
        let ways = self.from_voiced[reach..].iter().zip(&self.from_unvoiced);
        for (score, (v, u)) in frame.unvoiced[reach..reach + n].iter_mut().zip(ways) {
            *score = higher(higher(v + switch, u + stay), NOTHING) + nothing;
            best = higher(best, *score);
        }
        for bin in frame.named.drain(..) {
            frame.voiced[reach + bin] = f32::NEG_INFINITY;
        }
        let mut best_voiced = (f32::NEG_INFINITY, 0);
        for (bin, probability) in voiced {
            let (v, u) = (self.from_voiced[reach + bin], self.from_unvoiced[bin]);
            let score = higher(higher(v + stay, u + switch), NOTHING) + log_of(probability);
            frame.voiced[reach + bin] = score;
            frame.named.push(bin);
            if score > best_voiced.0 || (score == best_voiced.0 && bin < best_voiced.1) {
                best_voiced = (score, bin);
            }
        }
        let unvoiced = &mut frame.unvoiced[reach..reach + n];
        frame.best = if best_voiced.0 >= best {
            best_voiced.1
        } else {
            n + unvoiced.iter().position(|s| *s == best).unwrap_or(0)
        };
        best = higher(best, best_voiced.0);
        for (score, row) in unvoiced.iter_mut().zip(&self.row_logs) {
            *score -= best + row;
        }
        for bin in &frame.named {
            frame.voiced[reach + bin] -= best + self.row_logs[*bin];
        }
        self.n_frames += 1;
        self.trace();
    }

    /// Finds the best ways from the last frame to each bin of the next.
    fn step(&mut self) {
        let (from_voiced, from_unvoiced) = (&mut self.from_voiced, &mut self.from_unvoiced);
        if self.n_frames == 0 {
            from_voiced.fill(0.0);
            from_unvoiced.fill(0.0);
            return;
        }
        let before = &self.frames[(self.n_frames - 1) % self.frames.len()];
        from_voiced.fill(f32::NEG_INFINITY);
        for bin in &before.named {
            let score = before.voiced[self.reach + bin];
            let ways = from_voiced[*bin..].iter_mut();
            for (way, weight) in ways.zip(&self.weights) {
                *way = higher(*way, score + weight);
            }
        }
        let blocks =
            from_unvoiced[..self.n_bins.next_multiple_of(N_BLOCK)].chunks_exact_mut(N_BLOCK);
        for (i, block) in blocks.enumerate() {
            let mut ways = [f32::NEG_INFINITY; N_BLOCK];
            for (scores, weight) in before.unvoiced[i * N_BLOCK..]
                .windows(N_BLOCK)
                .zip(&self.weights)
            {
                for (way, score) in ways.iter_mut().zip(scores) {
                    *way = higher(*way, score + weight);
                }
            }
            block.copy_from_slice(&ways);
        }
    }

    /// Follows the likeliest path back from the last frame, as far as it may
    /// still change.
    fn trace(&mut self) {
        let (size, last) = (self.frames.len(), self.n_frames - 1);
        let first = last.saturating_sub(self.lag);
        let mut state = self.frames[last % size].best;
        for t in (first..=last).rev() {
            let on_path = &mut self.frames[t % size].on_path;
            if t < last && *on_path == state {
                break; // From here on it is the path that it was.
            }
            *on_path = state;
            if t > first {
                state = self.source(t - 1, state);
            }
        }
    }

    /// The state of frame `t` from which the next frame's `state` is best
    /// reached; the first of several.
    fn source(&self, t: usize, state: usize) -> usize {
        let frame = &self.frames[t % self.frames.len()];
        let (bin, of_voiced, of_unvoiced) = if state < self.n_bins {
            (state, self.stay, self.switch)
        } else {
            (state - self.n_bins, self.switch, self.stay)
        };
        let mut best = (NOTHING, frame.best);
        let kinds = [
            (&frame.voiced, of_voiced, 0),
            (&frame.unvoiced, of_unvoiced, self.n_bins),
        ];
        for (scores, of_kind, first) in kinds {
            for (d, (score, weight)) in scores[bin..].iter().zip(&self.weights).enumerate() {
                let way = score + weight + of_kind;
                if way > best.0 {
                    best = (way, first + bin + d - self.reach);
                }
            }
        }
        best.1
    }

    /// The bin of frame `t` on the likeliest path; `None` where unvoiced. Only
    /// the last `lag + 1` frames are known, and the oldest of them is final.
    pub fn bin(&self, t: usize) -> Option<usize> {
        let state = self.frames[t % self.frames.len()].on_path;
        (state < self.n_bins).then_some(state)
    }
}

/// The greater of two that are no NaN, in one instruction.
fn higher(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn log_of(probability: f64) -> f32 {
    (probability + f64::MIN_POSITIVE).ln() as f32
}

/// Logarithm of each row's sum of triangle weights, which the ends of the
/// range cut short: `librosa.sequence.transition_local(wrap=False)`.
fn row_logs(n_bins: usize, reach: usize, weight: impl Fn(usize) -> f64) -> Vec<f32> {
    (0..n_bins)
        .map(|i| {
            let low = i.saturating_sub(reach);
            let high = (i + reach).min(n_bins - 1);
            let sum: f64 = (low..=high).map(|j| weight(i.abs_diff(j))).sum();
            sum.ln() as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: Steps = Steps {
        n_bins: 50,
        reach: 5,
        switch: 0.01,
    };

    type Named = Vec<(usize, f64)>;

    fn decide(frames: &[(Named, f64)], lag: usize) -> Vec<Option<usize>> {
        let mut viterbi = Viterbi::new(STEPS, lag, 50);
        let mut bins = Vec::new();
        for (t, (voiced, unvoiced)) in frames.iter().enumerate() {
            viterbi.push(voiced.iter().copied(), *unvoiced);
            if t >= lag {
                bins.push(viterbi.bin(t - lag));
            }
        }
        bins.extend((bins.len()..frames.len()).map(|t| viterbi.bin(t)));
        bins
    }

    /// The best of all paths, by sums written out.
    fn best_path(frames: &[(Named, f64)]) -> Vec<Option<usize>> {
        let n = STEPS.n_bins;
        let weight = |d: usize| (1.0 - d as f64 / (STEPS.reach + 1) as f64).max(0.0);
        let log = |p: f64| (p + f64::MIN_POSITIVE).ln();
        let of = |(voiced, unvoiced): &(Named, f64), state: usize| {
            let named = voiced.iter().find(|(bin, _)| *bin == state);
            if state < n {
                named.map_or(f64::NEG_INFINITY, |(_, p)| log(*p))
            } else {
                log(*unvoiced)
            }
        };
        let mut scores: Vec<f64> = (0..2 * n).map(|s| of(&frames[0], s)).collect();
        let mut from = Vec::new();
        for frame in &frames[1..] {
            let ways: Vec<(f64, usize)> = (0..2 * n)
                .map(|to| {
                    let way = |s: usize| {
                        let row: f64 = (0..n).map(|j| weight((s % n).abs_diff(j))).sum();
                        let same = (s < n) == (to < n);
                        let voicing = if same {
                            1.0 - STEPS.switch
                        } else {
                            STEPS.switch
                        };
                        scores[s] + log(weight((s % n).abs_diff(to % n)) / row * voicing)
                    };
                    let best = (0..2 * n).reduce(|a, b| if way(b) > way(a) { b } else { a });
                    let best = best.expect("a state");
                    (way(best) + of(frame, to), best)
                })
                .collect();
            scores = ways.iter().map(|w| w.0).collect();
            from.push(ways.iter().map(|w| w.1).collect::<Vec<usize>>());
        }
        let last = (0..2 * n).reduce(|a, b| if scores[b] > scores[a] { b } else { a });
        let mut states = vec![last.expect("a state")];
        for from in from.iter().rev() {
            states.push(from[states[states.len() - 1]]);
        }
        let bins = states.iter().rev().map(|s| (*s < n).then_some(*s));
        bins.collect()
    }

    #[test]
    fn a_short_doubt_does_not_break_the_voice() {
        let silent = || (vec![], 1.0 / 50.0);
        let sure = || (vec![(20, 0.9)], 0.1 / 50.0);
        let doubtful = (vec![(21, 0.3), (45, 0.35)], 0.35 / 50.0);
        let frames = [
            silent(),
            silent(),
            sure(),
            doubtful,
            sure(),
            silent(),
            silent(),
        ];
        let expected = [None, None, Some(20), Some(21), Some(20), None, None];
        assert_eq!(decide(&frames, 7), expected);
        // Two frames are enough to see that.
        assert_eq!(decide(&frames, 2), expected);
        assert!(decide(&[], 2).is_empty());
    }

    #[test]
    fn with_a_long_lag_it_is_the_best_of_all_paths() {
        let mut state = 7u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        for _ in 0..20 {
            let frames: Vec<(Named, f64)> = (0..12)
                .map(|_| {
                    let mut named: Named = (0..4)
                        .map(|k| (12 * k + (12.0 * random()) as usize, random() * 0.2))
                        .collect();
                    named.retain(|_| random() > 0.4);
                    // Now and then nothing is left for the unvoiced.
                    let sum: f64 = named.iter().map(|(_, p)| p).sum();
                    let rest = if random() < 0.2 { 0.0 } else { 1.0 - sum };
                    (named, rest / 50.0)
                })
                .collect();
            assert_eq!(decide(&frames, 12), best_path(&frames));
        }
    }
}
