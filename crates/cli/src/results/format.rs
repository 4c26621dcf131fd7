//! The formats of an export, and which one the name of a file asks for.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;

use crate::table;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// An aligned table.
    Table,
    /// JSON Lines with the complete results.
    Json,
    /// All columns except the complete result, unchanged: for programs.
    Csv,
    /// The same for Excel and WPS: with a byte order mark, long numbers kept as text, nothing taken for a formula.
    CsvExcel,
    /// An Excel workbook.
    Xlsx,
    /// Apache Parquet, with the complete results.
    Parquet,
}

impl Format {
    /// The format given, else the one that the file's ending names; without a file a table on a terminal and JSON elsewhere.
    ///
    /// # Errors
    /// When the ending names none or another one than was given, or the format needs a file.
    pub(super) fn choose(given: Option<Format>, file: Option<&Path>) -> anyhow::Result<Format> {
        let Some(file) = file else {
            return match given {
                Some(Format::Xlsx | Format::Parquet) => bail!("xlsx and parquet are written to a file: --output FILE"),
                Some(format) => Ok(format),
                None => Ok(match table::Format::or_default(None) {
                    table::Format::Table => Format::Table,
                    table::Format::Json => Format::Json,
                }),
            };
        };
        let name = file.display();
        match (given, Format::of_ending(file)) {
            (None, Some(format)) => Ok(format),
            (Some(given), Some(named)) if !given.may_end_as(named) => {
                bail!(
                    "the ending of {name} is that of another format than --format (SHENFEN_FORMAT): leave one of them out"
                )
            }
            (Some(given), _) => Ok(given),
            (None, None) => {
                bail!("the ending of {name} names no format: use .csv, .jsonl, .xlsx or .parquet, or --format")
            }
        }
    }

    fn of_ending(file: &Path) -> Option<Format> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "jsonl" | "ndjson" | "json" => Some(Format::Json),
            "xlsx" => Some(Format::Xlsx),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }

    /// Whether a file of this format may have the ending of the other.
    fn may_end_as(self, named: Format) -> bool {
        self == named || (self, named) == (Format::CsvExcel, Format::Csv)
    }
}
