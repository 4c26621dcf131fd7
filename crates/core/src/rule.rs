//! Every rule that can raise a finding, with its stable name, its usual severity and its sentence.

use crate::finding::{Finding, Severity};
use crate::reading::FieldName;

macro_rules! rules {
    ($($variant:ident $name:literal $severity:ident $sentence:literal)+) => {
        /// A rule. Its name is part of the contract and stands in [`Finding::rule`]; its sentence never names a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $(
                #[doc = concat!("`", $name, "`: ", $sentence, ".")]
                $variant,
            )+
        }

        impl Rule {
            /// All rules, in the order of the documentation.
            pub const ALL: &[Rule] = &[$(Rule::$variant),+];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$variant => $name,)+
                }
            }

            /// The severity, unless the place where the rule is applied says otherwise.
            pub fn severity(self) -> Severity {
                match self {
                    $(Rule::$variant => Severity::$severity,)+
                }
            }

            /// What it means, as a sentence for a person.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Rule::$variant => $sentence,)+
                }
            }
        }
    };
}

rules! {
    // The picture and the card.
    NoCard "no_card" Error "no card was found in the picture"
    NothingReadable "nothing_readable" Error "a card was found, but no field of it is sure, or only its name or words that no card prints"
    SeveralFronts "several_fronts" Info "more than one portrait side; the most confident one fills the message"
    SeveralBacks "several_backs" Info "more than one emblem side; the most confident one fills the message"
    DifferentHolders "different_holders" Warning "portrait sides with different numbers: the picture shows more than one person's card"
    Incomplete "incomplete" Warning "a part of the card lies outside the picture"
    Monochrome "monochrome" Info "the picture is grey: a photocopy or a grey scan"
    // Any field.
    Missing "missing" Warning "the field was not found or is empty"
    LowConfidence "low_confidence" Warning "the field was read with little confidence"
    LabelRemoved "label_removed" Info "a printed label stuck to the value and was taken off"
    NoiseRemoved "noise_removed" Info "doubtful characters beside the value were taken off, because only without them it is lawful"
    Normalized "normalized" Info "characters were written in their standard form"
    Character "character" Warning "a character cannot stand in this field"
    Length "length" Warning "the field has too few or too many characters"
    CharacterCorrected "character_corrected" Info "a less probable character was taken, because the best makes no lawful value"
    RareCharacter "rare_character" Warning "a character that next to no card has: one that looks like it, or that no network knows, is as likely"
    SeparatorMissing "separator_missing" Warning "a part of the name is longer than names in one part are: the dot between two may have been overlooked"
    // The number, GB 11643-1999. The first seven are the reasons of IdNumberError.
    OtherDocument "other_document" Error "the number has the shape of another document's number"
    Province "province" Error "the first digits of the number name no province"
    Date "date" Error "the date does not exist"
    Future "future" Error "the date lies in the future"
    Checksum "checksum" Error "the check digit does not fit the other digits"
    RegionUnknown "region_unknown" Warning "the address code of the number is in no table"
    RegionNotAtTime "region_not_at_time" Info "the address code was not in use in the person's time"
    Age "age" Warning "the person would be older than 130 years"
    OtherCard "other_card" Warning "the number belongs to a residence permit or a foreigner's card"
    ChecksumCorrected "checksum_corrected" Info "a digit was corrected by the check digit, within what could have been read"
    LengthCorrected "length_corrected" Warning "a digit too many or too few was put right by check digit and birth date"
    // Gender, ethnic group, birth date.
    GenderUnknown "gender_unknown" Warning "the gender is neither 男 nor 女"
    GenderCorrected "gender_corrected" Info "a less probable reading of the gender was taken"
    GenderMismatch "gender_mismatch" Error "the gender contradicts the number"
    EthnicUnknown "ethnic_unknown" Warning "the ethnic group is in no list"
    EthnicCorrected "ethnic_corrected" Info "a less probable reading of the ethnic group was taken: the best is no group"
    BirthDateForm "birth_date_form" Warning "the birth date has not the form of a date"
    BirthDateCorrected "birth_date_corrected" Info "a less probable reading of the birth date was taken"
    BirthDateMismatch "birth_date_mismatch" Error "the birth date contradicts the number"
    FilledFromNumber "filled_from_number" Info "the field could not be read and was derived from the number"
    Minor "minor" Info "the holder is younger than 18 years"
    // Address, authority, validity.
    AddressRegion "address_region" Warning "the address begins with a province that does not exist"
    AuthorityForm "authority_form" Warning "the authority has not the form of a public security bureau"
    AuthorityAddress "authority_address" Info "the authority's place does not occur in the address; normal after a move"
    ValidityForm "validity_form" Warning "the validity has not the form of two dates, or of a date and 长期"
    ValidityCorrected "validity_corrected" Info "a less probable reading of the validity was taken, because the best is not lawful"
    Term "term" Error "the validity is not 5, 10 or 20 years to the day"
    TermForAge "term_for_age" Warning "the term is not the one for the holder's age at issue"
    IssuedTooEarly "issued_too_early" Error "issued before these cards existed (29 March 2004)"
    IssuedInFuture "issued_in_future" Error "the first day of validity lies in the future"
    IssuedBeforeBirth "issued_before_birth" Error "issued before the holder was born"
    Expired "expired" Warning "the card is no longer valid"
}

impl Rule {
    /// A finding of the usual severity about a field.
    pub fn of(self, field: FieldName) -> Finding {
        Finding { field: Some(field), ..self.of_card() }
    }

    /// A finding of the usual severity about the whole card or picture.
    pub fn of_card(self) -> Finding {
        Finding {
            field: None,
            rule: self.name().to_owned(),
            severity: self.severity(),
            detail: self.sentence().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Rule;

    #[test]
    fn the_document_lists_every_rule() {
        let severity = |rule: &Rule| format!("{:?}", rule.severity()).to_lowercase();
        let row = |rule: &Rule| format!("| `{}` | {} | {} |", rule.name(), severity(rule), rule.sentence());
        let listed: Vec<&str> = include_str!("../RULES.md").lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(listed, Rule::ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_unique_and_in_snake_case() {
        let names: HashSet<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        assert_eq!(names.len(), Rule::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
