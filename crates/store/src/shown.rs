//! Stored results on their way to somebody's eyes.

use shenfen_core::PictureResult;

use crate::audit::Recorded;
use crate::result::ResultRow;

/// A row that may be shown: masked, or in clear once that is recorded. No `Debug`: it is personal data either way.
#[derive(Clone, PartialEq)]
pub struct ShownRow(ResultRow);

impl ShownRow {
    /// The row without what identifies its holder. Texts are masked, so it keeps all its keys.
    ///
    /// # Errors
    /// When the stored result is not one of ours.
    pub fn masked(row: ResultRow) -> serde_json::Result<ShownRow> {
        let result: PictureResult = serde_json::from_str(&row.result)?;
        let result = serde_json::to_string(&result.masked())?;
        Ok(ShownRow(ResultRow { columns: row.columns.masked(), result, ..row }))
    }

    /// The row in clear, which the audit log says.
    pub fn revealed(row: ResultRow, _recorded: &Recorded) -> ShownRow {
        ShownRow(row)
    }

    /// What may be shown.
    pub fn row(&self) -> &ResultRow {
        &self.0
    }
}
