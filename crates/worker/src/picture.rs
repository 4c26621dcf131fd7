//! From the bytes of a picture to its result: the one composition that every command and service uses.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use shenfen_core::{
    Decision, Elapsed, Finding, ModelInfo, PictureResult, Policy, RequestedSide, Severity, Status, assess,
};
use shenfen_ocr::{CardReader, DetailedReading, Limits, Models, ReadError, Reading};
use thiserror::Error;
use time::Date;

use crate::panics;
use crate::today::Today;

/// Reads a picture, checks what it says and decides. A picture that cannot be read has a result too, with a finding that
/// says why.
///
/// `today` is the day in Asia/Shanghai.
pub fn read_picture(reader: &mut CardReader, bytes: &[u8], today: Date, policy: &Policy) -> PictureResult {
    let reading = reader.read(bytes);
    result_of(reading, reader.models().info().clone(), today, policy)
}

/// The result of what the networks `model` read in a picture.
fn result_of(reading: Result<Reading, ReadError>, model: ModelInfo, today: Date, policy: &Policy) -> PictureResult {
    match reading {
        Ok(reading) => assess(reading.cards, today, policy).into_result(model, reading.elapsed),
        Err(error) => refusal(error.status(), rule(&error), error.to_string(), model),
    }
}

/// Something that turns pictures into results, one after another on one thread.
pub trait PictureReader: Send + 'static {
    /// The result of a picture.
    fn read(&mut self, bytes: &[u8]) -> PictureResult;

    /// The networks it reads with.
    fn model(&self) -> &ModelInfo;

    /// The most bytes of a picture that it takes.
    fn max_bytes(&self) -> usize;

    /// Another one of its kind, for another thread or in the place of one that panicked.
    fn another(&self) -> Self;

    /// What was behind the last result, from a reader that records it; it is handed out once.
    fn take_recording(&mut self) -> Option<DetailedReading> {
        None
    }
}

/// The reader of cards: networks, limits, the day and the policy.
pub struct CardPictures {
    models: Arc<Models>,
    limits: Limits,
    today: Today,
    policy: Policy,
    reader: CardReader,
    records: bool,
    recording: Option<DetailedReading>,
}

impl CardPictures {
    /// A reader of cards as of `today`.
    pub fn new(models: Arc<Models>, limits: Limits, today: impl Into<Today>, policy: Policy) -> CardPictures {
        let reader = CardReader::new(Arc::clone(&models), limits);
        CardPictures { models, limits, today: today.into(), policy, reader, records: false, recording: None }
    }

    /// The same reader, which hands out with every [`ReadFile`] what it saw.
    #[must_use]
    pub fn recording(self) -> CardPictures {
        CardPictures { records: true, ..self }
    }

    /// How many multiplications of the networks it has done so far.
    pub fn products(&self) -> u64 {
        self.reader.products()
    }
}

impl PictureReader for CardPictures {
    fn read(&mut self, bytes: &[u8]) -> PictureResult {
        if !self.records {
            return read_picture(&mut self.reader, bytes, self.today.date(), &self.policy);
        }
        let (model, today) = (self.models.info().clone(), self.today.date());
        match self.reader.read_detailed(bytes) {
            Ok(detailed) => {
                let reading = detailed.reading.clone();
                self.recording = Some(detailed);
                result_of(Ok(reading), model, today, &self.policy)
            }
            Err(error) => result_of(Err(error), model, today, &self.policy),
        }
    }

    fn take_recording(&mut self) -> Option<DetailedReading> {
        self.recording.take()
    }

    fn model(&self) -> &ModelInfo {
        self.models.info()
    }

    fn max_bytes(&self) -> usize {
        self.limits.max_bytes
    }

    fn another(&self) -> CardPictures {
        let other = CardPictures::new(Arc::clone(&self.models), self.limits, self.today, self.policy);
        CardPictures { records: self.records, ..other }
    }
}

/// What came of one picture.
pub struct ReadFile {
    /// Its result; or where the reader failed, which is a fault of the program, not of the picture.
    pub result: Result<PictureResult, ReaderFault>,
    /// SHA-256 of its bytes in hexadecimal; `None` when they could not be had.
    pub image_sha256: Option<String>,
    /// What the reader saw, if it records that and the picture could be read.
    pub recording: Option<DetailedReading>,
}

/// How a reader failed. No fault of the picture, so there is no result for it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReaderFault {
    /// It panicked; the same picture would make it panic again.
    #[error("the reader failed at {0}")]
    Panicked(String),
    /// The networks failed, for want of memory perhaps.
    #[error("{0}")]
    Engine(String),
}

/// Reads a picture file. A file that cannot be read has a result that says why; a reader that panics is replaced.
pub fn read_file<R: PictureReader>(reader: &mut R, path: &str, side: RequestedSide) -> ReadFile {
    match load(path, reader.max_bytes()) {
        Ok(bytes) => read_bytes(reader, &bytes, side),
        Err(error) => refused(reader, error),
    }
}

/// Reads a picture from its bytes. A reader that panics is replaced.
pub fn read_bytes<R: PictureReader>(reader: &mut R, bytes: &[u8], side: RequestedSide) -> ReadFile {
    if bytes.len() > reader.max_bytes() {
        let error = ReadError::TooManyBytes { bytes: bytes.len(), limit: reader.max_bytes() };
        return refused(reader, LoadError::from(&error));
    }
    let image_sha256 = Some(hexadecimal(&Sha256::digest(bytes)));
    let result = panics::catch(|| reader.read(bytes)).map(|result| expect_side(result, side));
    if result.is_err() {
        *reader = reader.another();
    }
    let result = match result {
        Ok(result) if result.status == Status::RetryLater => Err(ReaderFault::Engine(details(&result))),
        other => other.map_err(ReaderFault::Panicked),
    };
    ReadFile { result, image_sha256, recording: reader.take_recording() }
}

/// The result of a picture whose bytes could not be had.
pub(crate) fn refused<R: PictureReader>(reader: &R, error: LoadError) -> ReadFile {
    let result = refusal(error.status, error.rule, error.detail, reader.model().clone());
    ReadFile { result: Ok(result), image_sha256: None, recording: None }
}

/// Why a picture's bytes could not be had.
#[derive(Clone)]
pub(crate) struct LoadError {
    pub(crate) status: Status,
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

impl From<&ReadError> for LoadError {
    fn from(error: &ReadError) -> LoadError {
        LoadError { status: error.status(), rule: rule(error), detail: error.to_string() }
    }
}

pub(crate) fn load(path: &str, max_bytes: usize) -> Result<Vec<u8>, LoadError> {
    // Asked before opening: opening a pipe would wait for ever.
    let metadata = fs::metadata(path).map_err(LoadError::of)?;
    if !metadata.is_file() {
        let detail = "this is no file".to_owned();
        return Err(LoadError { status: Status::Fail, rule: "file_unreadable", detail });
    }
    let bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if bytes > max_bytes {
        return Err(LoadError::from(&ReadError::TooManyBytes { bytes, limit: max_bytes }));
    }
    let mut content = Vec::with_capacity(bytes);
    // One byte beyond the limit shows a file that grew in between.
    let mut file = File::open(path).map_err(LoadError::of)?.take(max_bytes as u64 + 1);
    file.read_to_end(&mut content).map_err(LoadError::of)?;
    Ok(content)
}

impl LoadError {
    fn of(error: io::Error) -> LoadError {
        let (rule, detail) = match error.kind() {
            io::ErrorKind::NotFound => ("file_missing", "there is no such file".to_owned()),
            io::ErrorKind::PermissionDenied => {
                ("file_unreadable", "no permission to read the file: check its owner and mode".to_owned())
            }
            _ => ("file_unreadable", format!("cannot read the file: {error}")),
        };
        LoadError { status: Status::Fail, rule, detail }
    }
}

fn rule(error: &ReadError) -> &'static str {
    match error {
        ReadError::Empty => "picture_empty",
        ReadError::UnknownFormat => "picture_format",
        ReadError::Damaged { .. } => "picture_damaged",
        ReadError::TooManyBytes { .. } => "picture_bytes",
        ReadError::TooManyPixels { .. } => "picture_pixels",
        ReadError::TooSmall { .. } => "picture_small",
        ReadError::Engine(_) => "engine_failed",
    }
}

/// The result of a picture that was not read.
pub(crate) fn refusal(status: Status, rule: &str, detail: String, model: ModelInfo) -> PictureResult {
    PictureResult {
        status,
        message: BTreeMap::new(),
        cards: Vec::new(),
        findings: vec![Finding { field: None, rule: rule.to_owned(), severity: Severity::Error, detail }],
        decision: Decision::Reject,
        model,
        elapsed_ms: Elapsed::default(),
    }
}

/// Notes when the side that the publisher announced is not there.
fn expect_side(mut result: PictureResult, expected: RequestedSide) -> PictureResult {
    let is_there = |side| result.cards.iter().any(|card| card.side == side);
    if result.status == Status::Ok && !expected.side().is_none_or(is_there) {
        let detail = format!("the {} of a card was expected and is not in the picture", expected.as_str());
        result.findings.push(Finding {
            field: None,
            rule: "other_side".to_owned(),
            severity: Severity::Warning,
            detail,
        });
        result.decision = result.decision.max(Decision::Review);
    }
    result
}

fn details(result: &PictureResult) -> String {
    result.findings.iter().map(|finding| finding.detail.as_str()).collect::<Vec<_>>().join("; ")
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
