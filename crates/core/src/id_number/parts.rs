//! The parts of 18 characters, once they are known to be digits that name a holder and a date.

use std::fmt;

use time::{Date, Month};

use super::Holder;
use super::error::IdNumberError;
use crate::gender::Gender;
use crate::region::{self, Region};

/// Nobody with a number was born earlier; the standard's own appendix has a birth in 1880.
const FIRST_YEAR: i32 = 1800;

/// 18 characters with a known holder and an existing birth date; the check digit may be wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Parts {
    /// 17 ASCII digits, then a digit or X.
    text: [u8; 18],
    birth_date: Date,
}

impl Parts {
    /// `text` is 17 ASCII digits and a digit or X.
    pub(super) fn new(text: [u8; 18], today: Date) -> Result<Parts, IdNumberError> {
        if region::province_name(province_code(&text)).is_none() {
            return Err(IdNumberError::Province);
        }
        let year = i32::try_from(number(&text[6..10])).map_err(|_| IdNumberError::Date)?;
        let month = Month::try_from(two_digits(&text, 10)).map_err(|_| IdNumberError::Date)?;
        let birth_date =
            Date::from_calendar_date(year, month, two_digits(&text, 12)).map_err(|_| IdNumberError::Date)?;
        if year < FIRST_YEAR {
            return Err(IdNumberError::Date);
        }
        if birth_date > today {
            return Err(IdNumberError::Future);
        }
        Ok(Parts { text, birth_date })
    }

    /// 15 ASCII digits to 18 characters, and whether the century is a guess.
    ///
    /// GB 11643-1989 kept the sequence numbers 996 to 999 for centenarians. The cards with 15 digits were issued from
    /// 1984 to 1999, so a centenarian was born in 1870 to 1899. Everybody else was born in 19YY.
    pub(super) fn upgrade(text: [u8; 15], today: Date) -> Result<(Parts, bool), IdNumberError> {
        let for_centenarians = number(&text[12..15]) >= 996;
        let century = if for_centenarians && number(&text[6..8]) >= 70 { b"18" } else { b"19" };
        let mut body = [0; 17];
        body[..6].copy_from_slice(&text[..6]);
        body[6..8].copy_from_slice(century);
        body[8..].copy_from_slice(&text[6..]);
        let mut upgraded = [0; 18];
        upgraded[..17].copy_from_slice(&body);
        upgraded[17] = checked_digits_to_check_digit(&body);
        Ok((Parts::new(upgraded, today)?, for_centenarians))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    pub(super) fn birth_date(&self) -> Date {
        self.birth_date
    }

    pub(super) fn gender(&self) -> Gender {
        if self.text[16] % 2 == 1 { Gender::Male } else { Gender::Female }
    }

    pub(super) fn address_code(&self) -> u32 {
        number(&self.text[..6])
    }

    pub(super) fn holder(&self) -> Holder {
        match &self.text[..2] {
            b"81" => Holder::HongKong,
            b"82" => Holder::Macau,
            b"71" | b"83" => Holder::Taiwan,
            [b'9', _] => Holder::ForeignPermanentResident {
                province: region::province_name(province_code(&self.text)).unwrap_or_default(),
                nationality: u16::try_from(number(&self.text[3..6])).unwrap_or_default(),
            },
            _ => Holder::Mainland,
        }
    }

    pub(super) fn region(&self) -> Region {
        match self.text[0] {
            b'9' => Region::of_province(province_code(&self.text)),
            _ => Region::of_code(self.address_code(), self.birth_date.year()),
        }
    }

    pub(super) fn expected_check_digit(&self) -> u8 {
        let [body @ .., _] = &self.text;
        checked_digits_to_check_digit(body)
    }

    pub(super) fn fmt_masked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        write!(f, "{}**************{}", &text[..2], &text[16..])
    }
}

/// The check digit for 17 ASCII digits: `0` to `9` or `X`, by ISO 7064 MOD 11-2 (GB 11643-1999, section 4 and appendix A).
/// `None` if there is anything but digits.
pub fn check_digit(body: &[u8; 17]) -> Option<char> {
    body.iter().all(u8::is_ascii_digit).then(|| char::from(checked_digits_to_check_digit(body)))
}

fn checked_digits_to_check_digit(body: &[u8; 17]) -> u8 {
    /// 2^i mod 11, counted from the right.
    const WEIGHTS: [u8; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit & 0x0f) * u32::from(weight)).sum();
    b"10X98765432"[(sum % 11) as usize]
}

/// The two digits that name the province: the first two, but the second and third of a foreigner's number.
fn province_code(text: &[u8; 18]) -> u32 {
    if text[0] == b'9' { number(&text[1..3]) } else { number(&text[..2]) }
}

fn two_digits(text: &[u8; 18], at: usize) -> u8 {
    (text[at] & 0x0f) * 10 + (text[at + 1] & 0x0f)
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit & 0x0f))
}
