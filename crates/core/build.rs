//! Compiles `data/regions.csv` into the static tables that `src/region/table.rs` includes.

use std::collections::{BTreeSet, HashMap};
use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const SOURCE: &str = "data/regions.csv";

/// One row of the file. Years that are open or unknown are 0 and `u16::MAX`.
struct Row {
    code: u32,
    name: String,
    start: u16,
    end: u16,
    successors: Vec<u32>,
    /// Listed officially and without an end.
    in_force: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-changed=build.rs");
    let rows = read(&fs::read_to_string(SOURCE)?)?;
    let target = Path::new(&env::var("OUT_DIR")?).join("regions.rs");
    fs::write(target, tables(&rows)?)?;
    Ok(())
}

fn read(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
    let rows: Vec<Row> = lines
        .map(|line| read_row(line).map_err(|error| format!("{SOURCE}: cannot read {line:?}: {error}")))
        .collect::<Result<_, _>>()?;
    if !rows.is_sorted_by_key(|row| (row.code, row.start)) {
        return Err(format!("{SOURCE} is not sorted by code and start").into());
    }
    Ok(rows)
}

fn read_row(line: &str) -> Result<Row, Box<dyn Error>> {
    let columns: Vec<&str> = line.split(',').collect();
    let &[code, name, start, end, successors, source] = columns.as_slice() else {
        return Err("not six columns".into());
    };
    let year = |text: &str, open: u16| if text.is_empty() { Ok(open) } else { text.parse::<u16>() };
    // The tables begin in 1981: what stands in the first one is as old or older.
    let start = match year(start, 0)? {
        ..=1981 => 0,
        later => later,
    };
    Ok(Row {
        code: code.parse()?,
        name: name.to_owned(),
        start,
        end: year(end, u16::MAX)?,
        successors: successors.split(';').filter(|code| !code.is_empty()).map(str::parse).collect::<Result<_, _>>()?,
        in_force: end.is_empty() && source != "F",
    })
}

/// The Rust source of the tables.
fn tables(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut names = Pool::default();
    let mut codes = Pool::default();
    let mut text = format!("static ROWS: [Row; {}] = [\n", rows.len());
    for (index, row) in rows.iter().enumerate() {
        let (name_at, name_length) = names.place(row.name.as_bytes())?;
        let (today_at, today_length) = codes.place(&in_force_after(rows, index))?;
        writeln!(
            text,
            "Row {{ start: {}, end: {}, name_at: {name_at}, today_at: {today_at}, last_digits: {}, \
             name_length: {name_length}, today_length: {today_length} }},",
            row.start,
            row.end,
            row.code % 100,
        )?;
    }
    let groups = (0..=10_000).map(|group| rows.partition_point(|row| row.code / 100 < group));
    let groups: Vec<usize> = groups.collect();
    writeln!(text, "];\nstatic GROUPS: [u16; {}] = {groups:?};", groups.len())?;
    writeln!(text, "static NAMES: &str = {:?};", String::from_utf8(names.content)?)?;
    writeln!(text, "static CODES: [u32; {}] = {:?};", codes.content.len(), codes.content)?;
    Ok(text)
}

/// The codes in force to which the row's area went: the row's own if it is in force.
fn in_force_after(rows: &[Row], index: usize) -> Vec<u32> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![index];
    while let Some(index) = open.pop() {
        let row = &rows[index];
        if !seen.insert(index) {
            continue;
        }
        if row.in_force {
            found.insert(row.code);
        }
        open.extend(row.successors.iter().filter_map(|&code| row_after(rows, code, row)));
    }
    found.into_iter().collect()
}

/// The row under `code` that took over when `ended` ended.
fn row_after(rows: &[Row], code: u32, ended: &Row) -> Option<usize> {
    let first = rows.partition_point(|row| row.code < code);
    let end = rows.partition_point(|row| row.code <= code);
    let next_year = ended.end.saturating_add(1);
    let takes_over =
        |index: &usize| rows[*index].end >= next_year && (code != ended.code || rows[*index].start > ended.start);
    (first..end).find(takes_over)
}

/// Sequences end to end, equal ones stored once.
struct Pool<T> {
    content: Vec<T>,
    places: HashMap<Vec<T>, usize>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Pool { content: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Pool<T> {
    /// Where the sequence stands, and its length.
    fn place(&mut self, sequence: &[T]) -> Result<(u16, u8), Box<dyn Error>> {
        let at = *self.places.entry(sequence.to_vec()).or_insert_with(|| {
            self.content.extend_from_slice(sequence);
            self.content.len() - sequence.len()
        });
        Ok((u16::try_from(at)?, u8::try_from(sequence.len())?))
    }
}
