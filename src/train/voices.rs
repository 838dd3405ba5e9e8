//! The voices of a training set: how one differs from the next, how each moves
//! between emotions, and what might be known of it when it is heard.

use super::examples::Example;
use crate::emotion::{Emotion, N_EMOTIONS};
use crate::features::FeatureMatrix;
use crate::model::baseline::{
    BaselineKind, Displacements, Heard, effective_number, reference, variety,
};
use crate::model::header::Architecture;
use crate::model::normalize::{Normalizer, Reference};
use rand::Rng;
use rand::seq::IndexedRandom;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Baselines drawn for each voice and kind.
const N_DRAWN: usize = 24;

/// Neutral clips in a drawn baseline of ordinary talk: about 10 to 30 s.
const ORDINARY_CLIPS: std::ops::RangeInclusive<usize> = 3..=10;

/// Clips in a drawn session.
const SESSION_CLIPS: (f32, f32) = (3.0, 80.0);

/// Share of drawn sessions that hold all that the voice has said.
const WHOLE_SESSIONS: f64 = 0.4;

/// A session's emotions are heard by the model, not known: this share of the
/// true mixture shines through an even one, and of the true variety through none.
const HEARD_TRULY: std::ops::Range<f32> = 0.4..0.95;

/// A voice must show more emotions than this to say how voices move.
const MIN_EMOTIONS: usize = 3;

/// What might be known of each voice, by its name: a person's, or that of a voice that nobody
/// has ([`Example::voice`]).
pub struct Voices {
    population: Reference,
    known: BTreeMap<String, Known>,
}

/// Baselines of one voice.
#[derive(Default)]
struct Known {
    ordinary: Vec<Reference>,
    session: Vec<Reference>,
}

/// Columns of a voice's clips by emotion.
type Clips<'a> = Vec<(Emotion, Cow<'a, FeatureMatrix>)>;

/// The clips of each voice: of each person, and with `throats` of those that nobody has too.
fn by_voice<'a>(examples: &[&'a Example], throats: bool) -> BTreeMap<Cow<'a, str>, Clips<'a>> {
    let mut voices: BTreeMap<Cow<str>, Clips> = BTreeMap::new();
    for example in examples {
        let n_views = match example.group {
            Some(_) if throats => example.views.len(),
            _ => 1,
        };
        for view in 0..n_views {
            let clips = voices.entry(example.voice(view)).or_default();
            clips.push((example.emotion, example.whole_view(view)));
        }
    }
    voices
}

/// Statistics over all clips, and within one voice on average, and how each
/// emotion lies from the voice's own mean.
pub fn statistics(examples: &[&Example]) -> (Normalizer, Displacements) {
    let mut all = Normalizer::fit(examples.iter().map(|e| e.whole()));
    let n_columns = all.n_columns();
    let mut variance = vec![0.0f64; n_columns];
    let mut sums = vec![0.0f64; N_EMOTIONS * n_columns];
    let (mut n_voices, mut n_showing) = (0, [0; N_EMOTIONS]);
    for clips in by_voice(examples, false).into_values() {
        let means: Vec<(Emotion, Vec<f32>)> = Emotion::ALL
            .into_iter()
            .filter_map(|emotion| {
                let own = clips.iter().filter(|c| c.0 == emotion);
                let mut own = own.map(|c| &*c.1).peekable();
                own.peek()?;
                Some((emotion, Normalizer::fit(own).mean))
            })
            .collect();
        if means.len() <= MIN_EMOTIONS {
            continue;
        }
        n_voices += 1;
        let own = Normalizer::fit(clips.iter().map(|c| &*c.1));
        for (sum, deviation) in variance.iter_mut().zip(&own.deviation) {
            *sum += f64::from(*deviation).powi(2);
        }
        for column in 0..n_columns {
            let centre = means.iter().map(|m| m.1[column]).sum::<f32>() / means.len() as f32;
            for (emotion, mean) in &means {
                sums[emotion.index() * n_columns + column] += f64::from(mean[column] - centre);
            }
        }
        for (emotion, _) in &means {
            n_showing[emotion.index()] += 1;
        }
    }
    if n_voices > 0 {
        let each = variance.iter().map(|v| (v / f64::from(n_voices)).sqrt());
        all.within = each.map(|d| d as f32).collect();
    }
    let rows = sums.chunks(n_columns.max(1)).zip(n_showing);
    let values = rows
        .flat_map(|(row, n)| row.iter().map(move |s| (s / f64::from(n.max(1))) as f32))
        .collect();
    (all, Displacements::new(values))
}

impl Voices {
    /// What the architecture is told of the voices, with the statistics that
    /// it is told by.
    pub fn told(
        examples: &[&Example],
        architecture: &Architecture,
        rng: &mut impl Rng,
    ) -> (Voices, Normalizer, Displacements) {
        let (normalizer, displacements) = statistics(examples);
        let voices = match architecture.told_baseline {
            true => Voices::draw(examples, &normalizer, &displacements, rng),
            false => Voices::strangers(&normalizer),
        };
        (voices, normalizer, displacements)
    }

    /// Draws baselines for every voice.
    pub fn draw(
        examples: &[&Example],
        population: &Normalizer,
        displacements: &Displacements,
        rng: &mut impl Rng,
    ) -> Voices {
        let mut known = BTreeMap::new();
        for (name, clips) in by_voice(examples, true) {
            let mut voice = Known::default();
            let neutral: Vec<&FeatureMatrix> = clips
                .iter()
                .filter(|c| c.0 == Emotion::Neutral)
                .map(|c| &*c.1)
                .collect();
            let compared = |kind, chosen: &[&FeatureMatrix], heard: &Heard| {
                let chosen = chosen.iter().copied();
                reference(kind, chosen, heard, population, displacements)
            };
            for _ in 0..N_DRAWN {
                if neutral.len() >= *ORDINARY_CLIPS.start() {
                    let n = rng.random_range(ORDINARY_CLIPS).min(neutral.len());
                    let chosen: Vec<&FeatureMatrix> =
                        neutral.choose_multiple(rng, n).copied().collect();
                    let ordinary = compared(BaselineKind::Ordinary, &chosen, &Heard::NOTHING);
                    voice.ordinary.push(ordinary);
                }
                let (chosen, heard) = session(&clips, rng);
                let session = compared(BaselineKind::Session, &chosen, &heard);
                voice.session.push(session);
            }
            known.insert(name.into_owned(), voice);
        }
        Voices {
            population: population.reference(),
            known,
        }
    }

    /// Nothing is known of anybody.
    pub fn strangers(population: &Normalizer) -> Voices {
        Voices {
            population: population.reference(),
            known: BTreeMap::new(),
        }
    }

    /// The population.
    pub fn population(&self) -> &Reference {
        &self.population
    }

    /// What might be known of a voice: as often nothing as ordinary talk as
    /// a session.
    pub fn any(&self, voice: &str, rng: &mut impl Rng) -> &Reference {
        let known = self.known.get(voice);
        let list = match (known, rng.random_range(0..3)) {
            (Some(known), 1) => &known.ordinary[..],
            (Some(known), 2) => &known.session[..],
            _ => &[],
        };
        list.choose(rng).unwrap_or(&self.population)
    }
}

/// Clips that a session might hold, and what would be heard in them.
fn session<'a>(clips: &'a Clips<'_>, rng: &mut impl Rng) -> (Vec<&'a FeatureMatrix>, Heard) {
    let shown: Vec<Emotion> = Emotion::ALL
        .into_iter()
        .filter(|e| clips.iter().any(|c| c.0 == *e))
        .collect();
    let mut chosen: Vec<&(Emotion, Cow<FeatureMatrix>)> = clips.iter().collect();
    if !rng.random_bool(WHOLE_SESSIONS) {
        let n_emotions = rng.random_range(1..=shown.len());
        let emotions: Vec<Emotion> = shown.choose_multiple(rng, n_emotions).copied().collect();
        chosen.retain(|c| emotions.contains(&c.0));
        let (few, many) = SESSION_CLIPS;
        let n = rng.random_range(few.ln()..many.ln()).exp() as usize;
        chosen = chosen.choose_multiple(rng, n).copied().collect();
    }
    let mut shares = [0.0; N_EMOTIONS];
    for (emotion, _) in &chosen {
        shares[emotion.index()] += 1.0 / chosen.len() as f32;
    }
    let truly = rng.random_range(HEARD_TRULY);
    let heard = Heard {
        mixture: std::array::from_fn(|i| {
            let even = match shown.contains(&Emotion::ALL[i]) {
                true => 1.0 / shown.len() as f32,
                false => 0.0,
            };
            truly * shares[i] + (1.0 - truly) * even
        }),
        variety: variety(1.0 + truly * (effective_number(&shares) - 1.0)),
    };
    (chosen.into_iter().map(|c| &*c.1).collect(), heard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    /// Voices at 0 and 10; anger lies 4 above, sadness 4 below, two more
    /// emotions and neutral at the voice itself.
    fn examples() -> Vec<Example> {
        let moods = [
            (Emotion::Neutral, 0.0),
            (Emotion::Calm, 0.0),
            (Emotion::Happy, 0.0),
            (Emotion::Angry, 4.0),
            (Emotion::Sad, -4.0),
        ];
        let voices = [("a", 0.0), ("b", 10.0)];
        let all = voices
            .iter()
            .flat_map(|v| moods.map(|m| (v.0, m.0, v.1 + m.1)));
        all.flat_map(|(person, emotion, value)| {
            (0..4).map(move |_| Example {
                person: person.to_owned(),
                ..Example::of(emotion, FeatureMatrix::from_rows(vec![value], 1))
            })
        })
        .collect()
    }

    #[test]
    fn voices_differ_and_move_as_they_do() {
        let examples = examples();
        let examples: Vec<&Example> = examples.iter().collect();
        let (all, displacements) = statistics(&examples);
        assert_eq!(all.mean, [5.0]);
        assert!(all.deviation[0] > 5.0 && (all.within[0] - 2.53).abs() < 0.01);
        assert_eq!(displacements.as_slice()[Emotion::Angry.index()], 4.0);
        assert_eq!(displacements.as_slice()[Emotion::Sad.index()], -4.0);
        assert_eq!(displacements.as_slice()[Emotion::Surprised.index()], 0.0);
    }

    #[test]
    fn altered_views_that_share_a_throat_are_a_voice_of_their_own() {
        let examples: Vec<Example> = examples()
            .into_iter()
            .map(|e| {
                let raised = e.whole().frame(0)[0] + 100.0;
                let view = FeatureMatrix::from_rows(vec![raised], 1);
                Example {
                    group: Some(0),
                    views: vec![e.views[0].clone(), view.into()],
                    ..e
                }
            })
            .collect();
        let examples: Vec<&Example> = examples.iter().collect();
        let (all, displacements) = statistics(&examples);
        assert_eq!(
            all.mean,
            [5.0],
            "an altered view is none of the population's"
        );
        let mut rng = StdRng::seed_from_u64(1);
        let voices = Voices::draw(&examples, &all, &displacements, &mut rng);
        let mean = |voice: &str| voices.known[voice].ordinary[0].mean[0];
        assert!((5.0..20.0).contains(&mean("b")), "{}", mean("b"));
        let raised = examples.iter().find(|e| e.person == "b").expect("is one");
        let raised = mean(&raised.voice(1));
        assert!((55.0..120.0).contains(&raised), "{raised}");
    }

    #[test]
    fn a_stranger_is_compared_with_all_and_a_known_voice_with_itself() {
        let examples = examples();
        let examples: Vec<&Example> = examples.iter().collect();
        let (all, displacements) = statistics(&examples);
        let mut rng = StdRng::seed_from_u64(1);
        let voices = Voices::draw(&examples, &all, &displacements, &mut rng);
        let stranger = voices.any("nobody", &mut rng);
        assert_eq!(stranger, &all.reference());
        let ordinary = &voices.known["b"].ordinary[0];
        assert!(ordinary.mean[0] > 7.0 && ordinary.shares[0] > 0.5);
        let kinds: Vec<[bool; 2]> = (0..40)
            .map(|_| voices.any("b", &mut rng).shares.map(|s| s > 0.0))
            .collect();
        for kind in [[false, false], [true, false], [false, true]] {
            assert!(kinds.contains(&kind), "{kind:?}");
        }
    }
}
