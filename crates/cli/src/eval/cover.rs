//! `shenfen eval --cover`: something is laid over labelled pictures that are read rightly, and they are read again. Whatever is then
//! accepted with a value that differs from its label is a failure of the reader.

mod place;
mod tally;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;
use shenfen_core::{Decision, ModelInfo, PictureResult, Policy, assess};
use shenfen_ocr::{CardReader, Cropper, DetailedReading, Limits, Models, Random, RgbImage};
use time::Date;

use super::labels::LabelledPicture;
use super::report::Section;
use super::score::assign;
use super::text_of;
use crate::private_file;

use place::{Placed, placed_at_random};
use tally::{Outcome, Tallies};

/// How many covered pictures are made of each picture, unless it is said.
const PER_PICTURE: u32 = 6;

/// The cover test.
#[derive(Args)]
pub(super) struct CoverArgs {
    /// Test what happens when something lies on the card: each picture that is read rightly is covered at N places, one at a time, and
    /// read again; tables by field, place and material instead of the scores
    #[arg(long, env = "SHENFEN_COVER", value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "6")]
    cover: Option<u32>,

    /// Places, sizes and materials of --cover follow from this number
    #[arg(long, env = "SHENFEN_COVER_SEED", value_name = "SEED", default_value_t = 1, requires = "cover")]
    cover_seed: u64,

    /// Write covered pictures that were accepted wrongly to this folder, which is created; they show personal data
    #[arg(long, env = "SHENFEN_COVER_SAVE", value_name = "DIR", requires = "cover")]
    cover_save: Option<PathBuf>,
}

/// What the test needs to read pictures.
pub(super) struct Reading {
    pub(super) models: Arc<Models>,
    pub(super) limits: Limits,
    pub(super) today: Date,
    /// What decides.
    pub(super) policy: Policy,
    pub(super) threads: usize,
}

/// The figures of a cover test.
#[derive(Default, Serialize)]
pub(super) struct CoverScores {
    /// Pictures with labels.
    pictures: u64,
    /// Those that are read rightly as they are; only these are covered.
    right: u64,
    /// Those of them that are accepted as they are.
    accepted: u64,
    #[serde(flatten)]
    tallies: Tallies,
}

impl CoverArgs {
    /// Whether the test is asked for.
    pub(super) fn is_asked_for(&self) -> bool {
        self.cover.is_some()
    }

    /// Runs the test.
    ///
    /// # Errors
    /// When a picture cannot be read at all, or a covered one cannot be saved.
    pub(super) fn run(&self, pictures: &[LabelledPicture], reading: &Reading) -> anyhow::Result<CoverScores> {
        if let Some(folder) = &self.cover_save {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (scores, failed) = (Mutex::new(CoverScores::default()), Mutex::new(None));
        let work = || {
            let mut reader = CardReader::new(Arc::clone(&reading.models), reading.limits);
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(picture) = pictures.get(index) else { return };
                match self.test(index, picture, &mut reader, reading) {
                    Ok(tested) => scores.lock().unwrap_or_else(PoisonError::into_inner).add(tested),
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                }
            }
        };
        thread::scope(|scope| (0..reading.threads).for_each(|_| drop(scope.spawn(work))));
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(scores.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Covers one picture at some places.
    fn test(
        &self,
        index: usize,
        labelled: &LabelledPicture,
        reader: &mut CardReader,
        reading: &Reading,
    ) -> anyhow::Result<CoverScores> {
        let mut scores = CoverScores { pictures: 1, ..CoverScores::default() };
        let named = || labelled.path.display().to_string();
        let bytes = fs::read(&labelled.path).with_context(|| format!("cannot read {}", named()))?;
        let decoded = Cropper::decode(&bytes, &reading.limits).map_err(|error| anyhow!("{}: {error}", named()))?;
        let picture = decoded.picture();
        let before = reader.read_image_detailed(picture).map_err(|error| anyhow!("{}: {error}", named()))?;
        let result = result_of(&before, reader.models().info(), reading.today, &reading.policy);
        if labelled.cards.is_empty() || !is_right(labelled, &result) {
            return Ok(scores);
        }
        scores.right = 1;
        scores.accepted = u64::from(result.decision == Decision::Accept);
        for number in 0..self.cover.unwrap_or(PER_PICTURE) {
            let seed = Random::new(self.cover_seed ^ ((index as u64) << 20) ^ u64::from(number)).bits();
            let Some(placed) = placed_at_random(&before, &mut Random::new(seed)) else { continue };
            let mut covered = picture.clone();
            placed.cover.draw(&mut covered);
            let after = reader.read_image_detailed(&covered).map_err(|error| anyhow!("{}: {error}", named()))?;
            let result = result_of(&after, reader.models().info(), reading.today, &reading.policy);
            let outcome = match (result.decision, is_right(labelled, &result)) {
                (Decision::Accept, true) => Outcome::AcceptedRight,
                (Decision::Accept, false) => Outcome::AcceptedWrong,
                _ => Outcome::Flagged,
            };
            if outcome == Outcome::AcceptedWrong {
                self.save(labelled, number, &placed, &covered)?;
            }
            scores.tallies.add(&placed, outcome);
        }
        Ok(scores)
    }

    fn save(&self, labelled: &LabelledPicture, number: u32, placed: &Placed, covered: &RgbImage) -> anyhow::Result<()> {
        let Some(folder) = &self.cover_save else { return Ok(()) };
        let stem = Path::new(&labelled.name).file_stem().unwrap_or_default().to_string_lossy();
        let (place, material) = (placed.place.as_str().replace(' ', "-"), placed.cover.material.as_str());
        let path = folder.join(format!("{stem}-{number}-{}-{place}-{material}.png", placed.field_name()));
        let cannot_write = || format!("cannot write {}", path.display());
        let mut bytes = std::io::Cursor::new(Vec::new());
        covered.write_to(&mut bytes, shenfen_ocr::ImageFormat::Png).with_context(cannot_write)?;
        private_file::create(&path).and_then(|mut file| file.write_all(bytes.get_ref())).with_context(cannot_write)
    }
}

impl CoverScores {
    fn add(&mut self, other: CoverScores) {
        self.pictures += other.pictures;
        self.right += other.right;
        self.accepted += other.accepted;
        self.tallies.merge(other.tallies);
    }

    /// The figures as tables.
    pub(super) fn sections(&self) -> Vec<Section> {
        let CoverScores { pictures, right, accepted, .. } = self;
        let before = format!(
            "{pictures} labelled pictures, {right} of them read rightly and covered; as they are, {accepted} of these are accepted."
        );
        self.tallies.sections(before)
    }
}

fn result_of(reading: &DetailedReading, model: &ModelInfo, today: Date, policy: &Policy) -> PictureResult {
    let cards = reading.reading.cards.clone();
    assess(cards, today, policy).into_result(model.clone(), reading.reading.elapsed)
}

/// Whether every labelled field was read as labelled.
fn is_right(labelled: &LabelledPicture, result: &PictureResult) -> bool {
    let assigned = assign(&labelled.cards, result);
    labelled
        .cards
        .iter()
        .zip(assigned)
        .all(|(label, card)| label.fields.iter().all(|(&field, text)| text_of(result, card, field).0 == text))
}
