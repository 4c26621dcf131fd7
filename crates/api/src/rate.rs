//! Rate limits: a token bucket for each key, which fills at the key's rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket holds as many tokens as come in so many seconds, and at least one.
const BURST_SECONDS: f64 = 2.0;

/// The buckets.
#[derive(Debug)]
pub(crate) struct Rates {
    usual: Option<f64>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Rates {
    /// For keys without a rate of their own, `usual` requests a second; `None` for as many as come.
    pub(crate) fn new(usual: Option<f64>) -> Rates {
        Rates { usual, buckets: Mutex::default() }
    }

    /// Takes a token of the key of this name, whose own rate is `own`; or returns how long to wait for one. Only call it for
    /// a key that exists: there is a bucket for every name.
    pub(crate) fn take(&self, key: &str, own: Option<f64>, now: Instant) -> Result<(), Duration> {
        let Some(rate) = own.or(self.usual) else { return Ok(()) };
        let most = (rate * BURST_SECONDS).max(1.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match buckets.get_mut(key) {
            Some(bucket) => bucket,
            None => buckets.entry(key.to_owned()).or_insert(Bucket { tokens: most, filled: now }),
        };
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + since * rate).min(most);
        bucket.filled = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::try_from_secs_f64((1.0 - bucket.tokens) / rate).unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_limited_to_its_own_rate() {
        let rates = Rates::new(Some(2.0));
        let (usual, own) = (("usual", None), ("own", Some(0.5)));
        let start = Instant::now();
        let at = |(key, rate): (&str, Option<f64>), seconds: f64| {
            rates.take(key, rate, start + Duration::from_secs_f64(seconds))
        };
        let taken = (0..10).filter(|_| at(usual, 0.0).is_ok()).count();
        assert_eq!(taken, 4, "two seconds' worth at once");
        assert_eq!(at(usual, 0.0), Err(Duration::from_millis(500)));
        assert_eq!(at(own, 0.0), Ok(()));
        assert_eq!(at(own, 0.0), Err(Duration::from_secs(2)));
        assert_eq!(at(usual, 0.5), Ok(()));
        assert!(at(usual, 0.5).is_err());
        assert_eq!((0..1000).filter(|_| at(usual, 3600.0).is_ok()).count(), 4);
        assert_eq!((0..1000).filter(|_| Rates::new(None).take("usual", None, start).is_ok()).count(), 1000);
    }
}
