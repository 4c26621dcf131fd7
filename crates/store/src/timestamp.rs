//! Timestamps as text in the tables: UTC with milliseconds, so that they sort as text.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// The instant as text.
pub(crate) fn to_text(instant: OffsetDateTime) -> String {
    // Formatting a date into a String fails only for a format that the type cannot serve.
    instant.to_offset(UtcOffset::UTC).format(FORMAT).unwrap_or_default()
}

/// The text as an instant.
pub(crate) fn from_text(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    PrimitiveDateTime::parse(text, FORMAT).map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_to_the_millisecond() {
        let instant = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_456_789).unwrap();
        assert_eq!(to_text(instant), "2023-11-14T22:13:20.123Z");
        assert_eq!(to_text(from_text(&to_text(instant)).unwrap()), to_text(instant));
    }
}
