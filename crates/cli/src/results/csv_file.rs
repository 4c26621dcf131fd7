//! CSV, for programs and for spreadsheets.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Context;
use shenfen_store::{ResultRow, ShownRow};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Sink;
use super::columns::{COLUMNS, Values};

/// Who reads the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A program: every value exactly as it is stored.
    Program,
    /// Excel or WPS, which guess what a cell means: texts are written so that they stay what they are.
    Spreadsheet,
}

/// Writes CSV.
pub(super) struct CsvFile<W: Write> {
    out: csv::Writer<W>,
    reader: Reader,
}

impl<W: Write> CsvFile<W> {
    /// Begins the file with the names of the columns.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn begin(mut out: W, reader: Reader) -> anyhow::Result<CsvFile<W>> {
        let mut settings = csv::WriterBuilder::new();
        if reader == Reader::Spreadsheet {
            // Without it Excel takes the text for GBK or another code page of the system.
            out.write_all("\u{feff}".as_bytes())?;
            settings.terminator(csv::Terminator::CRLF);
        }
        let mut out = settings.from_writer(out);
        out.write_record(COLUMNS.map(|column| column.name))?;
        Ok(CsvFile { out, reader })
    }

    fn cell<'a>(&self, values: &Values, row: &'a ResultRow) -> anyhow::Result<Cow<'a, str>> {
        Ok(match values {
            Values::Text(text) => match self.reader {
                Reader::Program => text(row).unwrap_or_default(),
                Reader::Spreadsheet => kept_as_text(text(row).unwrap_or_default()),
            },
            Values::Date(date) => date(row).map(|date| date.to_string()).unwrap_or_default().into(),
            Values::Instant(instant) => instant_text(instant(row))?.into(),
            Values::Flag(flag) => Cow::Borrowed(if flag(row) { "true" } else { "false" }),
            // Always with a point, as JSON has it.
            Values::Number(number) => number(row).map(|number| format!("{number:?}")).unwrap_or_default().into(),
            Values::Count(count) => count(row).to_string().into(),
        })
    }
}

impl<W: Write> Sink for CsvFile<W> {
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()> {
        for row in rows.iter().map(ShownRow::row) {
            for column in &COLUMNS {
                let cell = self.cell(&column.values, row)?;
                self.out.write_field(cell.as_bytes())?;
            }
            self.out.write_record(None::<&[u8]>)?;
        }
        Ok(self.out.flush()?)
    }

    fn finish(mut self: Box<Self>) -> anyhow::Result<()> {
        Ok(self.out.flush()?)
    }
}

/// A moment as all exports of text have it.
///
/// # Errors
/// When its year has more than four digits.
pub(super) fn instant_text(instant: OffsetDateTime) -> anyhow::Result<String> {
    instant.format(&Rfc3339).context("a time cannot be written as RFC 3339")
}

/// The text in a form that a spreadsheet does not take for a formula, a number or a date.
///
/// What begins like a formula gets an apostrophe before it (OWASP, "CSV Injection"; the wide forms of the signs count in
/// Chinese and Japanese versions of Excel). What could be a number or a date, as an identity number of 18 digits of
/// which Excel keeps 15, becomes a formula that is nothing but this text: it has no character that could end it.
fn kept_as_text(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => format!("'{text}").into(),
        Some('0'..='9' | '.') if text.chars().all(in_numbers_and_dates) => format!("=\"{text}\"").into(),
        _ => text,
    }
}

fn in_numbers_and_dates(character: char) -> bool {
    matches!(character, '0'..='9' | '.' | ',' | '-' | '/' | ':' | '+' | '%' | ' ' | 'e' | 'E' | '年' | '月' | '日')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts_in_spreadsheets() {
        let cases = [
            ("=1+1", "'=1+1"),
            ("＝1+1", "'＝1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("-5", "'-5"),
            ("130129198304138441", "=\"130129198304138441\""),
            ("007", "=\"007\""),
            ("1-2", "=\"1-2\""),
            ("12E5", "=\"12E5\""),
            ("3月4日", "=\"3月4日\""),
            ("11010519491231002X", "11010519491231002X"),
            ("2026/1.jpg", "2026/1.jpg"),
            ("1\"&A1", "1\"&A1"),
            ("卢家宇", "卢家宇"),
            ("", ""),
        ];
        for (text, written) in cases {
            assert_eq!(kept_as_text(text.into()), written);
        }
    }
}
