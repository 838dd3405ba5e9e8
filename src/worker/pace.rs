//! How long something will still take, from how it went so far.

/// Time before which nothing is foretold, milliseconds: what has only begun
/// says little.
const SETTLE_MS: f64 = 1_500.0;

/// How much of the speed of late counts against the speed so far: what the
/// first third was like says little of the last, but a single step says less.
const RECENT_SHARE: f64 = 0.7;

/// How far back "of late" reaches, milliseconds.
const RECENT_MS: f64 = 15_000.0;

/// Watches something that goes from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// When it was how far: milliseconds on any clock, fraction.
    marks: Vec<(f64, f64)>,
    /// Time that passed in pauses, milliseconds.
    held_ms: f64,
    held_since: Option<f64>,
}

impl Pace {
    /// It has come to `fraction` (`0..=1`) at a time, milliseconds. Going back
    /// means that more has been added, and starts the watch anew.
    pub fn reach(&mut self, now_ms: f64, fraction: f64) {
        let now_ms = now_ms - self.held_ms;
        if self.marks.last().is_some_and(|(_, last)| fraction < *last) {
            self.marks.clear();
        }
        self.marks.push((now_ms, fraction));
        // The first mark stays for the whole, old ones in between go.
        while self.marks.len() > 3 && now_ms - self.marks[2].0 > RECENT_MS {
            self.marks.remove(1);
        }
    }

    /// It stands still on purpose from now on, or goes on.
    pub fn hold(&mut self, now_ms: f64, held: bool) {
        match (held, self.held_since.take()) {
            (true, since) => self.held_since = Some(since.unwrap_or(now_ms)),
            (false, Some(since)) => self.held_ms += now_ms - since,
            (false, None) => {}
        }
    }

    /// Time left, milliseconds; `None` where nothing can be said yet.
    pub fn remaining_ms(&self) -> Option<f64> {
        let (first, last) = (self.marks.first()?, self.marks.last()?);
        let speed = |from: &(f64, f64)| (last.1 - from.1) / (last.0 - from.0);
        if last.0 - first.0 < SETTLE_MS || last.1 <= first.1 {
            return None;
        }
        let recent = speed(&self.marks[1]);
        let speed = match recent.is_finite() && recent > 0.0 {
            true => RECENT_SHARE * recent + (1.0 - RECENT_SHARE) * speed(first),
            false => speed(first),
        };
        Some(((1.0 - last.1) / speed).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_progress_is_foretold_exactly() {
        let mut pace = Pace::default();
        assert_eq!(pace.remaining_ms(), None);
        for i in 0..=25 {
            pace.reach(1_000.0 + 400.0 * f64::from(i), f64::from(i) / 100.0);
        }
        let left = pace.remaining_ms().expect("it has settled");
        assert!((left - 30_000.0).abs() < 1.0, "{left}");
    }

    #[test]
    fn the_beginning_says_nothing_and_a_stop_is_not_the_end() {
        let mut pace = Pace::default();
        pace.reach(0.0, 0.0);
        pace.reach(1_000.0, 0.1);
        assert_eq!(pace.remaining_ms(), None);
        pace.reach(2_000.0, 0.2);
        pace.reach(90_000.0, 0.2);
        assert!(pace.remaining_ms().is_some_and(f64::is_finite));
    }

    #[test]
    fn a_pause_costs_nothing() {
        let mut pace = Pace::default();
        pace.reach(0.0, 0.0);
        pace.reach(5_000.0, 0.25);
        pace.hold(5_000.0, true);
        pace.hold(65_000.0, false);
        pace.reach(70_000.0, 0.5);
        let left = pace.remaining_ms().expect("it has settled");
        assert!((left - 10_000.0).abs() < 1.0, "{left}");
    }

    #[test]
    fn the_last_moments_weigh_more_than_the_first() {
        let mut pace = Pace::default();
        for i in 0..=10 {
            pace.reach(1_000.0 * f64::from(i), 0.05 * f64::from(i));
        }
        // Half is done at 50 s a unit... and from here it goes at a fifth.
        let before = pace.remaining_ms().expect("it has settled");
        for i in 1..=30 {
            pace.reach(10_000.0 + 1_000.0 * f64::from(i), 0.5 + 0.01 * f64::from(i));
        }
        let after = pace.remaining_ms().expect("it has settled");
        // 0.2 are left, at 0.01 a second: 20 s if only the present counted.
        assert!(
            before < 11_000.0 && after > 14_000.0 && after < 20_000.0,
            "{after}"
        );
    }

    #[test]
    fn what_is_kept_stays_small() {
        let mut pace = Pace::default();
        for i in 0..100_000 {
            pace.reach(f64::from(i) * 20.0, f64::from(i) * 1e-5);
        }
        assert!(pace.marks.len() < 1_000, "{}", pace.marks.len());
    }
}
