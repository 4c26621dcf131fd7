//! Signatures that were served, remembered until they expire.

use std::collections::{BTreeMap, HashSet};

use time::OffsetDateTime;

/// The most that are remembered: about 40 bytes each.
const MOST: usize = 1_000_000;

/// Why a signature is not new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenBefore {
    /// It was served.
    Yes,
    /// Nobody can tell: it could not be remembered.
    NoRoomToTell,
}

/// The signatures, by the minute in which they expire, so that a minute is forgotten at once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    minutes: BTreeMap<i64, HashSet<[u8; 16]>>,
    count: usize,
}

impl Seen {
    /// Remembers a signature. Half of its bytes tell it from any other.
    pub(super) fn note(
        &mut self,
        signature: &[u8; 32],
        expires: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), SeenBefore> {
        let live = self.minutes.split_off(&minute(now));
        self.count -= self.minutes.values().map(HashSet::len).sum::<usize>();
        self.minutes = live;
        let mut half = [0; 16];
        half.copy_from_slice(&signature[..16]);
        let of_minute = self.minutes.entry(minute(expires)).or_default();
        if of_minute.contains(&half) {
            return Err(SeenBefore::Yes);
        }
        if self.count >= MOST {
            return Err(SeenBefore::NoRoomToTell);
        }
        of_minute.insert(half);
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
    fn a_signature_is_known_until_it_expires_and_then_forgotten() {
        let mut seen = Seen::default();
        let start = OffsetDateTime::UNIX_EPOCH;
        let expires = start + Duration::minutes(30);
        let at = |seen: &mut Seen, number: u8, minutes| {
            seen.note(&[number; 32], expires, start + Duration::minutes(minutes))
        };
        assert_eq!(at(&mut seen, 1, 0), Ok(()));
        assert_eq!(at(&mut seen, 1, 0), Err(SeenBefore::Yes));
        assert_eq!(at(&mut seen, 2, 0), Ok(()));
        assert_eq!(at(&mut seen, 1, 30), Err(SeenBefore::Yes));
        assert_eq!(seen.count, 2);
        assert_eq!(seen.note(&[3; 32], start + Duration::hours(1), start + Duration::minutes(31)), Ok(()));
        assert_eq!((seen.count, seen.minutes.len()), (1, 1));
    }

    #[test]
    fn a_full_memory_refuses_rather_than_forgets() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut seen = Seen { count: MOST, ..Seen::default() };
        assert_eq!(seen.note(&[1; 32], now, now), Err(SeenBefore::NoRoomToTell));
    }
}
