//! Waiting times between attempts: doubling, bounded, and jittered so that workers do not return all at once.

use std::time::Duration;

use rand::Rng;

/// Doubling waits from `first` to `most`, each shortened at random by up to a half.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// How long to wait now.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = (self.next * 2).min(self.most);
        wait
    }

    /// Starts again from the shortest wait.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_stay_in_bounds_and_start_again() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(1));
        let mut backoff = Backoff::new(first, most);
        for full in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.wait();
            let full = Duration::from_millis(full);
            assert!(full / 2 <= wait && wait <= full, "{wait:?} is not within {full:?} and its half");
        }
        backoff.reset();
        assert!(backoff.wait() <= first);
    }
}
