//! The header Authorization.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::LONGEST;
use crate::encoding::from_hex;

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// `credit-v1/{ak}/{timestamp}/{expire}/{signedHeaders}/{signature}`, taken apart.
pub(super) struct Authorization<'a> {
    /// All before the signed headers, which the signing key is made of.
    pub(super) prefix: &'a str,
    pub(super) ak: &'a str,
    pub(super) time: OffsetDateTime,
    expire: u32,
    /// Names joined by `;`; empty for the three that Java and Go sign.
    pub(super) signed_headers: &'a str,
    pub(super) signature: [u8; 32],
}

impl<'a> Authorization<'a> {
    /// The parts; `None` for anything of another form.
    pub(super) fn parse(text: &'a str) -> Option<Authorization<'a>> {
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

    /// The last moment at which it is good.
    pub(super) fn expires(&self) -> OffsetDateTime {
        let expire = std::time::Duration::from_secs(self.expire.into()).min(LONGEST);
        // Only a time at the end of the calendar overflows, which lies in the future all the same.
        self.time.checked_add(Duration::try_from(expire).unwrap_or_default()).unwrap_or(self.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_of_another_form_is_refused() {
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
    fn no_signature_is_good_for_longer_than_half_an_hour() {
        for (expire, minutes) in [("60", 1), ("1800", 30), ("86400", 30), ("0", 0)] {
            let text = format!("credit-v1/k/2024-01-01T00:00:00Z/{expire}//{}", "00".repeat(32));
            let parsed = Authorization::parse(&text).unwrap();
            assert_eq!(parsed.expires() - parsed.time, Duration::minutes(minutes));
        }
    }
}
