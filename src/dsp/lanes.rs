//! Sums and the like in eight interleaved parts, so that a vector unit can take
//! them; a sum's rounding is that of the parts, better than one after another.

const N: usize = 8;

/// Sum of `term` over the values.
pub fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; N];
    let chunks = values.chunks_exact(N);
    let rest: f32 = chunks.remainder().iter().map(|v| term(*v)).sum();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += term(*v);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Sum of `term` over pairs of values; the longer slice's end is left out.
pub fn sum2(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; N];
    let n = a.len().min(b.len());
    let (a, b) = (a[..n].chunks_exact(N), b[..n].chunks_exact(N));
    let rest: f32 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(x, y)| term(*x, *y))
        .sum();
    for (x, y) in a.zip(b) {
        for i in 0..N {
            lanes[i] += term(x[i], y[i]);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// The largest of the values, or zero; none is NaN.
pub fn max(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [0.0f32; N];
    let chunks = values.chunks_exact(N);
    let rest = chunks.remainder().iter().copied().fold(0.0, larger);
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*v, *lane);
        }
    }
    lanes.into_iter().fold(rest, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_counts_once() {
        for n in [0, 1, 7, 8, 9, 41] {
            let values: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let expected = (n * n) as f32 / 2.0 - n as f32 / 2.0;
            assert_eq!(sum(&values, |v| v), expected);
            assert_eq!(sum2(&values, &[1.0; 50], |a, b| a * b), expected);
            assert_eq!(max(&values), (n as f32 - 1.0).max(0.0));
        }
    }
}
