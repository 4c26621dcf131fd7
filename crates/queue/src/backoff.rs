//! Waiting times between attempts: doubling, bounded, and with jitter so that workers do not retry all at once.
//!
//! The only backoff of the workspace. Crates for it wrap the call that is retried; here the wait stands in a `select!`
//! beside the signal to stop, so all that is needed is the next wait.

use std::time::Duration;

use rand::Rng;

/// Doubling waits, each shortened at random by up to a half.
///
/// ```
/// # use std::time::Duration;
/// let mut backoff = shenfen_queue::Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
/// for full in [1, 2, 3, 3] {
///     assert!(backoff.wait() <= Duration::from_secs(full));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits from `first` to at most `most`.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = (self.next * 2).min(self.most);
        wait
    }

    /// Starts again from the shortest wait.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_reset() {
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
