//! Tables with aligned columns; Chinese characters count as two columns wide.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use unicode_width::UnicodeWidthStr;

/// The output format of a command.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An aligned table.
    Table,
    /// JSON Lines.
    Json,
}

impl Format {
    /// The format given, else a table on a terminal and JSON elsewhere.
    pub(crate) fn or_default(given: Option<Format>) -> Format {
        given.unwrap_or_else(|| if io::stdout().is_terminal() { Format::Table } else { Format::Json })
    }
}

/// Rows of text under their headings, printed in groups; the first group determines the widths.
pub(crate) struct Table {
    headings: Vec<String>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: impl IntoIterator<Item: Into<String>>) -> Table {
        Table { headings: headings.into_iter().map(Into::into).collect(), widths: None }
    }

    /// Prints rows of as many cells as there are headings; the headings come before the first of them.
    pub(crate) fn print(&mut self, out: &mut impl Write, rows: &[impl AsRef<[String]>]) -> io::Result<()> {
        if self.widths.is_none() {
            let widths = self.column_widths(rows);
            print_row(out, &self.headings, &widths)?;
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        rows.iter().try_for_each(|row| print_row(out, row.as_ref(), widths))
    }

    fn column_widths(&self, rows: &[impl AsRef<[String]>]) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.width()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
                *width = (*width).max(visible(cell).width());
            }
        }
        widths
    }
}

fn print_row(out: &mut impl Write, cells: &[impl AsRef<str>], widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        let cell = visible(cell.as_ref());
        line.push_str(&cell);
        line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
    }
    writeln!(out, "{}", line.trim_end())
}

/// The text with control characters replaced, so that it cannot control the terminal.
fn visible(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligns_columns_with_wide_characters() {
        let mut out = Vec::new();
        let mut table = Table::new(["NAME", "SIDE"]);
        table.print(&mut out, &[["张三丰".into(), "front".into()], ["a\u{1b}".into(), "back".into()]]).unwrap();
        table.print(&mut out, &[["later and longer".into(), "back".into()]]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "NAME    SIDE\n张三丰  front\na\u{fffd}      back\nlater and longer  back\n");
    }
}
