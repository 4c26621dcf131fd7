//! Replay protection: accepted signatures, remembered until they expire.

use std::collections::{BTreeMap, HashMap};

use time::OffsetDateTime;

/// Maximum number of remembered signatures: about 50 bytes each.
const MAX_SIGNATURES: usize = 1_000_000;
/// For so many seconds after a signature was first accepted it may come again: its time has whole seconds, so two requests that are made
/// within one have the same signature, and may arrive a little more than a second apart.
const SAME_MOMENT: i64 = 2;

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplayError {
    /// It was accepted before.
    Replayed,
    /// There is no room to remember it.
    Full,
}

/// The signatures by the minute in which they expire, so that a whole minute is dropped at once.
#[derive(Debug, Default)]
pub(super) struct AcceptedSignatures {
    minutes: BTreeMap<i64, HashMap<[u8; 16], OffsetDateTime>>,
    count: usize,
}

impl AcceptedSignatures {
    /// Remembers a signature. 16 of its 32 bytes are enough to identify it.
    pub(super) fn note(
        &mut self,
        signature: &[u8; 32],
        expires: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), ReplayError> {
        let live = self.minutes.split_off(&minute(now));
        self.count -= self.minutes.values().map(HashMap::len).sum::<usize>();
        self.minutes = live;
        let mut half = [0; 16];
        half.copy_from_slice(&signature[..16]);
        let of_minute = self.minutes.entry(minute(expires)).or_default();
        if let Some(&first) = of_minute.get(&half) {
            let is_same_moment = (now - first).whole_seconds() < SAME_MOMENT;
            return if is_same_moment { Ok(()) } else { Err(ReplayError::Replayed) };
        }
        if self.count >= MAX_SIGNATURES {
            return Err(ReplayError::Full);
        }
        of_minute.insert(half, now);
        self.count += 1;
        Ok(())
    }
}

fn minute(time: OffsetDateTime) -> i64 {
    time.unix_timestamp().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    #[test]
    fn remembers_signatures_until_they_expire() {
        let mut seen = AcceptedSignatures::default();
        let start = OffsetDateTime::UNIX_EPOCH;
        let expires = start + Duration::minutes(30);
        let at = |seen: &mut AcceptedSignatures, number: u8, seconds| {
            seen.note(&[number; 32], expires, start + Duration::seconds(seconds))
        };
        assert_eq!(at(&mut seen, 1, 0), Ok(()));
        assert_eq!(at(&mut seen, 1, 1), Ok(()), "signed twice in a second");
        assert_eq!(at(&mut seen, 1, 2), Err(ReplayError::Replayed), "counted from the first time");
        assert_eq!(at(&mut seen, 2, 2), Ok(()));
        assert_eq!(at(&mut seen, 1, 30 * 60), Err(ReplayError::Replayed));
        assert_eq!(seen.count, 2);
        assert_eq!(seen.note(&[3; 32], start + Duration::hours(1), start + Duration::minutes(31)), Ok(()));
        assert_eq!((seen.count, seen.minutes.len()), (1, 1));
    }

    #[test]
    fn full_memory_refuses_new_signatures() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut seen = AcceptedSignatures { count: MAX_SIGNATURES, ..AcceptedSignatures::default() };
        assert_eq!(seen.note(&[1; 32], now, now), Err(ReplayError::Full));
    }
}
