//! What the engine saw in labelled pictures, in full: the data that calibration, spacing and priors are fitted on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use shenfen_core::{CardResult, Decision, FieldName, Finding, PictureResult, ReadCard, Side, Status};
use shenfen_ocr::{CardDetails, DetailedReading};
use time::Date;

use super::labels::{Label, LabelledPicture};
use crate::private_file;

/// Where dumps are written: a file that only its owner may read.
pub(super) struct DumpFile {
    path: PathBuf,
    out: BufWriter<File>,
    today: Date,
}

/// One picture.
#[derive(Serialize)]
struct Line<'a> {
    path: &'a str,
    slices: &'a [String],
    /// The day as of which it was checked, YYYY-MM-DD.
    today: String,
    status: Status,
    decision: Decision,
    findings: &'a [Finding],
    /// In the order of the result.
    cards: Vec<Card<'a>>,
    /// The labels of cards that were not found.
    not_found: Vec<Truth<'a>>,
}

/// One card that was found.
#[derive(Serialize)]
struct Card<'a> {
    /// What is true, if a label is about this card.
    label: Option<Truth<'a>>,
    /// What was read; `assess` can be run on it again.
    read: &'a ReadCard,
    /// What lies behind that.
    details: &'a CardDetails,
    /// What it was assessed as.
    result: &'a CardResult,
}

/// A label.
#[derive(Clone, Copy, Serialize)]
struct Truth<'a> {
    side: Side,
    fields: &'a BTreeMap<FieldName, String>,
}

impl Truth<'_> {
    fn of(label: &Label) -> Truth<'_> {
        Truth { side: label.side, fields: &label.fields }
    }
}

impl DumpFile {
    /// Creates the file, or empties it, and takes everybody else's permissions on it away.
    ///
    /// # Errors
    /// When it cannot be written, or its permissions cannot be set.
    pub(super) fn create(path: PathBuf, today: Date) -> anyhow::Result<DumpFile> {
        let file = private_file::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(DumpFile { path, out: BufWriter::new(file), today })
    }

    /// Writes a picture. `assigned` has the card of each label, as far as it was found.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(
        &mut self,
        labelled: &LabelledPicture,
        assigned: &[Option<usize>],
        result: &PictureResult,
        recording: Option<&DetailedReading>,
    ) -> anyhow::Result<()> {
        let label_of = |card: usize| assigned.iter().position(|&found| found == Some(card));
        let cards = recording.map_or(&[][..], |recording| &recording.reading.cards);
        let details = recording.map_or(&[][..], |recording| &recording.details);
        let cards = cards.iter().zip(details).zip(&result.cards).enumerate();
        let line = Line {
            path: &labelled.name,
            slices: &labelled.slices,
            today: self.today.to_string(),
            status: result.status,
            decision: result.decision,
            findings: &result.findings,
            cards: cards
                .map(|(number, ((read, details), result))| Card {
                    label: label_of(number).map(|label| Truth::of(&labelled.cards[label])),
                    read,
                    details,
                    result,
                })
                .collect(),
            not_found: labelled
                .cards
                .iter()
                .zip(assigned)
                .filter(|(_, card)| card.is_none())
                .map(|(label, _)| Truth::of(label))
                .collect(),
        };
        let written = serde_json::to_writer(&mut self.out, &line).map_err(io::Error::from);
        let written = written.and_then(|()| self.out.write_all(b"\n"));
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Writes what is still held back.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.out.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}
