//! How far a voice trembles about its own course: a frame against the mean of
//! its neighbours, so that a glide or a swell counts for nothing. The measure
//! is that of the three-point perturbation quotients, taken over 10 ms frames.

/// Of the pitch period, per cent of its mean; `None` without three voiced
/// frames in a row.
pub fn of_pitch_percent(f0_hz: &[Option<f32>]) -> Option<f32> {
    let periods = f0_hz.windows(3).filter_map(|w| match w {
        [Some(a), Some(b), Some(c)] => Some([1.0 / a, 1.0 / b, 1.0 / c]),
        _ => None,
    });
    percent(periods)
}

/// Of the amplitude of the voiced frames, per cent of its mean.
pub fn of_level_percent(rms: &[f32], voiced: &[bool]) -> Option<f32> {
    let frames = rms.windows(3).zip(voiced.windows(3));
    percent(
        frames
            .filter(|(_, voiced)| voiced.iter().all(|v| *v))
            .map(|(rms, _)| [rms[0], rms[1], rms[2]]),
    )
}

fn percent(triples: impl Iterator<Item = [f32; 3]>) -> Option<f32> {
    let (mut off, mut sum) = (0.0, 0.0);
    for [before, here, after] in triples {
        off += f64::from((here - (before + after) / 2.0).abs());
        sum += f64::from(here);
    }
    (sum > 0.0).then(|| (100.0 * off / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glide_is_regular_and_an_alternation_is_not() {
        let swell: Vec<f32> = (0..20).map(|i| 1.0 + 0.1 * i as f32).collect();
        let steady = of_level_percent(&swell, &[true; 20]).expect("a figure");
        assert!(steady < 1e-3, "{steady}");
        let trembling = [1.0, 1.1, 1.0, 1.1, 1.0, 1.1];
        let percent = of_level_percent(&trembling, &[true; 6]).expect("a figure");
        assert!((percent - 9.5).abs() < 0.1, "{percent}");
        assert_eq!(of_pitch_percent(&[Some(100.0), None, Some(100.0)]), None);
    }
}
