//! Where the corpora that are trained on lie, by which a model tells what is strange.

use super::examples::Example;
use super::views::SPOKEN;
use crate::model::domains::{Domains, N_DIRECTIONS};
use crate::model::normalize::Normalizer;
use candle_core::{DType, Device, Error, Result, Tensor};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// Rows of an example beside the clip as it is judged: a crop of all of it, and one of the
/// speech in it.
const CROPS: [usize; 2] = [1, SPOKEN + 1];

/// Rows of an example in all.
const N_ROWS: usize = 1 + CROPS.len();

/// Times that the directions are brought nearer to the principal ones.
const N_ITERATIONS: usize = 12;

/// Variance that is added in every direction, of the mean of all: a corpus of few clips
/// may not vary in some.
const RIDGE: f64 = 1e-3;

/// A symmetric or triangular matrix over the directions.
type Square = [[f64; N_DIRECTIONS]; N_DIRECTIONS];

/// What [`Domains`] reads.
pub(super) struct Fitted {
    /// `[directions, columns]`.
    pub directions: Tensor,
    /// `[corpora · directions]`.
    pub centres: Tensor,
}

impl Fitted {
    /// How far clips lie from all that was trained on, one or more.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn novelties(&self, examples: &[&Example], normalizer: &Normalizer) -> Result<Vec<f32>> {
        let directions = self.directions.flatten_all()?.to_vec1::<f32>()?;
        let centres = self.centres.to_vec1::<f32>()?;
        let n_columns = normalizer.n_columns();
        let domains = Domains::new(&directions, &centres, n_columns).map_err(Error::wrap)?;
        let population = normalizer.reference();
        let novelty = |e: &&Example| domains.novelty(e.whole().frame(0), &population);
        Ok(examples.iter().map(novelty).collect())
    }
}

/// Where clips as they are judged lie, and crops of each. The directions span the principal
/// components of all, found by subspace iteration; in them the mean covariance of a corpus is
/// one. Every corpus counts alike. None where rows are not clips.
///
/// # Errors
/// If a tensor operation fails.
pub(super) fn fit(examples: &[&Example], normalizer: &Normalizer) -> Result<Option<Fitted>> {
    if examples.iter().any(|e| !e.rows_are_clips) {
        return Ok(None);
    }
    let n_columns = normalizer.n_columns();
    let reference = normalizer.reference();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let n_rows = N_ROWS * examples.len();
    let mut rows = vec![0.0; n_rows * n_columns];
    let of_examples = rows.chunks_exact_mut(N_ROWS * n_columns);
    for (i, (example, own)) in examples.iter().zip(of_examples).enumerate() {
        let crops = CROPS.map(|row| example.views[0].rows(row..row + 1));
        let crops = crops
            .iter()
            .map(|(matrix, range)| matrix.frame(range.start));
        let whole = example.whole();
        let own = own.chunks_exact_mut(n_columns);
        for (row, columns) in own.zip(std::iter::once(whole.frame(0)).chain(crops)) {
            reference.apply(columns, row);
        }
        let own = members.entry(example.corpus).or_default();
        own.extend(N_ROWS * i..N_ROWS * (i + 1));
    }
    let rows = Tensor::from_vec(rows, (n_rows, n_columns), &Device::Cpu)?;
    let mut weights = vec![0f32; n_rows];
    for own in members.values() {
        own.iter()
            .for_each(|i| weights[*i] = 1.0 / own.len() as f32);
    }
    let weights = Tensor::from_vec(weights, (n_rows, 1), &Device::Cpu)?;
    let mut rng = StdRng::seed_from_u64(0);
    let mut basis: Vec<Vec<f64>> = (0..N_DIRECTIONS)
        .map(|_| {
            (0..n_columns)
                .map(|_| rng.random_range(-1.0..1.0))
                .collect()
        })
        .collect();
    for _ in 0..N_ITERATIONS {
        orthonormalize(&mut basis);
        let projected = rows.matmul(&tensor(&basis)?.t()?)?;
        let weighted = projected.broadcast_mul(&weights)?;
        basis = weighted
            .t()?
            .contiguous()?
            .matmul(&rows)?
            .to_dtype(DType::F64)?
            .to_vec2()?;
    }
    orthonormalize(&mut basis);
    let projected: Vec<Vec<f64>> = rows
        .matmul(&tensor(&basis)?.t()?)?
        .to_dtype(DType::F64)?
        .to_vec2()?;
    let mut covariance: Square = Default::default();
    let mut centres = Vec::new();
    for own in members.values() {
        let share = 1.0 / own.len() as f64;
        let mut centre = [0.0; N_DIRECTIONS];
        for i in own {
            (centre.iter_mut().zip(&projected[*i])).for_each(|(c, v)| *c += share * v);
        }
        for i in own {
            let apart: Vec<f64> = projected[*i]
                .iter()
                .zip(centre)
                .map(|(v, c)| v - c)
                .collect();
            for (row, a) in covariance.iter_mut().zip(&apart) {
                let products = row.iter_mut().zip(&apart);
                products.for_each(|(s, b)| *s += share * a * b / members.len() as f64);
            }
        }
        centres.push(centre);
    }
    let whitening = whitening(covariance);
    let white = |v: &dyn Fn(usize) -> f64, row: usize| -> f32 {
        let terms = whitening[row].iter().enumerate().map(|(k, w)| w * v(k));
        terms.sum::<f64>() as f32
    };
    let directions: Vec<f32> = (0..N_DIRECTIONS)
        .flat_map(|row| (0..n_columns).map(move |column| (row, column)))
        .map(|(row, column)| white(&|k| basis[k][column], row))
        .collect();
    let centres: Vec<f32> = centres
        .iter()
        .flat_map(|centre| (0..N_DIRECTIONS).map(|row| white(&|k| centre[k], row)))
        .collect();
    let n_centres = centres.len();
    Ok(Some(Fitted {
        directions: Tensor::from_vec(directions, (N_DIRECTIONS, n_columns), &Device::Cpu)?,
        centres: Tensor::from_vec(centres, n_centres, &Device::Cpu)?,
    }))
}

fn tensor(rows: &[Vec<f64>]) -> Result<Tensor> {
    let values: Vec<f32> = rows.iter().flatten().map(|v| *v as f32).collect();
    Tensor::from_vec(values, (rows.len(), rows[0].len()), &Device::Cpu)
}

/// Makes rows orthogonal and of length one (modified Gram–Schmidt); those that others span
/// become zeros.
fn orthonormalize(rows: &mut [Vec<f64>]) {
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    for i in 0..rows.len() {
        let (before, own) = rows.split_at_mut(i);
        let own = &mut own[0];
        let at_first = product(own, own).sqrt();
        for other in before.iter() {
            let share = product(own, other);
            own.iter_mut().zip(other).for_each(|(v, o)| *v -= share * o);
        }
        let length = product(own, own).sqrt();
        let scale = match length > 1e-9 * at_first {
            true => 1.0 / length,
            false => 0.0,
        };
        own.iter_mut().for_each(|v| *v *= scale);
    }
}

/// The inverse of the lower Cholesky factor, which takes what varies by `covariance` to what
/// varies by one.
fn whitening(mut covariance: Square) -> Square {
    let trace: f64 = (0..N_DIRECTIONS).map(|i| covariance[i][i]).sum();
    for (i, row) in covariance.iter_mut().enumerate() {
        row[i] += RIDGE * trace / N_DIRECTIONS as f64 + f64::MIN_POSITIVE;
    }
    let mut factor: Square = Default::default();
    for i in 0..N_DIRECTIONS {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = covariance[i][j] - known;
            factor[i][j] = match i == j {
                true => rest.sqrt(),
                false => rest / factor[j][j],
            };
        }
    }
    let columns: Square = std::array::from_fn(|j| {
        let mut column = [0.0; N_DIRECTIONS];
        for (i, row) in factor.iter().enumerate().skip(j) {
            let known: f64 = row[..i].iter().zip(&column).map(|(a, b)| a * b).sum();
            column[i] = (f64::from(u8::from(i == j)) - known) / row[i];
        }
        column
    });
    std::array::from_fn(|i| columns.map(|column| column[i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::features::FeatureMatrix;
    use crate::train::views::N_CROPS;

    const N_COLUMNS: usize = 40;

    /// Clips that are the same in all rows, around a centre.
    fn clips(corpus: usize, centre: f32, rng: &mut StdRng) -> Vec<Example> {
        (0..400)
            .map(|_| {
                // Neighbouring columns move together.
                let noise: Vec<f32> = (0..=N_COLUMNS)
                    .map(|_| rng.random_range(-1.0..1.0))
                    .collect();
                let own = (0..N_COLUMNS).map(|i| noise[i] + noise[i + 1] + centre * (i % 3) as f32);
                let own: Vec<f32> = own.collect();
                let rows = own.repeat(SPOKEN + 1 + N_CROPS[1]);
                let matrix = FeatureMatrix::from_rows(rows, N_COLUMNS);
                Example {
                    corpus,
                    rows_are_clips: true,
                    ..Example::of(Emotion::Neutral, matrix)
                }
            })
            .collect()
    }

    #[test]
    fn clips_of_a_corpus_are_near_and_others_are_far() -> Result<()> {
        let mut rng = StdRng::seed_from_u64(1);
        let trained = [clips(0, 0.0, &mut rng), clips(3, 4.0, &mut rng)].concat();
        let normalizer = Normalizer::fit(trained.iter().map(|e| e.whole().into_owned()));
        let all: Vec<&Example> = trained.iter().collect();
        let domains = fit(&all, &normalizer)?.expect("rows are clips");
        let mean = |clips: &[Example]| -> Result<f32> {
            let clips: Vec<&Example> = clips.iter().collect();
            let novelties = domains.novelties(&clips, &normalizer)?;
            Ok(novelties.iter().sum::<f32>() / clips.len() as f32)
        };
        for known in [&trained[..400], &trained[400..]] {
            // The nearer half counts as one.
            let mean = mean(known)?;
            assert!((1.0..1.3).contains(&mean), "{mean}");
        }
        // Half-way between two corpora is neither.
        let strange = mean(&clips(9, 2.0, &mut rng))?;
        assert!(strange > 2.0, "{strange}");
        Ok(())
    }

    #[test]
    fn whitening_takes_a_covariance_to_one() {
        let mut rng = StdRng::seed_from_u64(2);
        let root: Square =
            std::array::from_fn(|_| std::array::from_fn(|_| rng.random_range(-1.0..1.0)));
        let times = |a: &Square, b: &Square| -> Square {
            std::array::from_fn(|i| {
                std::array::from_fn(|j| (0..N_DIRECTIONS).map(|k| a[i][k] * b[k][j]).sum())
            })
        };
        let turned =
            |a: &Square| -> Square { std::array::from_fn(|i| std::array::from_fn(|j| a[j][i])) };
        let mut covariance = times(&root, &turned(&root));
        (0..N_DIRECTIONS).for_each(|i| covariance[i][i] += 1.0);
        let whitening = whitening(covariance);
        let white = times(&times(&whitening, &covariance), &turned(&whitening));
        for (i, row) in white.iter().enumerate() {
            for (j, v) in row.iter().enumerate() {
                let expected = if i == j { 1.0 } else { 0.0 };
                // The ridge takes a little off.
                assert!((v - expected).abs() < 0.02, "{i} {j}: {v}");
            }
        }
    }
}
