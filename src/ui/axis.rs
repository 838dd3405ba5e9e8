//! Where a time axis has its marks.

/// Marks there is room for on a telephone.
const MAX_TICKS: f64 = 7.0;

/// Steps a person reads easily, seconds; beyond them whole hours.
const STEPS_S: [f64; 14] = [
    0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0,
];

/// Evenly spaced marks from zero, at most seven, none so near the end that
/// its label would be cut off.
pub fn ticks(duration_s: f64) -> Vec<f64> {
    let wanted_s = duration_s / MAX_TICKS;
    let step_s = STEPS_S
        .into_iter()
        .find(|step| *step >= wanted_s)
        .unwrap_or_else(|| (wanted_s / 3_600.0).ceil() * 3_600.0);
    (0..=MAX_TICKS as usize)
        .map(|i| i as f64 * step_s)
        .take_while(|t| *t <= 0.9 * duration_s)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_and_round() {
        assert_eq!(ticks(2.7), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(ticks(65.0), [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(ticks(0.0), [0.0]);
        for duration_s in [0.5, 3.3, 59.0, 3_599.0, 40_000.0] {
            let n = ticks(duration_s).len();
            assert!((2..=7).contains(&n), "{n} marks for {duration_s} s");
        }
    }
}
