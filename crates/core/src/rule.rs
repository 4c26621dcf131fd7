//! Every rule that can raise a finding, with its stable name, its usual severity and its sentence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::finding::{Finding, Severity};
use crate::reading::FieldName;

macro_rules! rules {
    ($($origin:literal {
        $($variant:ident $name:literal $(| $alias:literal)? $severity:ident $sentence:literal)+
    })+) => {
        /// A rule. Its name is part of the contract and stands in [`Finding::rule`]; its sentence never names a value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(
                #[doc = concat!("`", $name, "`: ", $sentence, ".")]
                $variant,
            )+)+
            /// A rule that this version does not know, read from a result that another version stored. Never raised.
            Unknown,
        }

        impl Rule {
            /// All rules that can be raised, in the order of `RULES.md`.
            pub const ALL: &[Rule] = &[$($(Rule::$variant),+),+];

            /// The stable name.
            pub fn name(self) -> &'static str {
                match self {
                    $($(Rule::$variant => $name,)+)+
                    Rule::Unknown => "unknown",
                }
            }

            /// The name that it had in earlier versions, if it was another one. It is still read, and findings carry it
            /// beside the name.
            pub fn alias(self) -> Option<&'static str> {
                match self {
                    $($($(Rule::$variant => Some($alias),)?)+)+
                    _ => None,
                }
            }

            /// What raises it: a heading of `RULES.md`.
            pub fn origin(self) -> &'static str {
                match self {
                    $($(Rule::$variant)|+ => $origin,)+
                    Rule::Unknown => "another version",
                }
            }

            /// The severity, unless the place where the rule is applied says otherwise.
            pub fn severity(self) -> Severity {
                match self {
                    $($(Rule::$variant => Severity::$severity,)+)+
                    Rule::Unknown => Severity::Warning,
                }
            }

            /// What it means, as a sentence for a person.
            pub fn sentence(self) -> &'static str {
                match self {
                    $($(Rule::$variant => $sentence,)+)+
                    Rule::Unknown => "a rule of another version of this program",
                }
            }
        }
    };
}

rules! {
    "Getting the picture" {
        FileMissing "file_missing" Error "there is no such file"
        FileUnreadable "file_unreadable" Error "the file cannot be opened or read, or is not a regular file"
        PathRefused "path_refused" Error "the worker opens no files, or the path leads out of its image root"
        UrlRefused "url_refused" Error "the worker fetches no pictures from this host, or the URL is malformed"
        UrlFailed "url_failed" Error "the server answered that it has no such picture, or redirects without end"
    }
    "Decoding the picture" {
        PictureEmpty "picture_empty" Error "the picture has no bytes"
        PictureFormat "picture_format" Error "the bytes are not a picture of a supported format"
        PictureDamaged "picture_damaged" Error "the picture is damaged and cannot be decoded"
        PictureBytes "picture_bytes" Error "the picture has more bytes than the limit"
        PicturePixels "picture_pixels" Error "the picture has more pixels than the limit"
        PictureSmall "picture_small" Error "the picture has too few pixels to show a card"
    }
    "The HTTP request (only in answers of /v1/ocr_cn with detail=1)" {
        RequestInvalid "request_invalid" Error "the request cannot be understood or is not authenticated"
        Busy "busy" Error "the service cannot read the picture now: try again later"
    }
    "Cards in the picture" {
        NoCard "no_card" Error "no card was found in the picture"
        NothingReadable "nothing_readable" Error "a card was found, but no field of it is sure, or only its name or words that no card prints"
        SeveralFronts "several_fronts" Info "more than one portrait side; the most confident one fills the message"
        SeveralBacks "several_backs" Info "more than one emblem side; the most confident one fills the message"
        DifferentHolders "different_holders" Warning "portrait sides with different numbers: the picture shows more than one person's card"
        DocumentMismatch "document_mismatch" Warning "the two sides are of different kinds of documents, or of different kinds of holders"
        Incomplete "incomplete" Warning "a part of the card lies outside the picture"
        Monochrome "monochrome" Info "the picture is grey: a photocopy or a grey scan"
        Mirrored "mirrored" Warning "the picture is mirrored: the card was read in its mirror image"
        PagesLeft "pages_left" Warning "the file holds more pictures than the first one, which were not read"
        OtherSide "other_side" Warning "the side that the publisher announced is not in the picture"
    }
    "Any field" {
        Missing "missing" Warning "the field was not found or is empty"
        Occluded "occluded" Warning "a part of the field is covered, washed out or cut off: what was read of it may not be all"
        LowConfidence "low_confidence" Warning "the field was read with little confidence"
        LabelRemoved "label_removed" Info "a printed label stuck to the value and was taken off"
        NoiseRemoved "noise_removed" Info "doubtful characters beside the value were taken off, because only without them it is lawful"
        Normalized "normalized" Info "characters were written in their standard form"
        Character "character" Warning "a character cannot stand in this field"
        Length "length" Warning "the field has too few or too many characters"
        CharacterCorrected "character_corrected" Info "a less probable character was taken, because the best makes no lawful value"
        RareCharacter "rare_character" Warning "a character that next to no card has: one that looks like it, or that no network knows, is as likely"
        SeparatorMissing "separator_missing" Warning "a part of the name is longer than names in one part are: the dot between two may have been overlooked"
    }
    "The number (GB 11643-1999)" {
        OtherDocument "other_document" Error "the number has the shape of another document's number"
        Province "province" Error "the first digits of the number name no province"
        Date "date" Error "the date does not exist"
        Future "future" Error "the date lies in the future"
        Checksum "checksum" Error "the check digit does not fit the other digits"
        RegionUnknown "region_unknown" Warning "the address code of the number is in no table"
        RegionNotAtTime "region_not_at_time" Info "the address code was not in use in the person's time"
        ImplausibleAge "implausible_age" | "age" Warning "the person would be older than 130 years"
        NonCitizenDocument "non_citizen_document" | "other_card" Warning "the number belongs to a residence permit or a foreigner's card"
        ChecksumCorrected "checksum_corrected" Info "a digit was corrected by the check digit, within what could have been read"
        LengthCorrected "length_corrected" Warning "a digit too many or too few was put right by check digit and birth date"
    }
    "Gender, ethnic group and birth date" {
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
    }
    "Residence permits of Hong Kong, Macao and Taiwan residents" {
        PermitNumberForm "permit_number_form" Warning "the row of the travel permit's number holds neither H or M with eight or ten digits nor eight digits"
        IssueCountForm "issue_count_form" Warning "the count of issues is not a number of one or two digits"
    }
    "Address, authority and validity" {
        AddressRegion "address_region" Warning "the address begins with a province that does not exist"
        AuthorityForm "authority_form" Warning "the authority has not the form of a public security bureau"
        AuthorityAddress "authority_address" Info "the authority's place does not occur in the address; normal after a move"
        ValidityForm "validity_form" Warning "the validity has not the form of two dates, or of a date and 长期"
        ValidityCorrected "validity_corrected" Info "a less probable reading of the validity was taken, because the best is not lawful"
        InvalidValidityPeriod "invalid_validity_period" | "term" Error "the validity is not 5, 10 or 20 years to the day"
        TermForAge "term_for_age" Warning "the term is not the one for the holder's age at issue"
        IssuedTooEarly "issued_too_early" Error "issued before these cards existed (29 March 2004)"
        IssuedInFuture "issued_in_future" Error "the first day of validity lies in the future"
        IssuedBeforeBirth "issued_before_birth" Error "issued before the holder was born"
        Expired "expired" Info "the card is no longer valid"
    }
}

impl Rule {
    /// A finding of the usual severity about a field.
    pub fn of(self, field: FieldName) -> Finding {
        Finding { field: Some(field), ..self.of_card() }
    }

    /// A finding of the usual severity about the whole card or picture.
    pub fn of_card(self) -> Finding {
        Finding { field: None, rule: self, severity: self.severity(), usual: None, detail: self.sentence().to_owned() }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is the name of no rule, of this version or an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no rule of this name")]
pub struct UnknownRule;

impl FromStr for Rule {
    type Err = UnknownRule;

    /// Takes the name, or the name in earlier versions.
    fn from_str(text: &str) -> Result<Rule, UnknownRule> {
        let is_called = |rule: &&Rule| rule.name() == text || rule.alias() == Some(text);
        Rule::ALL.iter().find(is_called).copied().ok_or(UnknownRule)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Rule {
    /// A name that this version does not know becomes [`Rule::Unknown`], so that results of other versions can be read.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rule, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(name.parse().unwrap_or(Rule::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Rule;

    /// The headings and rows of the document, in order.
    fn document() -> Vec<&'static str> {
        let is_listed = |line: &&str| line.starts_with("## ") || line.starts_with("| `");
        include_str!("../RULES.md").lines().filter(is_listed).collect()
    }

    #[test]
    fn the_document_lists_every_rule_and_no_other() {
        let mut expected: Vec<String> = Vec::new();
        let mut origin = "";
        for rule in Rule::ALL {
            if rule.origin() != origin {
                origin = rule.origin();
                expected.push(format!("## {origin}"));
            }
            let name = rule.alias().map_or_else(|| format!("`{rule}`"), |alias| format!("`{rule}` (was `{alias}`)"));
            let severity = format!("{:?}", rule.severity()).to_lowercase();
            expected.push(format!("| {name} | {severity} | {} |", rule.sentence()));
        }
        assert_eq!(document(), expected);
    }

    #[test]
    fn names_and_aliases_are_unique_and_in_snake_case() {
        let names: Vec<&str> = Rule::ALL.iter().flat_map(|rule| [Some(rule.name()), rule.alias()]).flatten().collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        assert!(!names.contains(&Rule::Unknown.name()));
    }

    #[test]
    fn names_and_aliases_are_read_back() {
        for &rule in Rule::ALL {
            for name in [Some(rule.name()), rule.alias()].into_iter().flatten() {
                assert_eq!(name.parse(), Ok(rule));
                assert_eq!(serde_json::from_value::<Rule>(name.into()).unwrap(), rule);
            }
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }

    #[test]
    fn a_rule_of_another_version_can_be_read() {
        assert_eq!(serde_json::from_str::<Rule>("\"of_tomorrow\"").unwrap(), Rule::Unknown);
        assert!("of_tomorrow".parse::<Rule>().is_err());
        assert!(serde_json::from_str::<Rule>("7").is_err());
    }
}
