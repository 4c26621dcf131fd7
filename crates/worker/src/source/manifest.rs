//! Manifests: one picture a line, as CSV with a head or as JSON Lines. `path` is relative to the manifest; `reference`
//! and `side` may be left out; further columns are the publisher's own and left alone. Blank lines are left out, also those that a
//! spreadsheet saves with all their commas. A line with a wrong value is reported and the next one read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::encoding::{Decoded, decoded};
use super::{Found, PictureRef, SourceError};
use shenfen_core::RequestedSide;

/// A longer line is no manifest's.
const LINE_LIMIT: u64 = 1 << 20;

/// A manifest, read line by line.
pub(super) struct Manifest {
    path: PathBuf,
    /// The manifest's folder as the user named it and for opening.
    folder: PathBuf,
    absolute_folder: PathBuf,
    lines: Lines,
}

enum Lines {
    Csv {
        reader: csv::Reader<LimitedLine>,
        head: csv::StringRecord,
    },
    Json {
        reader: BufReader<Decoded>,
        line: u64,
    },
    /// After a line whose end is not certain nothing more is read: what follows may be misread.
    Over,
}

/// A file of which one line may take no more than [`LINE_LIMIT`] bytes: a quote that is never closed makes all that follows
/// one line, which the reader would keep in memory.
struct LimitedLine {
    file: Decoded,
    left: u64,
}

/// A line that names no picture.
struct BadLine {
    reason: String,
    /// Whether it is certain where the next line begins.
    next_is_certain: bool,
}

impl BadLine {
    /// A value is wrong.
    fn value(reason: impl Into<String>) -> BadLine {
        BadLine { reason: reason.into(), next_is_certain: true }
    }

    /// The rest is left out.
    fn last(reason: impl Into<String>) -> BadLine {
        let reason = format!("{}; what follows in the manifest is not read", reason.into());
        BadLine { reason, next_is_certain: false }
    }
}

impl Read for LimitedLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!("a line has more than {LINE_LIMIT} bytes")));
        }
        let read = (&mut self.file).take(self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// A line's content.
#[derive(Deserialize)]
struct Line {
    path: String,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    side: Option<String>,
    #[serde(default)]
    batch: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    pub(super) fn csv(path: &Path, absolute: &Path) -> Result<Manifest, SourceError> {
        let file = open(path, absolute)?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::Headers)
            .flexible(true)
            .from_reader(LimitedLine { file, left: LINE_LIMIT });
        let wrong = |reason: String| SourceError::Manifest { path: path.to_path_buf(), line: 1, reason };
        let head = reader.headers().map_err(|error| wrong(in_words(&error)))?.clone();
        if !head.iter().any(|column| column == "path") {
            return Err(wrong("the first line must name the columns, and there is none called path".into()));
        }
        if head.iter().any(|column| column == "batch") {
            return Err(wrong(BATCH_ELSEWHERE.into()));
        }
        Ok(Manifest::new(path, absolute, Lines::Csv { reader, head }))
    }

    pub(super) fn json_lines(path: &Path, absolute: &Path) -> Result<Manifest, SourceError> {
        Ok(Manifest::new(path, absolute, Lines::Json { reader: BufReader::new(open(path, absolute)?), line: 0 }))
    }

    fn new(path: &Path, absolute: &Path, lines: Lines) -> Manifest {
        let folder_of = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
        Manifest { path: path.to_path_buf(), folder: folder_of(path), absolute_folder: folder_of(absolute), lines }
    }

    pub(super) fn next(&mut self) -> Option<Found> {
        let (number, line) = self.next_line()?;
        let picture = line.and_then(|line| self.picture(line).map_err(BadLine::value));
        let found = picture.map_err(|BadLine { reason, next_is_certain }| {
            if !next_is_certain {
                self.lines = Lines::Over;
            }
            SourceError::Manifest { path: self.path.clone(), line: number, reason }
        });
        Some(found.map_or_else(Found::Unreadable, Found::Picture))
    }

    /// The next line that is not blank, and its number.
    fn next_line(&mut self) -> Option<(u64, Result<Line, BadLine>)> {
        match &mut self.lines {
            Lines::Csv { reader, head } => loop {
                let mut record = csv::StringRecord::new();
                reader.get_mut().left = LINE_LIMIT;
                match reader.read_record(&mut record) {
                    Ok(false) => return None,
                    Ok(true) if record.iter().all(|cell| cell.trim().is_empty()) => {}
                    Ok(true) => {
                        let number = record.position().map_or(0, csv::Position::line);
                        return Some((number, row(&record, head)));
                    }
                    Err(error) => {
                        let number = error.position().unwrap_or_else(|| reader.position()).line();
                        return Some((number, Err(BadLine::last(in_words(&error)))));
                    }
                }
            },
            Lines::Json { reader, line } => loop {
                *line += 1;
                let mut text = String::new();
                match reader.by_ref().take(LINE_LIMIT).read_line(&mut text) {
                    Ok(0) => return None,
                    Ok(_) if text.trim_start_matches('\u{feff}').trim().is_empty() => {}
                    Ok(_) if !text.ends_with('\n') && text.len() as u64 >= LINE_LIMIT => {
                        return Some((*line, Err(BadLine::last(format!("a line has more than {LINE_LIMIT} bytes")))));
                    }
                    Ok(_) => {
                        let object = object(&text).map_err(|error| BadLine::value(json_in_words(&error)));
                        return Some((*line, object));
                    }
                    Err(error) => return Some((*line, Err(BadLine::last(error.to_string())))),
                }
            },
            Lines::Over => None,
        }
    }

    fn picture(&self, line: Line) -> Result<PictureRef, String> {
        if line.path.is_empty() {
            return Err("the path is empty".into());
        }
        if line.batch.is_some() {
            return Err(BATCH_ELSEWHERE.into());
        }
        let side = line.side.filter(|side| !side.is_empty());
        let side = side.map_or(Ok(RequestedSide::Auto), |side| side.parse()).map_err(|error| format!("{error}"))?;
        let unicode = |path: PathBuf| path.into_os_string().into_string();
        let not_unicode = |_| "the manifest's folder has a name that is not UTF-8: rename it".to_owned();
        Ok(PictureRef {
            source: unicode(self.folder.join(&line.path)).map_err(not_unicode)?,
            path: unicode(self.absolute_folder.join(&line.path)).map_err(not_unicode)?,
            entry: None,
            reference: line.reference.filter(|reference| !reference.is_empty()),
            side,
        })
    }
}

/// A manifest's text.
fn open(path: &Path, absolute: &Path) -> Result<Decoded, SourceError> {
    let text = File::open(absolute).and_then(decoded).map_err(|error| SourceError::of(path, &error))?;
    let reason = "neither UTF-8 nor GB 18030: save the manifest as UTF-8".to_owned();
    text.ok_or_else(|| SourceError::Manifest { path: path.to_path_buf(), line: 1, reason })
}

/// A line of CSV. One with another number of cells may have a comma or a quote too many.
fn row(record: &csv::StringRecord, head: &csv::StringRecord) -> Result<Line, BadLine> {
    if record.len() != head.len() {
        let (cells, columns) = (record.len(), head.len());
        return Err(BadLine::last(format!("{cells} columns where the first line names {columns}")));
    }
    record.deserialize(Some(head)).map_err(|error| BadLine::value(in_words(&error)))
}

/// A line of JSON. serde would also take an array for the object.
fn object(text: &str) -> serde_json::Result<Line> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let line = serde_json::from_str(text)?;
    if text.starts_with('{') { Ok(line) } else { Err(serde::de::Error::custom("not an object")) }
}

const BATCH_ELSEWHERE: &str = "a manifest holds one batch: leave the column batch out and name it with --batch";

/// What is wrong with a line, without its values.
fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => format!("cannot read it: {error}"),
        _ => "not in the shape of the first line".into(),
    }
}

/// What is wrong with a line, without its values.
fn json_in_words(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => {
            r#"expected an object with text in "path", and text or nothing in "reference" and "side""#.into()
        }
        _ => format!("not JSON, at column {}", error.column()),
    }
}
