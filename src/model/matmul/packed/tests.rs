//! Products are the same on every vector unit; that they agree with loops on one is
//! tested in `tests/products.rs`.

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
