//! Order statistics.

/// The `q`-quantile (`0..=1`) of ascending values, between neighbours in
/// proportion, as `numpy.quantile`; `None` of none.
pub fn quantile(ascending: &[f32], q: f64) -> Option<f32> {
    let place = q * ascending.len().checked_sub(1)? as f64;
    let (low, share) = (place.floor() as usize, place.fract() as f32);
    let high = (low + 1).min(ascending.len() - 1);
    Some(ascending[low] + share * (ascending[high] - ascending[low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lies_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[7.0], 0.95), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
