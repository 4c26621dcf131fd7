//! The columns of an export with the types of their values: those of the table `results`, but for the complete result.

use std::borrow::Cow;

use shenfen_store::{ResultRow, Sides};
use time::{Date, OffsetDateTime};

/// A column.
pub(super) struct Column {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) values: Values,
}

/// The values of a column: their type, and where in a row they are.
pub(super) enum Values {
    /// Words and identifiers; absent where nothing was read or given.
    Text(fn(&ResultRow) -> Option<Cow<'_, str>>),
    /// A day.
    Date(fn(&ResultRow) -> Option<Date>),
    /// A moment.
    Instant(fn(&ResultRow) -> OffsetDateTime),
    /// True or false.
    Flag(fn(&ResultRow) -> bool),
    /// A quantity.
    Number(fn(&ResultRow) -> Option<f64>),
    /// A number of times.
    Count(fn(&ResultRow) -> u32),
}

/// The columns in the order of the table, with the names that the JSON export has.
pub(super) const COLUMNS: [Column; 23] = [
    column("job_id", Values::Text(|row| Some(row.job_id.to_string().into()))),
    column("batch", Values::Text(|row| text(&row.batch))),
    column("reference", Values::Text(|row| row.reference.as_deref().and_then(text))),
    column("source", Values::Text(|row| text(&row.source))),
    column("status", Values::Text(|row| text(row.status.as_str()))),
    column("decision", Values::Text(|row| text(row.decision.as_str()))),
    column("side", Values::Text(|row| row.sides.map(Sides::as_str).and_then(text))),
    column("name", Values::Text(|row| text(&row.columns.name))),
    column("gender", Values::Text(|row| text(&row.columns.gender))),
    column("ethnic", Values::Text(|row| text(&row.columns.ethnic))),
    column("birth_date", Values::Date(|row| row.columns.birth_date)),
    column("address", Values::Text(|row| text(&row.columns.address))),
    column("identity_no", Values::Text(|row| text(&row.columns.identity_no))),
    column("authority", Values::Text(|row| text(&row.columns.authority))),
    column("valid_from", Values::Date(|row| row.columns.valid_from)),
    column("valid_to", Values::Date(|row| row.columns.valid_to)),
    column("long_term", Values::Flag(|row| row.columns.long_term)),
    column("confidence", Values::Number(|row| row.confidence)),
    column("attempts", Values::Count(|row| row.attempts)),
    column("model_version", Values::Text(|row| text(&row.model_version))),
    column("image_sha256", Values::Text(|row| row.image_sha256.as_deref().and_then(text))),
    column("created_at", Values::Instant(|row| row.created_at)),
    column("finished_at", Values::Instant(|row| row.finished_at)),
];

const fn column(name: &'static str, values: Values) -> Column {
    Column { name, values }
}

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(text).filter(|text| !text.is_empty()).map(Cow::Borrowed)
}
