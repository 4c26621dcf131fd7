//! Manifests: one picture a line, as CSV with a head or as JSON Lines. `path` is relative to the manifest; `reference`
//! and `side` may be left out; further columns are the publisher's own and left alone.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
        reader: BufReader<File>,
        line: u64,
    },
    /// After a line that cannot be understood nothing more is read: what follows may be misread.
    Over,
}

/// A file of which one line may take no more than [`LINE_LIMIT`] bytes: a quote that is never closed makes all that follows
/// one line, which the reader would keep in memory.
struct LimitedLine {
    file: File,
    left: u64,
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
        let file = File::open(absolute).map_err(|error| SourceError::of(path, &error))?;
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(LimitedLine { file, left: LINE_LIMIT });
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
        let file = File::open(absolute).map_err(|error| SourceError::of(path, &error))?;
        Ok(Manifest::new(path, absolute, Lines::Json { reader: BufReader::new(file), line: 0 }))
    }

    fn new(path: &Path, absolute: &Path, lines: Lines) -> Manifest {
        let folder_of = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
        Manifest { path: path.to_path_buf(), folder: folder_of(path), absolute_folder: folder_of(absolute), lines }
    }

    pub(super) fn next(&mut self) -> Option<Found> {
        let (number, line) = self.next_line()?;
        let found = line.and_then(|line| self.picture(line)).map_err(|reason| {
            self.lines = Lines::Over;
            SourceError::Manifest { path: self.path.clone(), line: number, reason }
        });
        Some(found.map_or_else(Found::Unreadable, Found::Picture))
    }

    /// The next line that is not empty, and its number.
    fn next_line(&mut self) -> Option<(u64, Result<Line, String>)> {
        match &mut self.lines {
            Lines::Csv { reader, head } => {
                let mut record = csv::StringRecord::new();
                reader.get_mut().left = LINE_LIMIT;
                match reader.read_record(&mut record) {
                    Ok(false) => None,
                    Ok(true) => {
                        let number = record.position().map_or(0, csv::Position::line);
                        Some((number, record.deserialize(Some(head)).map_err(|error| in_words(&error))))
                    }
                    Err(error) => {
                        let number = error.position().unwrap_or_else(|| reader.position()).line();
                        Some((number, Err(in_words(&error))))
                    }
                }
            }
            Lines::Json { reader, line } => loop {
                *line += 1;
                let mut text = String::new();
                match reader.by_ref().take(LINE_LIMIT).read_line(&mut text) {
                    Ok(0) => return None,
                    Ok(_) if text.trim_start_matches('\u{feff}').trim().is_empty() => {}
                    Ok(_) => {
                        return Some((*line, object(&text).map_err(|error| json_in_words(&error))));
                    }
                    Err(error) => return Some((*line, Err(error.to_string()))),
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
            reference: line.reference.filter(|reference| !reference.is_empty()),
            side,
        })
    }
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
        csv::ErrorKind::Utf8 { .. } => "not UTF-8: save the manifest as UTF-8".into(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} columns where the first line names {expected_len}")
        }
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
