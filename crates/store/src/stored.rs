//! The columns of a row that come from a result, the same in every database.

use serde::Serialize;
use shenfen_core::{CardColumns, PictureResult};
use time::Date;

use crate::result::Sides;

/// The columns that come from a result. A field that could not be read is absent, and NULL in the table. Dates are
/// `YYYY-MM-DD`. No `Debug`: it is personal data throughout.
#[derive(Serialize)]
pub(crate) struct StoredResult<'a> {
    pub(crate) status: &'static str,
    pub(crate) decision: &'static str,
    pub(crate) sides: Option<&'static str>,
    pub(crate) name: Option<String>,
    pub(crate) gender: Option<String>,
    pub(crate) ethnic: Option<String>,
    pub(crate) birth_date: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) identity_no: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) valid_from: Option<String>,
    pub(crate) valid_to: Option<String>,
    pub(crate) long_term: bool,
    /// The least of the cards' confidences.
    pub(crate) confidence: Option<f64>,
    pub(crate) result: &'a PictureResult,
    pub(crate) model_version: &'a str,
    pub(crate) image_sha256: Option<&'a str>,
}

impl<'a> StoredResult<'a> {
    pub(crate) fn of(result: &'a PictureResult, image_sha256: Option<&'a str>) -> StoredResult<'a> {
        let columns = CardColumns::of(result);
        let text = |text: String| Some(text).filter(|text| !text.is_empty());
        // A date's own Display is YYYY-MM-DD for the years that a card can show.
        let date = |date: Option<Date>| date.map(|date| date.to_string());
        StoredResult {
            status: result.status.as_str(),
            decision: result.decision.as_str(),
            sides: Sides::of(result).map(Sides::as_str),
            name: text(columns.name),
            gender: text(columns.gender),
            ethnic: text(columns.ethnic),
            birth_date: date(columns.birth_date),
            address: text(columns.address),
            identity_no: text(columns.identity_no),
            authority: text(columns.authority),
            valid_from: date(columns.valid_from),
            valid_to: date(columns.valid_to),
            long_term: columns.long_term,
            confidence: result.cards.iter().map(|card| f64::from(card.confidence)).reduce(f64::min),
            result,
            model_version: &result.model.version,
            image_sha256,
        }
    }
}
