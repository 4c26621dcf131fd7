//! Excel workbooks (ECMA-376), written in one pass: each row goes into the compressed file as it comes, so a workbook of
//! any length takes the memory of one row. Texts are cells of the type and format text, which no spreadsheet turns into
//! numbers, dates or formulas.

use std::fmt::Write as _;
use std::io::{Seek, Write};

use shenfen_store::{ResultRow, ShownRow};
use time::Date;
use time::macros::date;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Sink;
use super::columns::{COLUMNS, Values};
use super::csv_file::instant_text;
use super::deferred::{Deferred, Fault};

/// How much goes into a sheet before the next one begins.
#[derive(Clone, Copy)]
pub(super) struct SheetLimit {
    /// Rows, with the one of the headings.
    rows: u32,
    /// Bytes before compression.
    bytes: u64,
}

impl SheetLimit {
    /// What Excel opens: 1,048,576 rows ("Excel specifications and limits"), and parts of a file under 4 GiB, beyond which
    /// they have a form of which not every program knows.
    pub(super) const EXCEL: SheetLimit = SheetLimit { rows: 1_048_576, bytes: 3 << 30 };
}

/// Characters of a cell, counted in UTF-16 ("Excel specifications and limits").
const CELL_LIMIT: usize = 32_767;

/// The day 0 of a spreadsheet's dates, counted back over 29 February 1900, which Excel believes in.
const DAY_0: Date = date!(1899 - 12 - 30);

/// The first day on which all agree about its number.
const FIRST_DATE: Date = date!(1900 - 03 - 01);

// Columns have one letter.
const _: () = assert!(COLUMNS.len() <= 26);

/// Styles of cells: their places among `cellXfs` in [`STYLES`].
const TEXT: u8 = 1;
const DATE: u8 = 2;
const HEADING: u8 = 3;

const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font><font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"#;

/// Sheets are the parts without a type of their own, so that this can come first, when their number is not yet known.
const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>"#;

const ROOT: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;

const SHEET_START: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>"#;

const SHEET_END: &str = "</sheetData></worksheet>";

/// Writes a workbook.
pub(super) struct Workbook<W: Write + Seek> {
    zip: ZipWriter<Deferred<W>>,
    fault: Fault,
    limit: SheetLimit,
    /// Sheets begun; the last one is open.
    sheets: u32,
    /// Rows and bytes in the open sheet.
    rows: u32,
    bytes: u64,
    /// The row being made.
    xml: String,
    /// Cells that did not fit.
    cut: u64,
}

impl<W: Write + Seek> Workbook<W> {
    /// Begins a workbook with its first sheet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn begin(out: W, limit: SheetLimit) -> anyhow::Result<Workbook<W>> {
        let (out, fault) = Deferred::new(out);
        let mut book = Workbook {
            zip: ZipWriter::new(out),
            fault,
            limit,
            sheets: 0,
            rows: 0,
            bytes: 0,
            xml: String::new(),
            cut: 0,
        };
        book.part("[Content_Types].xml", CONTENT_TYPES)?;
        book.part("_rels/.rels", ROOT)?;
        book.part("xl/styles.xml", STYLES)?;
        book.begin_sheet()?;
        Ok(book)
    }

    fn part(&mut self, name: &str, content: &str) -> anyhow::Result<()> {
        self.zip.start_file(name, options())?;
        Ok(self.zip.write_all(content.as_bytes())?)
    }

    fn begin_sheet(&mut self) -> anyhow::Result<()> {
        self.sheets += 1;
        (self.rows, self.bytes) = (0, 0);
        self.zip.start_file(format!("xl/worksheets/sheet{}.xml", self.sheets), options())?;
        self.xml.push_str(SHEET_START);
        for (number, column) in (1..).zip(&COLUMNS) {
            let width = width(column.name, &column.values);
            write!(self.xml, r#"<col min="{number}" max="{number}" width="{width}" customWidth="1"/>"#)?;
        }
        self.xml.push_str("</cols><sheetData>");
        self.begin_row()?;
        for (letter, column) in ('A'..).zip(&COLUMNS) {
            self.text_cell(letter, HEADING, column.name)?;
        }
        self.end_row()
    }

    fn row(&mut self, row: &ResultRow) -> anyhow::Result<()> {
        if self.rows >= self.limit.rows || self.bytes >= self.limit.bytes {
            self.zip.write_all(SHEET_END.as_bytes())?;
            self.begin_sheet()?;
        }
        self.begin_row()?;
        for (letter, column) in ('A'..).zip(&COLUMNS) {
            self.cell(letter, &column.values, row)?;
        }
        self.end_row()
    }

    fn cell(&mut self, letter: char, values: &Values, row: &ResultRow) -> anyhow::Result<()> {
        let number = self.rows;
        match values {
            Values::Text(text) => {
                if let Some(text) = text(row) {
                    self.text_cell(letter, TEXT, &text)?;
                }
            }
            Values::Date(date) => match date(row) {
                Some(day) if day >= FIRST_DATE => {
                    let days = (day - DAY_0).whole_days();
                    write!(self.xml, r#"<c r="{letter}{number}" s="{DATE}"><v>{days}</v></c>"#)?;
                }
                // Spreadsheets have no earlier days.
                Some(day) => self.text_cell(letter, TEXT, &day.to_string())?,
                None => {}
            },
            Values::Instant(instant) => self.text_cell(letter, TEXT, &instant_text(instant(row))?)?,
            Values::Flag(flag) => {
                let value = u8::from(flag(row));
                write!(self.xml, r#"<c r="{letter}{number}" t="b"><v>{value}</v></c>"#)?;
            }
            Values::Number(value) => {
                if let Some(value) = value(row).filter(|value| value.is_finite()) {
                    write!(self.xml, r#"<c r="{letter}{number}"><v>{value}</v></c>"#)?;
                }
            }
            Values::Count(count) => {
                let count = count(row);
                write!(self.xml, r#"<c r="{letter}{number}"><v>{count}</v></c>"#)?;
            }
        }
        Ok(())
    }

    fn text_cell(&mut self, letter: char, style: u8, text: &str) -> anyhow::Result<()> {
        let number = self.rows;
        write!(self.xml, r#"<c r="{letter}{number}" s="{style}" t="inlineStr"><is><t xml:space="preserve">"#)?;
        self.cut += u64::from(push_text(&mut self.xml, text));
        self.xml.push_str("</t></is></c>");
        Ok(())
    }

    fn begin_row(&mut self) -> anyhow::Result<()> {
        self.rows += 1;
        Ok(write!(self.xml, r#"<row r="{}">"#, self.rows)?)
    }

    fn end_row(&mut self) -> anyhow::Result<()> {
        self.xml.push_str("</row>");
        self.zip.write_all(self.xml.as_bytes())?;
        self.bytes += self.xml.len() as u64;
        self.xml.clear();
        Ok(())
    }

    /// Ends the workbook and returns what it was written to, and the number of cells that did not fit.
    fn end(mut self) -> anyhow::Result<(W, u64)> {
        self.zip.write_all(SHEET_END.as_bytes())?;
        let mut book = String::from(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><bookViews><workbookView/></bookViews><sheets>"#,
        );
        let mut relations = String::from(
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
        );
        let kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        for sheet in 1..=self.sheets {
            let name = if sheet == 1 { "results".to_owned() } else { format!("results {sheet}") };
            write!(book, r#"<sheet name="{name}" sheetId="{sheet}" r:id="rId{sheet}"/>"#)?;
            let target = format!("worksheets/sheet{sheet}.xml");
            write!(relations, r#"<Relationship Id="rId{sheet}" Type="{kinds}/worksheet" Target="{target}"/>"#)?;
        }
        book.push_str("</sheets></workbook>");
        let styles = self.sheets + 1;
        write!(relations, r#"<Relationship Id="rId{styles}" Type="{kinds}/styles" Target="styles.xml"/>"#)?;
        relations.push_str("</Relationships>");
        self.part("xl/workbook.xml", &book)?;
        self.part("xl/_rels/workbook.xml.rels", &relations)?;
        let mut out = self.zip.finish()?;
        out.flush()?;
        self.fault.check()?;
        Ok((out.into_inner(), self.cut))
    }
}

impl<W: Write + Seek> Sink for Workbook<W> {
    fn write(&mut self, rows: Vec<ShownRow>) -> anyhow::Result<()> {
        rows.iter().try_for_each(|shown| self.row(shown.row()))?;
        Ok(self.fault.check()?)
    }

    fn finish(self: Box<Self>) -> anyhow::Result<()> {
        let (_, cut) = self.end()?;
        if cut > 0 {
            super::tell(&format!(
                "{cut} texts were cut to {CELL_LIMIT} characters, the most that a cell of Excel holds"
            ));
        }
        Ok(())
    }
}

fn options() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).compression_level(Some(1))
}

/// The width of a column, in digits.
fn width(name: &str, values: &Values) -> usize {
    match (name, values) {
        ("address" | "source" | "authority", _) => 36,
        ("identity_no" | "reference" | "batch", _) => 22,
        (_, Values::Instant(_)) => 26,
        _ => 12.max(name.len() + 2),
    }
}

/// Appends a text, escaped, as far as a cell may hold it, and tells whether it had to be cut. What XML cannot hold is
/// written as `_x0001_`, as Excel does; what looks like that already gets its underscore escaped.
fn push_text(xml: &mut String, text: &str) -> bool {
    let mut length = 0;
    for (at, character) in text.char_indices() {
        length += character.len_utf16();
        if length > CELL_LIMIT {
            return true;
        }
        match character {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\t' | '\n' => xml.push(character),
            '\0'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => xml.push_str(&format!("_x{:04X}_", u32::from(character))),
            '_' if is_escape(&text.as_bytes()[at..]) => xml.push_str("_x005F_"),
            _ => xml.push(character),
        }
    }
    false
}

fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'_', b'x', a, b, c, d, b'_', ..] if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Reader, Xlsx};
    use shenfen_core::{CardColumns, Decision, JobId, Status};
    use time::macros::datetime;

    use super::*;

    fn row(reference: &str) -> ResultRow {
        ResultRow {
            seq: 1,
            job_id: JobId::of_picture("kyc", reference, None),
            batch: "kyc".into(),
            reference: Some(reference.into()),
            source: "a.jpg".into(),
            status: Status::Fail,
            decision: Decision::Reject,
            sides: None,
            columns: CardColumns { birth_date: Some(date!(1899 - 12 - 31)), ..CardColumns::default() },
            confidence: Some(0.5),
            result: "{}".into(),
            attempts: 1,
            model_version: "1".into(),
            image_sha256: None,
            created_at: datetime!(2026-11-23 12:00 UTC),
            finished_at: datetime!(2026-11-23 12:00 UTC),
        }
    }

    /// The cells of the column `reference`, sheet by sheet, with their headings, and how many were cut.
    fn references(rows: &[ResultRow], limit: SheetLimit) -> (Vec<Vec<String>>, u64) {
        let mut book = Workbook::begin(Cursor::new(Vec::new()), limit).unwrap();
        rows.iter().for_each(|row| book.row(row).unwrap());
        let (out, cut) = book.end().unwrap();
        let mut book = Xlsx::new(out).unwrap();
        let column = |(_, sheet): (String, calamine::Range<calamine::Data>)| {
            sheet.rows().map(|cells| cells[2].to_string()).collect()
        };
        (book.worksheets().into_iter().map(column).collect(), cut)
    }

    #[test]
    fn full_sheet_is_followed_by_another() {
        let rows: Vec<ResultRow> = ["1", "2", "3", "4", "5"].map(row).into();
        let expected: [&[&str]; 3] = [&["reference", "1", "2"], &["reference", "3", "4"], &["reference", "5"]];
        assert_eq!(references(&rows, SheetLimit { rows: 3, ..SheetLimit::EXCEL }).0, expected);
        let one_each = references(&rows, SheetLimit { bytes: 1900, ..SheetLimit::EXCEL }).0;
        assert!(one_each.len() > 1 && one_each.iter().all(|sheet| sheet[0] == "reference"), "{one_each:?}");
        assert_eq!(references(&[], SheetLimit::EXCEL).0, [["reference"]]);
    }

    #[test]
    fn any_text_fits_into_a_cell() {
        let long = "😀".repeat(CELL_LIMIT);
        let texts = ["=1+1", "a\u{1}b\r\n\u{ffff}", "_x0041_", "<&>\"' ", &long];
        let (sheets, cut) = references(&texts.map(row), SheetLimit::EXCEL);
        assert_eq!((&sheets[0][1], &sheets[0][4], cut), (&"=1+1".to_owned(), &"<&>\"' ".to_owned(), 1));
        assert_eq!(sheets[0][5], "😀".repeat(CELL_LIMIT / 2));
        let mut xml = String::new();
        assert!(!push_text(&mut xml, texts[1]) && !push_text(&mut xml, texts[2]));
        assert_eq!(xml, "a_x0001_b_x000D_\n_xFFFF__x005F_x0041_");
    }
}
