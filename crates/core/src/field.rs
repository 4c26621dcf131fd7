//! The values of a card's fields, each parsed from its text. All of them are personal and mask themselves.

mod address;
mod authority;
mod birth_date;
mod ethnicity;
mod name;
mod permit;
mod validity;

pub use address::Address;
pub use authority::Authority;
pub use birth_date::{BirthDate, age_on};
pub use ethnicity::Ethnicity;
pub use name::PersonName;
pub use permit::{IssueCount, PermitNumber};
pub use validity::{FIRST_ISSUE, Term, Validity};

/// Whether a character is Han, 〇 included: the Unicode blocks of unified and compatibility ideographs.
pub(crate) fn is_han(character: char) -> bool {
    matches!(
        character,
        '〇' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'
    )
}
