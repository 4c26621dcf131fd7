//! Tables for a person: columns that line up, Chinese characters counted as two wide.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use unicode_width::UnicodeWidthStr;

/// What a command prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a person.
    Table,
    /// JSON Lines for a program.
    Json,
}

impl Format {
    /// What was asked for; else a table on a terminal and JSON for a program.
    pub(crate) fn or_default(asked: Option<Format>) -> Format {
        asked.unwrap_or_else(|| if io::stdout().is_terminal() { Format::Table } else { Format::Json })
    }
}

/// Rows of text under their heads, printed piece by piece: the first piece settles the widths.
pub(crate) struct Table {
    heads: Vec<String>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these heads.
    pub(crate) fn new(heads: impl IntoIterator<Item: Into<String>>) -> Table {
        Table { heads: heads.into_iter().map(Into::into).collect(), widths: None }
    }

    /// Prints rows of as many cells as there are heads, before the first ones the heads.
    pub(crate) fn print(&mut self, out: &mut impl Write, rows: &[impl AsRef<[String]>]) -> io::Result<()> {
        if self.widths.is_none() {
            let widths = self.settle(rows);
            print_row(out, &self.heads, &widths)?;
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        rows.iter().try_for_each(|row| print_row(out, row.as_ref(), widths))
    }

    fn settle(&self, rows: &[impl AsRef<[String]>]) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| head.width()).collect();
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

/// The text without characters that a terminal would obey.
fn visible(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_under_wide_characters() {
        let mut out = Vec::new();
        let mut table = Table::new(["NAME", "SIDE"]);
        table.print(&mut out, &[["张三丰".into(), "front".into()], ["a\u{1b}".into(), "back".into()]]).unwrap();
        table.print(&mut out, &[["later and longer".into(), "back".into()]]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "NAME    SIDE\n张三丰  front\na\u{fffd}      back\nlater and longer  back\n");
    }
}
