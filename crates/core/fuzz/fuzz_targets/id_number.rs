//! Any text is either a number that survives printing and parsing, or refused with a reason; nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shenfen_core::IdNumber;
use shenfen_core::id_number::{Answer, Lenient};
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 11 - 23);

fuzz_target!(|text: &str| {
    let strict = IdNumber::parse(text, TODAY);
    let lenient = IdNumber::parse_lenient(text, TODAY);
    if let Ok(number) = strict {
        assert_eq!(
            IdNumber::parse(number.reveal(), TODAY).map(|again| again.reveal().to_owned()),
            Ok(number.reveal().to_owned())
        );
        assert_eq!(lenient.map(|read| read.number), Ok(number));
    }
    for outcome in [strict.map(Lenient::from), lenient] {
        assert!(serde_json::to_string(&Answer::detailed(&outcome, TODAY)).is_ok());
    }
});
