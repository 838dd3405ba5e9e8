//! Matrix products agree with loops on the vector unit that the engine runs on.
//! Natively every unit is tested beside the code; in WebAssembly this runs twice,
//! with relaxed SIMD and without, since each has a way of its own with 8-bit weights.

use undertone::model::matmul::{PackedMatrix, Scratch};

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// Rows, outputs and inputs, around the sizes of tiles, panels and blocks.
const SIZES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (1, 70, 3),
    (1, 256, 300),
    (2, 33, 17),
    (3, 64, 40),
    (4, 32, 16),
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

/// Adds `x · weightsᵀ` to a half.
fn in_loops(x: &[f32], weights: &[f32], n_inputs: usize) -> Vec<f64> {
    let products = |row: &[f32], weights: &[f32]| -> f64 {
        let terms = row.iter().zip(weights);
        terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let rows = x.chunks_exact(n_inputs);
    rows.flat_map(|row| {
        let outputs = weights.chunks_exact(n_inputs);
        outputs.map(move |weights| 0.5 + products(row, weights))
    })
    .collect()
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn products_agree_with_loops() {
    for (n_rows, n_outputs, n_inputs) in SIZES {
        let x = numbers(n_rows * n_inputs, 1);
        let weights = numbers(n_outputs * n_inputs, 2);
        let eight: Vec<i8> = weights.iter().map(|w| (w * 127.0) as i8).collect();
        let scales: Vec<f32> = (0..n_outputs).map(|o| 0.01 + 1e-4 * o as f32).collect();
        let rows = eight.chunks_exact(n_inputs).zip(&scales);
        let rounded: Vec<f32> = rows
            .flat_map(|(row, scale)| row.iter().map(move |w| f32::from(*w) * scale))
            .collect();
        let packed = PackedMatrix::from_eight_bits(&eight, &scales, n_inputs);
        let cases = [
            (
                PackedMatrix::new(&weights, n_outputs, n_inputs),
                &weights,
                1e-6,
            ),
            (packed.clone(), &rounded, 5e-5),
            (packed.for_few_rows(), &rounded, 5e-5),
        ];
        for (matrix, weights, tolerance) in cases {
            let mut out = vec![0.5; n_rows * n_outputs];
            matrix.add_product(&mut out, &x, &mut Scratch::default());
            for (y, expected) in out.iter().zip(in_loops(&x, weights, n_inputs)) {
                let error = (f64::from(*y) - expected).abs();
                // Rounding errors grow with what is summed up.
                assert!(
                    error < f64::max(tolerance * n_inputs as f64, 1e-6),
                    "{n_rows}·{n_inputs}·{n_outputs}: {error}"
                );
            }
        }
    }
}

/// However a processor takes them, 8-bit weights meet the same rounded inputs, and their
/// products are summed exactly: what comes out is the same everywhere.
#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn eight_bits_meet_inputs_of_sixteen() {
    for (n_rows, n_outputs, n_inputs) in SIZES {
        let x = numbers(n_rows * n_inputs, 5);
        let weights: Vec<i8> = numbers(n_outputs * n_inputs, 6)
            .iter()
            .map(|w| (w * 127.0) as i8)
            .collect();
        let scales: Vec<f32> = (0..n_outputs).map(|o| 0.01 + 1e-4 * o as f32).collect();
        let packed = PackedMatrix::from_eight_bits(&weights, &scales, n_inputs);
        for matrix in [packed.clone(), packed.for_few_rows()] {
            let mut out = vec![0.0; n_rows * n_outputs];
            matrix.add_product(&mut out, &x, &mut Scratch::default());
            let rows = x.chunks_exact(n_inputs);
            for (row, out) in rows.zip(out.chunks_exact(n_outputs)) {
                let largest = row.iter().fold(0.0, |m: f32, v| m.max(v.abs()));
                let amplitude = (i32::MAX as usize / (127 * n_inputs)).min(32_767) as f32;
                let factor = amplitude / largest;
                let outputs = weights.chunks_exact(n_inputs).zip(&scales);
                for (y, (weights, scale)) in out.iter().zip(outputs) {
                    let sum: i64 = (row.iter().zip(weights))
                        .map(|(x, w)| (x * factor).round_ties_even() as i64 * i64::from(*w))
                        .sum();
                    assert_eq!(*y, sum as f32 * (scale * (largest / amplitude)));
                }
            }
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_largest_sums_do_not_overflow() {
    for (n_inputs, weight) in [1, 256, 1536, 20_000]
        .into_iter()
        .zip([-127, 127].iter().cycle())
    {
        let matrix = PackedMatrix::from_eight_bits(&vec![*weight; n_inputs], &[1.0], n_inputs);
        for value in [3.0, -3.0] {
            let mut out = [0.0];
            matrix.add_product(&mut out, &vec![value; n_inputs], &mut Scratch::default());
            let expected = value * f32::from(*weight) * n_inputs as f32;
            assert!(
                (out[0] / expected - 1.0).abs() < 1e-3,
                "{n_inputs}: {} for {expected}",
                out[0]
            );
        }
    }
}
