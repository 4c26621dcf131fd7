//! The ways in which a text is no valid ID number.

use std::fmt;

use time::Date;

use super::other_document::OtherDocument;
use super::parts::Parts;
use crate::gender::Gender;
use crate::region::Region;

/// Why a text is no valid ID number. The text of an error never repeats the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdNumberError {
    /// The text has the shape of another identity document's number.
    #[error("document type not correct")]
    OtherDocument(OtherDocument),
    /// Neither 18 nor 15 characters.
    #[error("length not correct")]
    Length,
    /// A character that cannot stand there: only digits, and X in the 18th place.
    #[error("character not correct")]
    Character,
    /// The first digits name no province and no other kind of holder.
    #[error("province not correct")]
    Province,
    /// The birth date does not exist, or lies before 1800.
    #[error("birth date not correct")]
    Date,
    /// The birth date lies after today.
    #[error("birth date in the future")]
    Future,
    /// The check digit does not fit the other 17.
    #[error("checksum not correct")]
    Checksum(Misprint),
    /// Only when asked for: the address code is in no table.
    #[error("region not known")]
    RegionUnknown,
    /// Only when asked for: the address code was not in use in the person's time.
    #[error("region not in use at the time")]
    RegionNotAtTime,
}

impl IdNumberError {
    /// The stable name of the reason; part of the contract.
    pub fn reason(&self) -> &'static str {
        match self {
            IdNumberError::OtherDocument(_) => "other_document",
            IdNumberError::Length => "length",
            IdNumberError::Character => "character",
            IdNumberError::Province => "province",
            IdNumberError::Date => "date",
            IdNumberError::Future => "future",
            IdNumberError::Checksum(_) => "checksum",
            IdNumberError::RegionUnknown => "region_unknown",
            IdNumberError::RegionNotAtTime => "region_not_at_time",
        }
    }
}

/// A number that is right but for its check digit, with what it would mean if only that digit were wrong.
///
/// Some elderly people are said to hold official numbers of this kind. `Debug` masks it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Misprint(pub(super) Parts);

impl Misprint {
    /// The 18 characters in clear, as given. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        self.0.text()
    }

    /// The check digit that the other 17 ask for: a digit or X.
    pub fn expected_check_digit(&self) -> char {
        char::from(self.0.expected_check_digit())
    }

    /// The birth date as it stands in the number.
    pub fn birth_date(&self) -> Date {
        self.0.birth_date()
    }

    /// The gender as it stands in the number.
    pub fn gender(&self) -> Gender {
        self.0.gender()
    }

    /// The first six digits.
    pub fn address_code(&self) -> u32 {
        self.0.address_code()
    }

    /// The region as it stands in the number.
    pub fn region(&self) -> Region {
        self.0.region()
    }
}

impl fmt::Debug for Misprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Misprint(")?;
        self.0.fmt_masked(f)?;
        f.write_str(")")
    }
}
