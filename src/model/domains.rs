//! How far a clip lies from all that was trained on: another room, microphone or
//! language, of which a network is as sure as of its own, and should not be.

use super::error::ModelError;
use super::linear::Linear;
use super::matmul::Scratch;
use super::normalize::Reference;

/// Directions that a distance is measured along.
pub const N_DIRECTIONS: usize = 16;

/// Name of the directions among an artifact's weights, `[directions, columns]`.
pub const DIRECTIONS: &str = "domains.directions";

/// Name of the centres among an artifact's weights, `[corpora · directions]`.
pub const CENTRES: &str = "domains.centres";

/// Where the corpora that were trained on lie among columns that are compared with the
/// population.
#[derive(Debug)]
pub struct Domains {
    /// To where the clips of a corpus vary by one in every direction.
    directions: Linear,
    /// One a corpus.
    centres: Vec<[f32; N_DIRECTIONS]>,
}

impl Domains {
    /// Directions `[directions, columns]`, row-major, and the centres one after another.
    ///
    /// # Errors
    /// [`ModelError::Length`] if there are not as many numbers.
    pub fn new(
        directions: &[f32],
        centres: &[f32],
        n_columns: usize,
    ) -> Result<Domains, ModelError> {
        let (whole, _) = centres.as_chunks();
        for (what, expected, actual) in [
            ("directions", N_DIRECTIONS * n_columns, directions.len()),
            ("centres", N_DIRECTIONS * whole.len().max(1), centres.len()),
        ] {
            if actual != expected {
                return Err(ModelError::Length {
                    what: what.to_owned(),
                    expected,
                    actual,
                });
            }
        }
        Ok(Domains {
            directions: Linear::new(directions, vec![0.0; N_DIRECTIONS], n_columns),
            centres: whole.to_vec(),
        })
    }

    /// How far a clip's columns, as they are pooled, lie from all that was trained on, one or
    /// more: about one for clips like those.
    pub fn novelty(&self, columns: &[f32], population: &Reference) -> f32 {
        let mut row = vec![0.0; columns.len()];
        population.apply(columns, &mut row);
        self.distance(&row).max(1.0)
    }

    /// The squared Mahalanobis distance of columns that are compared with the population from
    /// the corpus that is nearest, a direction (Lee et al. 2018, "A Simple Unified Framework
    /// for Detecting Out-of-Distribution Samples and Adversarial Attacks", equation 2).
    fn distance(&self, columns: &[f32]) -> f32 {
        let own = self.directions.apply(columns, &mut Scratch::default());
        let squares = self.centres.iter().map(|centre| {
            let differences = own.iter().zip(centre).map(|(a, b)| a - b);
            differences.map(|d| d * d).sum::<f32>() / N_DIRECTIONS as f32
        });
        squares.fold(f32::INFINITY, f32::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::normalize::Normalizer;

    #[test]
    fn the_nearest_centre_counts() -> Result<(), ModelError> {
        // Each direction is a column, twice as fine.
        let directions: Vec<f32> = (0..N_DIRECTIONS * N_DIRECTIONS)
            .map(|i| {
                if i % (N_DIRECTIONS + 1) == 0 {
                    2.0
                } else {
                    0.0
                }
            })
            .collect();
        let centres = [[0.0; N_DIRECTIONS], [6.0; N_DIRECTIONS]].concat();
        let domains = Domains::new(&directions, &centres, N_DIRECTIONS)?;
        assert_eq!(domains.distance(&[0.5; N_DIRECTIONS]), 1.0);
        assert_eq!(domains.distance(&[2.0; N_DIRECTIONS]), 4.0);
        assert_eq!(domains.distance(&[3.0; N_DIRECTIONS]), 0.0);
        Ok(())
    }

    #[test]
    fn what_is_nearer_than_usual_is_no_less_novel() -> Result<(), ModelError> {
        let mut directions = [0.0; N_DIRECTIONS];
        directions[0] = 4.0;
        let domains = Domains::new(&directions, &[0.0; N_DIRECTIONS], 1)?;
        let statistics = Normalizer {
            mean: vec![10.0],
            deviation: vec![2.0],
            within: vec![1.0],
        };
        let population = statistics.reference();
        assert_eq!(domains.novelty(&[11.0], &population), 1.0);
        // Three deviations, four times as wide, over sixteen directions.
        assert_eq!(domains.novelty(&[16.0], &population), 9.0);
        Ok(())
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let directions = [0.0; 2 * N_DIRECTIONS];
        assert!(Domains::new(&directions, &[0.0; N_DIRECTIONS], 2).is_ok());
        assert!(Domains::new(&directions, &[0.0; N_DIRECTIONS], 3).is_err());
        assert!(Domains::new(&directions, &[0.0; N_DIRECTIONS + 1], 2).is_err());
        assert!(Domains::new(&directions, &[], 2).is_err());
    }
}
