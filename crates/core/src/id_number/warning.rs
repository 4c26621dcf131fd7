//! What is unusual about a valid number.

use std::fmt;

/// Something unusual about a number that is nevertheless valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// The address code is in no table. Real cards with such codes exist: local codes of farms, oil fields and zones.
    RegionUnknown,
    /// The address code ended before the birth, or began after the birth of someone numbered at birth.
    RegionNotAtTime,
    /// Older than [`Warning::GREATEST_AGE`].
    Age,
    /// A 15-digit number whose century is a guess.
    CenturyInferred,
}

impl Warning {
    /// Nobody is known to have grown older than 122 years.
    pub const GREATEST_AGE: u16 = 130;

    /// The stable name; part of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Warning::RegionUnknown => "region_unknown",
            Warning::RegionNotAtTime => "region_not_at_time",
            Warning::Age => "age",
            Warning::CenturyInferred => "century_inferred",
        }
    }
}

/// A sentence for a person.
impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Warning::RegionUnknown => "the address code is in no table",
            Warning::RegionNotAtTime => "the address code was not in use in the person's time",
            Warning::Age => "the person would be older than 130 years",
            Warning::CenturyInferred => "the century of birth does not stand in the number",
        })
    }
}
