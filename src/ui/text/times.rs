//! Lengths and points of time, as a person reads them.

/// A length of time.
pub fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        // Rounded as `fine_clock` rounds, which may stand beside it.
        format!("{:.1} s", (seconds * 10.0).round() / 10.0)
    } else {
        clock(seconds)
    }
}

/// `m:ss`, from an hour on `h:mm:ss`.
pub fn clock(seconds: f64) -> String {
    let total = seconds.max(0.0) as u64;
    let (h, m, s) = (total / 3_600, total / 60 % 60, total % 60);
    if h > 0 {
        format!("{h}:{m:02}:{s:02}")
    } else {
        format!("{m}:{s:02}")
    }
}

/// `m:ss.s`.
pub fn fine_clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    format!("{}.{}", clock((tenths / 10) as f64), tenths % 10)
}

/// A mark of the time axis.
pub fn tick(seconds: f64, duration_s: f64) -> String {
    if duration_s < 60.0 {
        format!("{seconds} s")
    } else {
        clock(seconds)
    }
}

/// The length of an utterance.
pub fn length(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// A time constant.
pub fn time_constant(seconds: f64) -> String {
    if seconds < 0.05 {
        "none".to_owned()
    } else {
        format!("{seconds:.1} s")
    }
}

/// Time left, roughly.
pub fn remaining(remaining_ms: f64) -> String {
    let seconds = remaining_ms / 1_000.0;
    let minutes = seconds / 60.0;
    match seconds {
        s if s < 5.0 => "a few seconds left".to_owned(),
        s if s < 55.0 => format!("about {:.0} s left", (s / 5.0).ceil() * 5.0),
        _ if minutes < 1.5 => "about a minute left".to_owned(),
        _ if minutes < 55.0 => format!("about {minutes:.0} min left"),
        _ if minutes < 80.0 => "about an hour left".to_owned(),
        _ => format!("about {:.1} hours left", minutes / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(clock(65.9), "1:05");
        assert_eq!(clock(3_725.0), "1:02:05");
        assert_eq!(fine_clock(59.96), "1:00.0");
        assert_eq!(duration(2.66), "2.7 s");
        assert_eq!(tick(0.5, 3.0), "0.5 s");
        assert_eq!(tick(90.0, 200.0), "1:30");
    }

    #[test]
    fn time_left_is_never_more_exact_than_it_is_known() {
        assert_eq!(remaining(1_200.0), "a few seconds left");
        assert_eq!(remaining(31_000.0), "about 35 s left");
        assert_eq!(remaining(70_000.0), "about a minute left");
        assert_eq!(remaining(250_000.0), "about 4 min left");
        assert_eq!(remaining(3.6e6), "about an hour left");
        assert_eq!(remaining(9e6), "about 2.5 hours left");
    }
}
