//! What is known of a speaker: the same voice sounds sad to those who do not
//! know it, and ordinary to those who do.
//!
//! A network's inputs are normalised by the population's mean and deviation. A
//! [`Baseline`] moves both towards the speaker's own, the further the more has
//! been heard, and the network is told how far.

use super::normalize::{N_SHARES, Normalizer, Reference};
use crate::emotion::{Emotion, N_EMOTIONS, Scores};
use crate::features::FeatureMatrix;

/// Most utterances that are kept; older ones make way.
const MAX_UTTERANCES: usize = 200;

/// Utterances after which half of the way to the speaker's own statistics is
/// gone.
const HALF_WAY: f32 = 2.0;

/// A session is called varied by the effective number of emotions heard in it,
/// the exponential of the entropy of their [`mixture`]. Below the first
/// number its emotions explain where it lies; from the second on they even out
/// and it is the voice itself.
const VARIED: [f32; 2] = [3.0, 5.0];

/// What an utterance adds to a session's mixture is nearly all for its likeliest
/// emotion: the doubts of many utterances would add up to a variety that is not
/// there, and a session of one emotion would be taken for the voice.
const HEARD_TEMPERATURE: f32 = 0.3;

/// How much a varied session's own deviation is believed against that of the
/// average voice: what was said by chance shows in it too.
const OWN_VARIANCE: f32 = 0.8;

/// What the utterances of a baseline are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaselineKind {
    /// Talk in the speaker's ordinary mood: what it differs from the population
    /// by is the voice.
    Ordinary,
    /// Whatever was said in a session. The emotions heard in it are taken into
    /// account: a session that is angry from beginning to end does not make
    /// anger ordinary.
    Session,
}

/// Utterances of one speaker, as a model's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    kind: BaselineKind,
    utterances: Vec<FeatureMatrix>,
}

impl Baseline {
    /// Nothing is known yet.
    pub fn new(kind: BaselineKind) -> Baseline {
        Baseline {
            kind,
            utterances: Vec::new(),
        }
    }

    /// Adds an utterance of a second or more, as
    /// [`super::EmotionModel::columns`] gives it.
    pub fn add(&mut self, columns: FeatureMatrix) {
        if self.utterances.len() == MAX_UTTERANCES {
            self.utterances.remove(0);
        }
        self.utterances.push(columns);
    }

    /// What the utterances are.
    pub fn kind(&self) -> BaselineKind {
        self.kind
    }

    /// What has been added, the oldest first.
    pub fn utterances(&self) -> &[FeatureMatrix] {
        &self.utterances
    }
}

/// How the emotions of one speaker differ, on average over speakers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Displacements {
    /// For each emotion, how far its mean lies from the mean over the speaker's
    /// emotions, `[emotions, columns]` row-major.
    values: Vec<f32>,
}

impl Displacements {
    /// Takes `[emotions, columns]` values, row-major.
    pub fn new(values: Vec<f32>) -> Displacements {
        Displacements { values }
    }

    /// `[emotions, columns]`, row-major.
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// Where the mean of utterances of this mixture is expected.
    fn expected(&self, mixture: &[f32; N_EMOTIONS], n_columns: usize) -> Vec<f32> {
        let mut sum = vec![0.0; n_columns];
        for (row, p) in self.values.chunks_exact(n_columns).zip(mixture) {
            for (s, v) in sum.iter_mut().zip(row) {
                *s += p * v;
            }
        }
        sum
    }
}

/// Which emotions a session holds, as shares that sum to one (zeros where there
/// are no utterances), by the logits of its utterances for somebody unknown.
pub fn mixture(logits: &[[f32; N_EMOTIONS]]) -> [f32; N_EMOTIONS] {
    let mut shares = [0.0; N_EMOTIONS];
    for utterance in logits {
        let heard = Scores::from_logits(utterance.map(|l| l / HEARD_TEMPERATURE));
        for (share, emotion) in shares.iter_mut().zip(Emotion::ALL) {
            *share += heard.get(emotion) / logits.len() as f32;
        }
    }
    shares
}

/// What a speaker's next utterance is compared with. `mixture` says which
/// emotions the utterances hold and counts for [`BaselineKind::Session`] alone.
pub fn reference<'a>(
    kind: BaselineKind,
    utterances: impl Iterator<Item = &'a FeatureMatrix> + Clone,
    mixture: &[f32; N_EMOTIONS],
    population: &Normalizer,
    displacements: &Displacements,
) -> Reference {
    let n = utterances.clone().count() as f32;
    if n == 0.0 {
        return population.reference();
    }
    let own = Normalizer::fit(utterances);
    let varied = match kind {
        BaselineKind::Ordinary => 0.0,
        BaselineKind::Session => variety(mixture),
    };
    let expected = match kind {
        BaselineKind::Ordinary => vec![0.0; own.n_columns()],
        BaselineKind::Session => displacements.expected(mixture, own.n_columns()),
    };
    let share = n / (n + HALF_WAY);
    let towards = |population: f32, own: f32| population + share * (own - population);
    let mean = population.mean.iter().zip(&own.mean).zip(&expected);
    let deviations = population
        .deviation
        .iter()
        .zip(&population.within)
        .zip(&own.deviation);
    let mut shares = [0.0; N_SHARES];
    shares[kind as usize] = share;
    Reference {
        mean: mean
            .map(|((p, own), e)| towards(*p, own - (1.0 - varied) * e))
            .collect(),
        deviation: deviations
            .map(|((p, within), own)| {
                let blend = OWN_VARIANCE * own * own + (1.0 - OWN_VARIANCE) * within * within;
                towards(*p, within + varied * (blend.sqrt() - within))
            })
            .collect(),
        shares,
    }
}

/// How varied a session is, `0..=1`.
fn variety(mixture: &[f32; N_EMOTIONS]) -> f32 {
    let entropy: f32 = mixture
        .iter()
        .filter(|p| **p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    let [few, many] = VARIED;
    ((entropy.exp() - few) / (many - few)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn population() -> Normalizer {
        Normalizer {
            mean: vec![0.0],
            deviation: vec![1.0],
            within: vec![1.0],
        }
    }

    fn utterances(value: f32, n: usize) -> Vec<FeatureMatrix> {
        vec![FeatureMatrix::from_rows(vec![value], 1); n]
    }

    #[test]
    fn the_more_is_heard_the_closer_to_the_speaker() {
        let at = |n| {
            let heard = utterances(4.0, n);
            let scores = [0.0; N_EMOTIONS];
            let none = Displacements::default();
            reference(
                BaselineKind::Ordinary,
                heard.iter(),
                &scores,
                &population(),
                &none,
            )
        };
        assert_eq!(at(0), population().reference());
        assert_eq!(at(2).mean, [2.0]);
        assert_eq!(at(2).shares, [0.5, 0.0]);
        assert!(at(50).mean[0] > 3.8);
    }

    #[test]
    fn an_angry_session_is_not_taken_for_an_angry_voice() {
        let mut values = vec![0.0; N_EMOTIONS];
        values[Emotion::Angry.index()] = 3.0;
        let displacements = Displacements::new(values);
        let mut angry = [0.0; N_EMOTIONS];
        angry[Emotion::Angry.index()] = 1.0;
        let heard = utterances(3.0, 20);
        let told = |scores: &[f32; N_EMOTIONS]| {
            let kind = BaselineKind::Session;
            reference(kind, heard.iter(), scores, &population(), &displacements).mean[0]
        };
        assert!(told(&angry).abs() < 1e-6);
        // As much of everything: where it lies is the voice.
        assert!(told(&[1.0 / N_EMOTIONS as f32; N_EMOTIONS]) > 2.0);
    }

    #[test]
    fn doubts_are_no_variety() {
        // Twenty utterances, each somewhat likelier angry than anything else.
        let mut logits = [0.0; N_EMOTIONS];
        logits[Emotion::Angry.index()] = 1.5;
        let heard = mixture(&[logits; 20]);
        assert!(heard[Emotion::Angry.index()] > 0.9 && variety(&heard) == 0.0);
        let each: Vec<[f32; N_EMOTIONS]> = (0..N_EMOTIONS)
            .map(|i| std::array::from_fn(|j| if i == j { 1.5 } else { 0.0 }))
            .collect();
        assert_eq!(variety(&mixture(&each)), 1.0);
        assert_eq!(mixture(&[]), [0.0; N_EMOTIONS]);
    }

    #[test]
    fn old_utterances_make_way() {
        let mut baseline = Baseline::new(BaselineKind::Session);
        for i in 0..MAX_UTTERANCES + 3 {
            baseline.add(FeatureMatrix::from_rows(vec![i as f32], 1));
        }
        assert_eq!(baseline.utterances().len(), MAX_UTTERANCES);
        assert_eq!(baseline.utterances()[0].as_slice(), [3.0]);
    }
}
