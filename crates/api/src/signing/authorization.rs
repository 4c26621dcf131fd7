//! The `Authorization` header.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::MAX_VALIDITY;
use crate::encoding::from_hex;

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The parts of `credit-v1/{ak}/{timestamp}/{expire}/{signedHeaders}/{signature}`.
pub(crate) struct Authorization<'a> {
    /// Everything before the signed headers: the signing key is derived from it.
    pub(crate) prefix: &'a str,
    pub(crate) ak: &'a str,
    pub(crate) time: OffsetDateTime,
    expire: u32,
    /// Names joined by `;`; empty means the three headers that Java and Go sign.
    pub(crate) signed_headers: &'a str,
    pub(crate) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// Parses the header; `None` if it is malformed.
    pub(crate) fn parse(text: &'a str) -> Option<Authorization<'a>> {
        let text = text.trim_ascii();
        let parts: Vec<&str> = text.split('/').collect();
        let &["credit-v1", ak, time, expire, signed_headers, signature] = &parts[..] else { return None };
        let prefix = text.get(..text.len() - signed_headers.len() - signature.len() - 2)?;
        if ak.is_empty() || expire.is_empty() || !expire.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        Some(Authorization {
            prefix,
            ak,
            time: PrimitiveDateTime::parse(time, TIME).ok()?.assume_utc(),
            expire: expire.parse().ok()?,
            signed_headers,
            signature: from_hex(signature)?,
        })
    }

    /// When it expires.
    pub(crate) fn expires(&self) -> OffsetDateTime {
        let expire = std::time::Duration::from_secs(self.expire.into()).min(MAX_VALIDITY);
        // Only a time at the end of the calendar overflows, and that is refused as too far in the future.
        self.time.checked_add(Duration::try_from(expire).unwrap_or_default()).unwrap_or(self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_malformed_headers() {
        let signature = "0123456789abcdef".repeat(4);
        let good = format!("credit-v1/key/2024-02-29T23:59:59Z/1800/host;credit-date/{signature}");
        let parsed = Authorization::parse(&good).unwrap();
        assert_eq!((parsed.ak, parsed.signed_headers), ("key", "host;credit-date"));
        assert_eq!(parsed.prefix, "credit-v1/key/2024-02-29T23:59:59Z/1800");
        assert_eq!(parsed.expires() - parsed.time, Duration::minutes(30));
        assert!(Authorization::parse(&good.replace("host;credit-date", "")).is_some());
        for (part, other) in [
            ("credit-v1", "credit-v2"),
            ("/key/", "//"),
            ("key", "a/b"),
            ("02-29", "02-30"),
            ("T23", " 23"),
            ("59Z", "59+08:00"),
            ("1800", "-1"),
            ("1800", "+1"),
            ("1800", ""),
            ("1800", "99999999999"),
            ("host;credit-date/", ""),
            ("cdef", "cdeg"),
            ("cdef", "cde"),
        ] {
            assert!(Authorization::parse(&good.replacen(part, other, 1)).is_none(), "{part} -> {other}");
        }
    }

    #[test]
    fn signatures_expire_after_at_most_half_an_hour() {
        for (expire, minutes) in [("60", 1), ("1800", 30), ("86400", 30), ("0", 0)] {
            let text = format!("credit-v1/k/2024-01-01T00:00:00Z/{expire}//{}", "00".repeat(32));
            let parsed = Authorization::parse(&text).unwrap();
            assert_eq!(parsed.expires() - parsed.time, Duration::minutes(minutes));
        }
    }
}
