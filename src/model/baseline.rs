//! What is known of a speaker: the same voice sounds sad to those who do not
//! know it, and ordinary to those who do.
//!
//! A network's inputs are normalised by the population's mean and deviation. A
//! [`Baseline`] moves both towards the speaker's own, the further the more has
//! been heard, and the network is told how far.

use super::normalize::{N_SHARES, Normalizer, Reference};
use crate::emotion::{N_EMOTIONS, Scores};
use crate::features::FeatureMatrix;

/// Most utterances that are kept. Of more, each is as likely to be among them.
const MAX_UTTERANCES: usize = 200;

/// Utterances after which half of the way to the speaker's own statistics is
/// gone.
const HALF_WAY: f32 = 2.0;

/// A session is called varied by the number of emotions that its utterances are
/// told apart by ([`Heard::variety`]). Below the first number its emotions
/// explain where it lies; from the second on they even out and it is the voice
/// itself.
const VARIED: [f32; 2] = [2.2, 3.5];

/// How far a session that is not varied is followed, for one that is: nobody
/// can tell an angry voice from an anger without end.
const UNVARIED: f32 = 0.5;

/// What an utterance adds to a session's mixture is nearly all for its likeliest
/// emotion: the doubts of many utterances would add up to a variety that is not
/// there, and a session of one emotion would be taken for the voice.
const HEARD_TEMPERATURE: f32 = 0.3;

/// How varied a session is taken for while its utterances are heard a second time:
/// as far as that is followed, a strange room or microphone no longer makes one
/// emotion of them all, and an emotion without end is not yet taken for the voice.
const HEARD_AGAIN: f32 = 0.3;

/// What an emotion that one hearing rules out still counts in it: the other may be
/// sure of it.
const LEAST_SHARE: f32 = 1e-4;

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
    n_heard: usize,
}

impl Baseline {
    /// Nothing is known yet.
    pub fn new(kind: BaselineKind) -> Baseline {
        Baseline {
            kind,
            utterances: Vec::new(),
            n_heard: 0,
        }
    }

    /// Adds an utterance of a second or more, as
    /// [`super::EmotionModel::columns`] gives it. Once there are enough, it takes
    /// the place of one of them or is passed over (Vitter 1985, "Random sampling
    /// with a reservoir", algorithm R), so that a long session is remembered from
    /// its beginning to its end.
    pub fn add(&mut self, columns: FeatureMatrix) {
        self.n_heard += 1;
        if self.utterances.len() < MAX_UTTERANCES {
            self.utterances.push(columns);
            return;
        }
        let place = scattered(self.n_heard as u64) % self.n_heard as u64;
        if let Some(kept) = self.utterances.get_mut(place as usize) {
            *kept = columns;
        }
    }

    /// What the utterances are.
    pub fn kind(&self) -> BaselineKind {
        self.kind
    }

    /// What is kept of them.
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

/// A number that looks like chance but is the same every time (Steele et al.
/// 2014, SplitMix64's finaliser).
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Which emotions a session holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// Shares that sum to one; zeros where nothing was heard.
    pub mixture: [f32; N_EMOTIONS],
    /// How varied they are, `0..=1`.
    pub variety: f32,
}

impl Heard {
    /// Nothing, or nothing that counts.
    pub const NOTHING: Heard = Heard {
        mixture: [0.0; N_EMOTIONS],
        variety: 0.0,
    };

    /// By the logits of its utterances. The variety is that of the exponential of
    /// the mutual information between utterance and emotion: the entropy of the
    /// mixture, less what each utterance leaves open by itself.
    pub fn of(logits: &[[f32; N_EMOTIONS]]) -> Heard {
        if logits.is_empty() {
            return Heard::NOTHING;
        }
        let mut mixture = [0.0; N_EMOTIONS];
        let mut doubts = 0.0;
        for utterance in logits {
            let heard = Scores::from_logits(utterance.map(|l| l / HEARD_TEMPERATURE));
            for (share, p) in mixture.iter_mut().zip(heard.as_array()) {
                *share += p / logits.len() as f32;
            }
            doubts += entropy(heard.as_array()) / logits.len() as f32;
        }
        Heard {
            mixture,
            variety: variety((entropy(&mixture) - doubts).exp()),
        }
    }

    /// What the utterances are compared with to be heard again.
    pub fn a_little_varied(self) -> Heard {
        Heard {
            variety: HEARD_AGAIN,
            ..self
        }
    }

    /// What this and another hearing of the same utterances both say, each emotion by
    /// the product of its shares, and as varied as the other found them.
    pub fn and_again(&self, again: &Heard) -> Heard {
        let mut mixture = self.mixture;
        for (share, other) in mixture.iter_mut().zip(again.mixture) {
            *share = (*share + LEAST_SHARE) * (other + LEAST_SHARE);
        }
        let sum: f32 = mixture.iter().sum();
        Heard {
            mixture: mixture.map(|share| share / sum),
            variety: again.variety,
        }
    }
}

/// In nats.
fn entropy(shares: &[f32; N_EMOTIONS]) -> f32 {
    let shown = shares.iter().filter(|p| **p > 0.0);
    shown.map(|p| -p * p.ln()).sum()
}

/// As many emotions, all alike, as the shares are worth: the exponential of their
/// entropy, `1..=8`.
pub fn effective_number(shares: &[f32; N_EMOTIONS]) -> f32 {
    entropy(shares).exp()
}

/// How varied a session is, `0..=1`, whose utterances are told apart by so many
/// emotions.
pub fn variety(n_told_apart: f32) -> f32 {
    let [few, many] = VARIED;
    ((n_told_apart - few) / (many - few)).clamp(0.0, 1.0)
}

/// What a speaker's next utterance is compared with. `heard` in the utterances
/// counts for [`BaselineKind::Session`] alone.
pub fn reference<'a>(
    kind: BaselineKind,
    utterances: impl Iterator<Item = &'a FeatureMatrix> + Clone,
    heard: &Heard,
    population: &Normalizer,
    displacements: &Displacements,
) -> Reference {
    let n = utterances.clone().count() as f32;
    if n == 0.0 {
        return population.reference();
    }
    let own = Normalizer::fit(utterances);
    let (varied, followed, expected) = match kind {
        BaselineKind::Ordinary => (0.0, 1.0, vec![0.0; own.n_columns()]),
        BaselineKind::Session => (
            heard.variety,
            UNVARIED + (1.0 - UNVARIED) * heard.variety,
            displacements.expected(&heard.mixture, own.n_columns()),
        ),
    };
    let share = followed * n / (n + HALF_WAY);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;

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
            let known = utterances(4.0, n);
            let none = Displacements::default();
            reference(
                BaselineKind::Ordinary,
                known.iter(),
                &Heard::NOTHING,
                &population(),
                &none,
            )
        };
        assert_eq!(at(0), population().reference());
        assert_eq!(at(2).mean, [2.0]);
        assert_eq!(at(2).shares, [0.5, 0.0]);
        assert!(at(50).mean[0] > 3.8);
    }

    /// What a voice is compared with that said what an angry one says on average.
    fn told(heard: &Heard) -> Reference {
        let mut values = vec![0.0; N_EMOTIONS];
        values[Emotion::Angry.index()] = 3.0;
        let displacements = Displacements::new(values);
        let said = utterances(3.0, 20);
        let kind = BaselineKind::Session;
        reference(kind, said.iter(), heard, &population(), &displacements)
    }

    #[test]
    fn an_angry_session_is_not_taken_for_an_angry_voice() {
        let mut mixture = [0.0; N_EMOTIONS];
        mixture[Emotion::Angry.index()] = 1.0;
        let angry = told(&Heard {
            mixture,
            variety: 0.0,
        });
        assert!(angry.mean[0].abs() < 1e-6);
        // As much of everything: where it lies is the voice.
        let varied = told(&Heard::of(&Emotion::ALL.map(sounding)));
        assert!(varied.mean[0] > 2.0);
        assert_eq!(angry.shares[1], UNVARIED * varied.shares[1]);
    }

    /// Logits of what sounds somewhat likelier to be of an emotion than of any
    /// other.
    fn sounding(emotion: Emotion) -> [f32; N_EMOTIONS] {
        let mut logits = [0.0; N_EMOTIONS];
        logits[emotion.index()] = 1.5;
        logits
    }

    #[test]
    fn doubts_are_no_variety() {
        let heard = Heard::of(&[sounding(Emotion::Angry); 20]);
        assert!(heard.mixture[Emotion::Angry.index()] > 0.9 && heard.variety == 0.0);
        // Nobody knows what it is, again and again.
        let heard = Heard::of(&[[0.0; N_EMOTIONS]; 20]);
        assert!(heard.mixture.iter().all(|p| (p - 0.125).abs() < 1e-6));
        assert_eq!(heard.variety, 0.0);
        assert_eq!(Heard::of(&Emotion::ALL.map(sounding)).variety, 1.0);
        assert_eq!(Heard::of(&[]), Heard::NOTHING);
    }

    #[test]
    fn what_both_hearings_say_counts() {
        let only = |emotion: Emotion, variety| {
            let mut mixture = [0.0; N_EMOTIONS];
            mixture[emotion.index()] = 1.0;
            Heard { mixture, variety }
        };
        let everything = Heard::of(&Emotion::ALL.map(sounding));
        let angry = only(Emotion::Angry, 0.2);
        let both = everything.and_again(&angry);
        assert!(both.mixture[Emotion::Angry.index()] > 0.99);
        assert_eq!(both.variety, angry.variety);
        // Neither is believed alone.
        let sad = only(Emotion::Sad, 0.0);
        let both = sad.and_again(&angry).mixture;
        assert!((both.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((both[Emotion::Sad.index()] - 0.5).abs() < 1e-2);
        assert!((both[Emotion::Angry.index()] - 0.5).abs() < 1e-2);
    }

    #[test]
    fn a_session_is_heard_again_on_the_way_to_the_voice() {
        let at = |heard: &Heard| told(heard).mean[0];
        let angry = Heard::of(&[sounding(Emotion::Angry); 20]);
        let again = at(&angry.a_little_varied());
        let varied = at(&Heard {
            variety: 1.0,
            ..angry
        });
        assert!(at(&angry) < again && again < varied, "{again} of {varied}");
    }

    #[test]
    fn a_long_session_is_remembered_from_its_beginning_to_its_end() {
        let mut baseline = Baseline::new(BaselineKind::Session);
        let n = 5 * MAX_UTTERANCES;
        for i in 0..n {
            baseline.add(FeatureMatrix::from_rows(vec![i as f32], 1));
        }
        assert_eq!(baseline.utterances().len(), MAX_UTTERANCES);
        for fifth in 0..5 {
            let its = (fifth * MAX_UTTERANCES) as f32..((fifth + 1) * MAX_UTTERANCES) as f32;
            let kept = baseline.utterances().iter();
            let kept = kept.filter(|u| its.contains(&u.as_slice()[0])).count();
            assert!((20..=60).contains(&kept), "{kept} of the fifth {fifth}");
        }
    }
}
