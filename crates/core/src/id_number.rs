//! ID numbers (公民身份号码): GB 11643-1999, the 15 digits of GB 11643-1989, and the residence permits that share them.
//!
//! A number is 6 digits of address, 8 of birth date, 3 of sequence (odd for men) and a check digit (ISO 7064 MOD 11-2).
//! The address is that of the registered residence when the number was made; it never changes afterwards.

mod answer;
mod clean;
mod error;
mod other_document;
mod parts;
mod warning;

#[cfg(test)]
mod tests;

use std::fmt;

use time::Date;

pub use answer::Answer;
pub use error::{IdNumberError, Misprint};
pub use other_document::OtherDocument;
pub use parts::check_digit;
pub use warning::Warning;

use crate::gender::Gender;
use crate::region::{Fit, Region};
use clean::Cleaned;
use parts::Parts;

/// A valid ID number in its canonical form: 18 characters, the last a digit or a capital X.
///
/// `Debug` and `Display` mask it; [`IdNumber::reveal`] gives the clear text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdNumber {
    parts: Parts,
    origin: Origin,
}

/// Which form a number was given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// 18 characters.
    Eighteen,
    /// 15 digits of a first-generation card, upgraded by century and check digit.
    Fifteen {
        /// Sequence 996 to 999, which the 1989 standard kept for centenarians: whether such a person was born in 18YY or
        /// 19YY does not stand in the number.
        century_inferred: bool,
    },
}

/// Whose number it is, told from the first digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A citizen registered on the mainland.
    Mainland,
    /// A resident of Hong Kong with a residence permit (810000, since 2018).
    HongKong,
    /// A resident of Macau with a residence permit (820000, since 2018).
    Macau,
    /// A resident of Taiwan with a residence permit (830000, since 2018); also the province code 71 of GB/T 2260.
    Taiwan,
    /// A foreigner with permanent residence (leading 9, GA 2102-2023, since December 2023).
    ForeignPermanentResident {
        /// Where the card was applied for.
        province: &'static str,
        /// ISO 3166-1 numeric code of the nationality. Not checked against a list.
        nationality: u16,
    },
}

impl Holder {
    /// The stable name; part of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Holder::Mainland => "mainland",
            Holder::HongKong => "hong_kong",
            Holder::Macau => "macau",
            Holder::Taiwan => "taiwan",
            Holder::ForeignPermanentResident { .. } => "foreign_permanent_resident",
        }
    }
}

/// A number read in the lenient way, and what had to be done to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lenient {
    /// The number.
    pub number: IdNumber,
    /// Characters were dropped or mapped. A lower-case x and the upgrade from 15 digits do not count.
    pub normalized: bool,
    /// Among the mapped ones was a letter taken for a digit: O for 0, or I or l for 1.
    pub look_alikes: bool,
}

impl From<IdNumber> for Lenient {
    /// A number that was read as it stood.
    fn from(number: IdNumber) -> Lenient {
        Lenient { number, normalized: false, look_alikes: false }
    }
}

impl IdNumber {
    /// Reads 18 characters (a lower-case x is taken too) or 15 digits, which are upgraded. Nothing else may stand around.
    ///
    /// `today` bounds the birth date; take it in Asia/Shanghai.
    ///
    /// # Errors
    /// The first way in which the text is wrong, in the order of [`IdNumberError`]'s variants.
    pub fn parse(text: &str, today: Date) -> Result<IdNumber, IdNumberError> {
        IdNumber::from_cleaned(clean::strict(text)?, today)
    }

    /// Like [`IdNumber::parse`], but first drops blanks, hyphens and zero-width characters, maps full-width digits to
    /// ASCII, and takes Ⅹ, Х, × and * for X.
    ///
    /// In 18 characters O is taken for 0 and I, l and | for 1 as well. That is safe there and only there: the check digit
    /// catches every single wrong character, while 15 digits have none.
    ///
    /// # Errors
    /// The first way in which the cleaned text is wrong, in the order of [`IdNumberError`]'s variants.
    pub fn parse_lenient(text: &str, today: Date) -> Result<Lenient, IdNumberError> {
        let (cleaned, changes) = clean::lenient(text)?;
        let number = IdNumber::from_cleaned(cleaned, today)?;
        Ok(Lenient { number, normalized: changes.any, look_alikes: changes.look_alikes })
    }

    fn from_cleaned(cleaned: Cleaned, today: Date) -> Result<IdNumber, IdNumberError> {
        match cleaned {
            Cleaned::Eighteen(text) => {
                let parts = Parts::new(text, today)?;
                if parts.expected_check_digit() != text[17] {
                    return Err(IdNumberError::Checksum(Misprint(parts)));
                }
                Ok(IdNumber { parts, origin: Origin::Eighteen })
            }
            Cleaned::Fifteen(text) => {
                let (parts, century_inferred) = Parts::upgrade(text, today)?;
                Ok(IdNumber { parts, origin: Origin::Fifteen { century_inferred } })
            }
        }
    }

    /// The number itself unless its region is unknown or ended before the birth: the strict answer to region trouble.
    ///
    /// # Errors
    /// [`IdNumberError::RegionUnknown`] or [`IdNumberError::RegionNotAtTime`]. Both occur on real cards, which is why
    /// parsing does not ask for this.
    pub fn require_region(self) -> Result<IdNumber, IdNumberError> {
        match self.region_warning() {
            None => Ok(self),
            Some(Warning::RegionUnknown) => Err(IdNumberError::RegionUnknown),
            Some(_) => Err(IdNumberError::RegionNotAtTime),
        }
    }

    /// The 18 characters in clear. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        self.parts.text()
    }

    /// The birth date, a civil date without time zone.
    pub fn birth_date(&self) -> Date {
        self.parts.birth_date()
    }

    /// The gender, from the parity of the sequence number.
    pub fn gender(&self) -> Gender {
        self.parts.gender()
    }

    /// Whose number it is.
    pub fn holder(&self) -> Holder {
        self.parts.holder()
    }

    /// The first six digits: the code of the region by GB/T 2260, except with foreigners' numbers.
    pub fn address_code(&self) -> u32 {
        self.parts.address_code()
    }

    /// The form it was given in.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Names of the region when the number was assigned and today.
    pub fn region(&self) -> Region {
        self.parts.region()
    }

    /// Full years of age on a day: a year older on the birthday itself (on 1 March for 29 February in common years).
    /// Zero before birth.
    pub fn age_on(&self, day: Date) -> u16 {
        let born = self.birth_date();
        let before_birthday = (day.month() as u8, day.day()) < (born.month() as u8, born.day());
        u16::try_from(day.year() - born.year() - i32::from(before_birthday)).unwrap_or(0)
    }

    /// What is unusual about a number that is nevertheless valid.
    pub fn warnings(&self, today: Date) -> Vec<Warning> {
        let age = (self.age_on(today) > Warning::GREATEST_AGE).then_some(Warning::Age);
        let century = (self.origin == Origin::Fifteen { century_inferred: true }).then_some(Warning::CenturyInferred);
        self.region_warning().into_iter().chain(age).chain(century).collect()
    }

    /// Codes newer than the birth are normal for everyone who was registered late or numbered when the cards came. Since
    /// 2000 numbers are given at birth registration, so that from then on a newer code is worth a word.
    fn region_warning(&self) -> Option<Warning> {
        const NUMBERED_AT_BIRTH_SINCE: i32 = 2000;
        match self.region().fit() {
            Fit::Exact => None,
            Fit::Later => (self.birth_date().year() >= NUMBERED_AT_BIRTH_SINCE).then_some(Warning::RegionNotAtTime),
            Fit::Earlier => Some(Warning::RegionNotAtTime),
            Fit::Unlisted => Some(Warning::RegionUnknown),
        }
    }
}

impl fmt::Debug for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdNumber({self})")
    }
}

/// Two characters at either end, the rest masked.
impl fmt::Display for IdNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt_masked(f)
    }
}
