//! Properties that hold for every ID number and for every text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use shenfen_core::IdNumber;
use shenfen_core::id_number::{Answer, check_digit};
use time::macros::date;
use time::{Date, Duration};

const TODAY: Date = date!(2026 - 11 - 23);

/// Any valid number: a province, any county digits, a date that has been, any sequence.
fn valid_number() -> impl Strategy<Value = String> {
    let province = prop::sample::select(vec!["11", "33", "46", "51", "50", "65", "71", "81", "82", "83", "932"]);
    let days = (TODAY - date!(1800 - 01 - 01)).whole_days();
    (province, 0..10_000_u32, 0..=days, 0..1000_u32).prop_map(|(province, county, age, sequence)| {
        let born = TODAY - Duration::days(age);
        let address: String = format!("{province}{county:04}").chars().take(6).collect();
        let body = format!("{address}{:04}{:02}{:02}{sequence:03}", born.year(), born.month() as u8, born.day());
        let digit = check_digit(body.as_bytes().try_into().unwrap()).unwrap();
        format!("{body}{digit}")
    })
}

/// A text with one of its characters replaced.
fn replaced(text: &str, place: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[place] = byte;
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn parsing_printed_values_round_trips(text in valid_number()) {
        let number = IdNumber::parse(&text, TODAY).unwrap();
        prop_assert_eq!(number.reveal(), &text);
        prop_assert_eq!(IdNumber::parse(number.reveal(), TODAY).unwrap(), number);
        prop_assert_eq!(IdNumber::parse_lenient(&text, TODAY).unwrap().number, number);
    }

    #[test]
    fn check_digit_detects_every_single_wrong_digit(text in valid_number(), place in 0..18_usize, digit in b'0'..=b'9') {
        prop_assume!(text.as_bytes()[place] != digit);
        prop_assert!(IdNumber::parse(&replaced(&text, place, digit), TODAY).is_err());
    }

    #[test]
    fn check_digit_detects_every_swap_of_neighbours(text in valid_number(), place in 0..17_usize) {
        let mut bytes = text.into_bytes();
        prop_assume!(bytes[place] != bytes[place + 1]);
        bytes.swap(place, place + 1);
        prop_assert!(IdNumber::parse(&String::from_utf8(bytes).unwrap(), TODAY).is_err());
    }

    #[test]
    fn weighted_sum_of_digits_is_one_modulo_eleven(text in valid_number()) {
        // ISO 7064 in its own words: the weighted sum of all 18 is 1 modulo 11.
        let sum = text.bytes().rev().fold((0, 1), |(sum, weight), byte| {
            let value = if byte == b'X' { 10 } else { u32::from(byte - b'0') };
            (sum + value * weight, weight * 2 % 11)
        });
        prop_assert_eq!(sum.0 % 11, 1);
    }

    #[test]
    fn upgrading_15_digits_keeps_address_date_and_gender(text in valid_number()) {
        let number = IdNumber::parse(&text, TODAY).unwrap();
        let old = format!("{}{}", &text[..6], &text[8..17]);
        let upgraded = IdNumber::parse(&old, TODAY).unwrap();
        prop_assert_eq!(upgraded.gender(), number.gender());
        prop_assert_eq!(upgraded.address_code(), number.address_code());
        prop_assert_eq!(&upgraded.reveal()[8..17], &text[8..17]);
    }

    #[test]
    fn separators_change_only_the_finding(text in valid_number(), place in 0..=18_usize) {
        let spaced = format!("{} {}", &text[..place], &text[place..]);
        let lenient = IdNumber::parse_lenient(&spaced, TODAY).unwrap();
        prop_assert_eq!(lenient.number.reveal(), &text);
        prop_assert!(lenient.normalized);
        prop_assert!(IdNumber::parse(&spaced, TODAY).is_err());
    }

    #[test]
    fn never_panics_on_any_text(text in any::<String>()) {
        let _ = IdNumber::parse(&text, TODAY);
        let _ = IdNumber::parse_lenient(&text, TODAY);
    }

    #[test]
    fn never_panics_on_text_close_to_a_number(text in "[0-9０-９A-Za-z*×Ⅹ() 一-十-]{14,19}") {
        for outcome in [IdNumber::parse(&text, TODAY).map(Into::into), IdNumber::parse_lenient(&text, TODAY)] {
            serde_json::to_string(&Answer::detailed(&outcome, TODAY)).unwrap();
        }
    }

    #[test]
    fn debug_and_errors_mask_the_number(text in valid_number(), place in 0..18_usize, digit in b'0'..=b'9') {
        for text in [text.clone(), replaced(&text, place, digit)] {
            let shown = match IdNumber::parse(&text, TODAY) {
                Ok(number) => format!("{number} {number:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains(&text[6..14]) && !shown.contains(&text[2..8]));
        }
    }
}
