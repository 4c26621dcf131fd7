//! The documented answer about one number, as JSON: what the command line prints and the HTTP service sends.

use serde::{Serialize, Serializer};
use time::Date;

use super::{Holder, IdNumber, IdNumberError, Lenient, Misprint, Origin, Warning};
use crate::gender::Gender;
use crate::region::{Place, Region};

/// The answer about one number: `{"status":"ok","message":{..}}` or `{"status":"fail","message":"checksum not correct"}`,
/// with more keys beside them if asked for.
///
/// It holds personal data in clear and therefore has no `Debug`.
#[derive(Serialize)]
pub struct Answer<'a> {
    status: &'static str,
    message: Message<'a>,
    #[serde(flatten)]
    detail: Option<Detail>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Message<'a> {
    Number {
        id: &'a str,
        #[serde(flatten)]
        parts: PartNames,
    },
    #[serde(serialize_with = "as_sentence")]
    Fault(&'a IdNumberError),
}

/// What the number says, by the documented names.
#[derive(Serialize)]
struct PartNames {
    #[serde(serialize_with = "as_midnight")]
    birthday: Date,
    gender: Gender,
    #[serde(flatten)]
    place: PlaceNames,
}

/// The levels of a place, empty where there is none.
#[derive(Serialize)]
struct PlaceNames {
    province: &'static str,
    city: &'static str,
    county: &'static str,
}

/// What goes beyond the documented answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Detail {
    Number {
        holder: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        nationality: Option<u16>,
        warnings: Vec<&'static str>,
        /// The region's names and codes in force; absent if unknown.
        #[serde(skip_serializing_if = "Option::is_none")]
        today: Option<RegionToday>,
        /// Given with 15 digits.
        upgraded: bool,
        normalized: bool,
    },
    Fault {
        reason: &'static str,
        /// Which other document the text looks like.
        #[serde(skip_serializing_if = "Option::is_none")]
        document: Option<&'static str>,
        /// With a wrong check digit: the parts as they stand there.
        #[serde(skip_serializing_if = "Option::is_none")]
        parsed: Option<Parsed>,
    },
}

#[derive(Serialize)]
struct RegionToday {
    codes: &'static [u32],
    #[serde(flatten)]
    place: PlaceNames,
}

#[derive(Serialize)]
struct Parsed {
    expected_check_digit: char,
    #[serde(flatten)]
    parts: PartNames,
}

impl<'a> Answer<'a> {
    /// The two documented keys alone.
    pub fn documented(outcome: &'a Result<Lenient, IdNumberError>) -> Answer<'a> {
        match outcome {
            Ok(Lenient { number, .. }) => Answer {
                status: "ok",
                message: Message::Number { id: number.reveal(), parts: PartNames::of_number(number) },
                detail: None,
            },
            Err(error) => Answer { status: "fail", message: Message::Fault(error), detail: None },
        }
    }

    /// The documented keys, and beside them the reason, warnings, holder, today's region and what was done to the text.
    pub fn detailed(outcome: &'a Result<Lenient, IdNumberError>, today: Date) -> Answer<'a> {
        let detail = match outcome {
            Ok(read) => Detail::of_number(read, today),
            Err(error) => Detail::of_error(error),
        };
        Answer { detail: Some(detail), ..Answer::documented(outcome) }
    }
}

impl Detail {
    fn of_number(read: &Lenient, today: Date) -> Detail {
        let number = &read.number;
        let holder = number.holder();
        let nationality = match holder {
            Holder::ForeignPermanentResident { nationality, .. } => Some(nationality),
            _ => None,
        };
        Detail::Number {
            holder: holder.name(),
            nationality,
            warnings: number.warnings(today).into_iter().map(Warning::name).collect(),
            today: RegionToday::of(number.region()),
            upgraded: matches!(number.origin(), Origin::Fifteen { .. }),
            normalized: read.normalized,
        }
    }

    fn of_error(error: &IdNumberError) -> Detail {
        let document = match error {
            IdNumberError::OtherDocument(document) => Some(document.name()),
            _ => None,
        };
        let parsed = match error {
            IdNumberError::Checksum(misprint) => Some(Parsed {
                expected_check_digit: misprint.expected_check_digit(),
                parts: PartNames::of_misprint(misprint),
            }),
            _ => None,
        };
        Detail::Fault { reason: error.reason(), document, parsed }
    }
}

impl PartNames {
    fn of_number(number: &IdNumber) -> PartNames {
        PartNames { birthday: number.birth_date(), gender: number.gender(), place: number.region().at_issue().into() }
    }

    fn of_misprint(misprint: &Misprint) -> PartNames {
        PartNames {
            birthday: misprint.birth_date(),
            gender: misprint.gender(),
            place: misprint.region().at_issue().into(),
        }
    }
}

impl RegionToday {
    fn of(region: Region) -> Option<RegionToday> {
        let codes = region.codes_today();
        (!codes.is_empty()).then(|| RegionToday { codes, place: region.today().into() })
    }
}

impl From<Place> for PlaceNames {
    fn from(place: Place) -> PlaceNames {
        PlaceNames {
            province: place.province.unwrap_or_default(),
            city: place.city.unwrap_or_default(),
            county: place.county.unwrap_or_default(),
        }
    }
}

/// The documented form of a birth date. It is a civil date all the same: do not shift it by a time zone.
fn as_midnight<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{date}T00:00:00Z"))
}

fn as_sentence<S: Serializer>(error: &&IdNumberError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
