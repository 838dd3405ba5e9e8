//! Decibels that end below the loudest.

/// `top_db` of `librosa.power_to_db`.
const TOP_DB: f32 = 80.0;

/// Raises everything to at least 80 dB below the largest.
pub fn limit(values_db: &mut [f32]) {
    let max = values_db.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for v in values_db {
        *v = v.max(max - TOP_DB);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lies_deeper() {
        let mut values = [-100.0, -3.0, -85.0];
        limit(&mut values);
        assert_eq!(values, [-83.0, -3.0, -83.0]);
    }
}
