//! Products agree with loops, on every vector unit.

use super::*;
use crate::model::matmul::lanes::on_every_unit;

/// Sizes around those of tiles, panels and blocks.
const SIZES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (1, 70, 3),
    (1, 256, 300),
    (2, 33, 17),
    (3, 64, 40),
    (6, 129, 256),
    (7, 100, 513),
    (50, 8, 1153),
    (100, 70, 31),
];

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 500.0 - 1.0)
        .collect()
}

fn naive(x: &[f32], weights: &[f32], n_inputs: usize) -> Vec<f64> {
    x.chunks_exact(n_inputs)
        .flat_map(|row| {
            weights.chunks_exact(n_inputs).map(|weights| {
                let terms = row.iter().zip(weights);
                0.5 + terms
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>()
            })
        })
        .collect()
}

#[test]
fn products_agree_with_loops() {
    for (n_rows, n_outputs, n_inputs) in SIZES {
        let x = numbers(n_rows * n_inputs, 1);
        let weights = numbers(n_outputs * n_inputs, 2);
        let eight: Vec<i8> = weights.iter().map(|w| (w * 100.0) as i8).collect();
        let scales: Vec<f32> = (0..n_outputs).map(|o| 0.01 + 1e-4 * o as f32).collect();
        let rows = eight.chunks_exact(n_inputs).zip(&scales);
        let rounded: Vec<f32> = rows
            .flat_map(|(row, scale)| row.iter().map(move |w| f32::from(*w) * scale))
            .collect();
        let cases = [
            (
                PackedMatrix::new(&weights, n_outputs, n_inputs),
                &weights,
                1e-6,
            ),
            (
                PackedMatrix::from_eight_bits(&eight, &scales, n_inputs),
                &rounded,
                2e-5,
            ),
            (
                PackedMatrix::from_eight_bits(&eight, &scales, n_inputs).for_few_rows(),
                &rounded,
                2e-5,
            ),
        ];
        for (matrix, weights, tolerance) in cases {
            let mut out = vec![0.5; n_rows * n_outputs];
            matrix.add_product(&mut out, &x, &mut Scratch::default());
            // Rounding errors grow with what is summed up.
            let allowed = tolerance * n_inputs as f64;
            for (y, expected) in out.iter().zip(naive(&x, weights, n_inputs)) {
                let error = (f64::from(*y) - expected).abs();
                assert!(
                    error < allowed.max(1e-6),
                    "{n_rows}·{n_inputs}·{n_outputs}: {error}"
                );
            }
        }
    }
}

#[test]
fn the_largest_sums_do_not_overflow() {
    for n_inputs in [1, 256, 1536, 20_000] {
        let weights = vec![-127i8; n_inputs];
        let matrix = PackedMatrix::from_eight_bits(&weights, &[1.0], n_inputs);
        let mut out = [0.0];
        matrix.add_product(&mut out, &vec![3.0; n_inputs], &mut Scratch::default());
        let expected = -381.0 * n_inputs as f32;
        assert!(
            (out[0] / expected - 1.0).abs() < 1e-3,
            "{n_inputs}: {}",
            out[0]
        );
    }
}

#[test]
fn every_unit_computes_the_same() {
    #[derive(Clone, Copy)]
    struct Given<'a>(&'a PackedMatrix, &'a [f32]);
    impl Work for Given<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<L: Lanes>(self) -> Vec<f32> {
            let n_rows = self.1.len() / self.0.n_inputs;
            let mut out = vec![0.0; n_rows * self.0.n_outputs];
            Product {
                matrix: self.0,
                out: &mut out,
                x: self.1,
                n_rows,
                scratch: &mut Scratch::default(),
            }
            .run::<L>();
            out
        }
    }
    for (n_rows, n_outputs, n_inputs) in SIZES {
        let x = numbers(n_rows * n_inputs, 3);
        let weights = numbers(n_outputs * n_inputs, 4);
        let eight: Vec<i8> = weights.iter().map(|w| (w * 127.0) as i8).collect();
        let eight = PackedMatrix::from_eight_bits(&eight, &vec![0.01; n_outputs], n_inputs);
        for matrix in [
            PackedMatrix::new(&weights, n_outputs, n_inputs),
            eight.clone(),
            eight.for_few_rows(),
        ] {
            let outputs = on_every_unit(Given(&matrix, &x));
            for other in &outputs[1..] {
                for (a, b) in outputs[0].iter().zip(other) {
                    assert!((a - b).abs() < 1e-6 * (n_inputs as f32 + 10.0), "{a} {b}");
                }
            }
        }
    }
}
