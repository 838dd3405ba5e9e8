use super::super::header::Cell;
use super::*;
use candle_core::{DType, Device, Var};
use candle_nn::{RNN, VarMap};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Golden {
    cell: Cell,
    hidden: usize,
    inputs: usize,
    n_layers: usize,
    bidirectional: bool,
    steps: usize,
    names: Vec<String>,
    output: Vec<f32>,
}

/// The formula of the golden script.
fn values(k: usize, n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((0.37 * i as f64 + k as f64).sin() / 2.0) as f32)
        .collect()
}

fn config(cell: Cell, hidden: usize, n_layers: usize, bidirectional: bool) -> RecurrentConfig {
    RecurrentConfig {
        cell,
        hidden,
        n_layers,
        bidirectional,
    }
}

#[test]
fn agrees_with_pytorch() -> Result<()> {
    let cases: Vec<Golden> =
        serde_json::from_str(include_str!("../../../tests/golden/recurrent/golden.json"))
            .expect("golden file");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let config = config(case.cell, case.hidden, case.n_layers, case.bidirectional);
        let rows = case.cell.n_gates() * case.hidden;
        let mut weights = HashMap::new();
        for (k, name) in case.names.iter().enumerate() {
            let columns = match (name.starts_with("weight_ih"), name.contains("_l0")) {
                (true, true) => Some(case.inputs),
                (true, false) => Some(case.hidden * config.n_directions()),
                _ if name.starts_with("weight_hh") => Some(case.hidden),
                _ => None,
            };
            let shape = columns.map_or(vec![rows], |c| vec![rows, c]);
            let tensor = Tensor::from_vec(values(k, shape.iter().product()), shape, &Device::Cpu)?;
            weights.insert(name.clone(), tensor);
        }
        let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        let stack = RecurrentStack::new(&config, case.inputs, &vb)?;
        let x: Vec<f32> = values(100, case.steps * case.inputs)
            .iter()
            .map(|v| 2.0 * v)
            .collect();
        let x = Tensor::from_vec(x, (1, case.steps, case.inputs), &Device::Cpu)?;
        let y = stack
            .forward(&x, &[case.steps], false, Ok)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        let worst = y
            .iter()
            .zip(&case.output)
            .fold(0f32, |w, (a, b)| w.max((a - b).abs()));
        assert!(
            y.len() == case.output.len() && worst < 1e-5,
            "{:?}: {worst}",
            case.cell
        );
    }
    Ok(())
}

#[test]
fn agrees_with_candle() -> Result<()> {
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
    let ours = RecurrentStack::new(&config(Cell::Lstm, 33, 1, false), 9, &vb)?;
    let theirs = candle_nn::lstm(9, 33, Default::default(), vb)?;
    let x = Tensor::randn(0f32, 1.0, (6, 21, 9), &Device::Cpu)?;
    let expected = theirs.states_to_tensor(&theirs.seq(&x)?)?;
    let actual = ours.forward(&x, &[21; 6], false, Ok)?;
    let worst = (expected - actual)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(worst < 1e-5, "{worst}");
    Ok(())
}

#[test]
fn gradients_are_the_slopes_of_the_loss() -> Result<()> {
    for cell in [Cell::Lstm, Cell::SimpleRnn] {
        let (hidden, directions, lengths) = (3, 2, [5, 3]);
        let rows = cell.n_gates() * hidden;
        let x = Var::from_vec(
            values(1, 2 * 5 * directions * rows),
            (2, 5, directions * rows),
            &Device::Cpu,
        )?;
        let w = Var::from_vec(
            values(2, directions * rows * hidden),
            (directions, rows, hidden),
            &Device::Cpu,
        )?;
        let weigh = Tensor::from_vec(values(3, 2 * 5 * 6), (2, 5, 6), &Device::Cpu)?;
        let loss = |x: &Tensor, w: &Tensor| -> Result<Tensor> {
            x.apply_op2(w, Recurrence::new(cell, lengths.to_vec()))?
                .mul(&weigh)?
                .sum_all()
        };
        let gradients = loss(&x, &w)?.backward()?;
        for var in [&x, &w] {
            let gradient = gradients
                .get(var)
                .expect("a gradient")
                .flatten_all()?
                .to_vec1::<f32>()?;
            let start = var.flatten_all()?.to_vec1::<f32>()?;
            for i in (0..start.len()).step_by(7) {
                let nudged = |by: f32| -> Result<f32> {
                    let mut v = start.clone();
                    v[i] += by;
                    let t = Tensor::from_vec(v, var.shape(), &Device::Cpu)?;
                    let is_x = var.shape() == x.shape();
                    let (a, b) = if is_x {
                        (&t, w.as_tensor())
                    } else {
                        (x.as_tensor(), &t)
                    };
                    loss(a, b)?.to_scalar::<f32>()
                };
                let slope = (nudged(1e-2)? - nudged(-1e-2)?) / 2e-2;
                assert!(
                    (slope - gradient[i]).abs() < 2e-3,
                    "{cell:?} {i}: {slope} {}",
                    gradient[i]
                );
            }
        }
    }
    Ok(())
}
