//! From the bytes of a picture to its result: the one composition that every command and service uses.

use std::fs::{self, File};
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use shenfen_core::{
    Finding, ModelInfo, Policy, ReadOutcome, ReaderFault, Refusal, RequestedSide, Rule, Status, assess,
};
use shenfen_ocr::{CardReader, DetailedReading, Limits, Models, ReadError, Reading, memory_to_read};
use time::Date;

use crate::panics;
use crate::pool::{NoRoom, Room};
use crate::today::Today;

/// ELOOP, which the standard library has no stable name for: links that lead in a circle.
const TOO_MANY_LINKS: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };

/// Reads a picture, checks what it says and decides.
///
/// `today` is the day in Asia/Shanghai.
pub fn read_picture(reader: &mut CardReader, bytes: &[u8], today: Date, policy: &Policy) -> ReadOutcome {
    let reading = reader.read(bytes);
    outcome_of(reading, reader.models().info().clone(), today, policy)
}

/// The outcome of what the networks `model` read in a picture.
fn outcome_of(reading: Result<Reading, ReadError>, model: ModelInfo, today: Date, policy: &Policy) -> ReadOutcome {
    match reading {
        Ok(reading) => {
            let raised = [(reading.mirrored, Rule::Mirrored), (reading.pages > 1, Rule::PagesLeft)];
            let mut result = assess(reading.cards, today, policy).into_result(model, reading.elapsed);
            for (_, rule) in raised.into_iter().filter(|(is_raised, _)| *is_raised) {
                policy.raise(rule.of_card(), &mut result);
            }
            ReadOutcome::Read(result)
        }
        Err(error) => error.into(),
    }
}

/// Something that turns pictures into results, one after another on one thread.
pub trait PictureReader: Send + 'static {
    /// The outcome of reading a picture.
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome;

    /// The networks it reads with.
    fn model(&self) -> &ModelInfo;

    /// The most bytes of a picture that it takes.
    fn max_bytes(&self) -> usize;

    /// The most bytes of memory that reading a picture takes, beside its own and those of the reader.
    fn memory(&self, _bytes: &[u8]) -> u64 {
        0
    }

    /// Another one of its kind, for another thread or in the place of one that panicked.
    fn another(&self) -> Self;

    /// The policy it decides by.
    fn policy(&self) -> Policy {
        Policy::default()
    }

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
    fn read(&mut self, bytes: &[u8]) -> ReadOutcome {
        if !self.records {
            return read_picture(&mut self.reader, bytes, self.today.date(), &self.policy);
        }
        let (model, today) = (self.models.info().clone(), self.today.date());
        match self.reader.read_detailed(bytes) {
            Ok(detailed) => {
                let reading = detailed.reading.clone();
                self.recording = Some(detailed);
                outcome_of(Ok(reading), model, today, &self.policy)
            }
            Err(error) => outcome_of(Err(error), model, today, &self.policy),
        }
    }

    fn take_recording(&mut self) -> Option<DetailedReading> {
        self.recording.take()
    }

    fn model(&self) -> &ModelInfo {
        self.models.info()
    }

    fn policy(&self) -> Policy {
        self.policy.clone()
    }

    fn max_bytes(&self) -> usize {
        self.limits.max_bytes
    }

    fn memory(&self, bytes: &[u8]) -> u64 {
        // What is refused takes nothing.
        memory_to_read(bytes, &self.limits).unwrap_or(0)
    }

    fn another(&self) -> CardPictures {
        let other = CardPictures::new(Arc::clone(&self.models), self.limits, self.today, self.policy.clone());
        CardPictures { records: self.records, ..other }
    }
}

/// What came of one picture.
pub struct ReadFile {
    /// Its result, or why there is none.
    pub outcome: ReadOutcome,
    /// SHA-256 of its bytes in hexadecimal; `None` when they could not be had.
    pub image_sha256: Option<String>,
    /// What the reader saw, if it records that and the picture could be read.
    pub recording: Option<DetailedReading>,
}

/// Reads a picture file. A file that will never be readable has a result that says why; a reader that panics is replaced.
///
/// # Errors
/// When there is no room for the picture now.
pub fn read_file<R: PictureReader>(
    reader: &mut R,
    path: &str,
    side: RequestedSide,
    room: &Room,
) -> Result<ReadFile, NoRoom> {
    let loaded = load(path, reader.max_bytes());
    read_loaded(reader, loaded, side, room)
}

/// Reads a picture whose bytes were looked for.
///
/// # Errors
/// When there is no room for the picture now.
pub(crate) fn read_loaded<R: PictureReader>(
    reader: &mut R,
    loaded: Result<Vec<u8>, LoadError>,
    side: RequestedSide,
    room: &Room,
) -> Result<ReadFile, NoRoom> {
    match loaded {
        Ok(bytes) => read_bytes(reader, &bytes, side, room),
        Err(LoadError::Refused(reason)) => Ok(refused(reason)),
        Err(LoadError::Unavailable(reason)) => {
            let outcome = ReadOutcome::Fault(ReaderFault::Unavailable(reason));
            Ok(ReadFile { outcome, image_sha256: None, recording: None })
        }
    }
}

/// Reads a picture from its bytes. A reader that panics is replaced.
///
/// # Errors
/// When there is no room for the picture now.
pub fn read_bytes<R: PictureReader>(
    reader: &mut R,
    bytes: &[u8],
    side: RequestedSide,
    room: &Room,
) -> Result<ReadFile, NoRoom> {
    if bytes.len() > reader.max_bytes() {
        return Ok(refused(bytes_refusal(bytes.len(), reader.max_bytes())));
    }
    room.take(reader.memory(bytes))?;
    let image_sha256 = Some(hex::encode(Sha256::digest(bytes)));
    let outcome = panics::catch(|| reader.read(bytes)).unwrap_or_else(|place| {
        *reader = reader.another();
        ReadOutcome::Fault(ReaderFault::Panicked(place))
    });
    Ok(ReadFile { outcome: expect_side(outcome, side, reader), image_sha256, recording: reader.take_recording() })
}

/// The outcome of a picture whose bytes could not be had.
pub(crate) fn refused(reason: Refusal) -> ReadFile {
    ReadFile { outcome: ReadOutcome::Refused(reason), image_sha256: None, recording: None }
}

fn bytes_refusal(bytes: usize, limit: usize) -> Refusal {
    Refusal::new(Rule::PictureBytes, ReadError::TooManyBytes { bytes, limit }.to_string())
}

/// Why the bytes of a picture file could not be had.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// Never will be.
    Refused(Refusal),
    /// Perhaps later.
    Unavailable(String),
}

/// A picture that has more bytes than are read.
pub(crate) fn too_many_bytes(bytes: usize, limit: usize) -> LoadError {
    LoadError::Refused(bytes_refusal(bytes, limit))
}

/// A picture that cannot be opened or read, now or later.
pub(crate) fn unreadable(detail: impl Into<String>) -> LoadError {
    LoadError::Refused(Refusal::new(Rule::FileUnreadable, detail))
}

pub(crate) fn load(path: &str, max_bytes: usize) -> Result<Vec<u8>, LoadError> {
    // Asked before opening: opening a pipe would wait for ever.
    let metadata = fs::metadata(path).map_err(not_loaded)?;
    if !metadata.is_file() {
        return Err(unreadable("this is no file"));
    }
    let bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if bytes > max_bytes {
        return Err(too_many_bytes(bytes, max_bytes));
    }
    let mut content = Vec::with_capacity(bytes);
    // One byte beyond the limit shows a file that grew in between.
    let mut file = File::open(path).map_err(not_loaded)?.take(max_bytes as u64 + 1);
    file.read_to_end(&mut content).map_err(not_loaded)?;
    Ok(content)
}

/// What an error of the system means for a file. Only what no waiting changes is final: a disk or network folder that fails, or too
/// many open files, may be better in a moment.
pub(crate) fn not_loaded(error: io::Error) -> LoadError {
    use io::ErrorKind::{InvalidFilename, InvalidInput, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound => LoadError::Refused(Refusal::new(Rule::FileMissing, "there is no such file")),
        PermissionDenied => unreadable("no permission to read the file: check its owner and mode"),
        NotADirectory | IsADirectory | InvalidInput | InvalidFilename => {
            unreadable(format!("cannot read the file: {error}"))
        }
        _ if error.raw_os_error() == Some(TOO_MANY_LINKS) => unreadable(format!("cannot read the file: {error}")),
        _ => LoadError::Unavailable(error.to_string()),
    }
}

/// Notes when the side that the publisher announced is not there.
fn expect_side<R: PictureReader>(mut outcome: ReadOutcome, expected: RequestedSide, reader: &R) -> ReadOutcome {
    if let ReadOutcome::Read(result) = &mut outcome {
        let is_there = |side| result.cards.iter().any(|card| card.side == side);
        if result.status == Status::Ok && !expected.side().is_none_or(is_there) {
            let detail = format!("the {} of a card was expected and is not in the picture", expected.as_str());
            reader.policy().raise(Finding { detail, ..Rule::OtherSide.of_card() }, result);
        }
    }
    outcome
}
