//! Today in China.

use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime};

/// Today in Asia/Shanghai: one time zone and, since 1992, no daylight saving.
pub(crate) fn today_in_china() -> Date {
    OffsetDateTime::now_utc().to_offset(offset!(+8)).date()
}

/// A day as YYYY-MM-DD.
pub(crate) fn parse_day(text: &str) -> Result<Date, time::error::Parse> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
}
