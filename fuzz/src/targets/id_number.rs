//! Any text is either an ID number that survives printing and parsing, or refused with a reason.

use shenfen_core::IdNumber;
use shenfen_core::id_number::{Answer, Lenient};
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 23);

/// Checks any bytes; those that are no UTF-8 are none that the parser is given.
///
/// # Panics
/// When a number does not survive printing and parsing, or strict and lenient parsing disagree about it.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let strict = IdNumber::parse(text, TODAY);
    let lenient = IdNumber::parse_lenient(text, TODAY);
    if let Ok(number) = strict {
        let printed = number.reveal().to_owned();
        let parsed = IdNumber::parse(&printed, TODAY).map(|parsed| parsed.reveal().to_owned());
        assert_eq!(parsed, Ok(printed));
        assert_eq!(lenient.map(|read| read.number), Ok(number));
    }
    for outcome in [strict.map(Lenient::from), lenient] {
        assert!(serde_json::to_string(&Answer::detailed(&outcome, TODAY)).is_ok());
    }
}
