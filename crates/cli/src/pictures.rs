//! Arguments of the commands that read pictures.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use clap::Args;
use shenfen_core::{Finding, PictureResult, Policy, Severity};
use shenfen_ocr::{Engine, Limits, Models};
use shenfen_worker::{CardPictures, Today};
use time::Date;

use crate::clock::{parse_day, today_in_china};
use crate::memory::for_large_pictures;
use crate::policy::PolicyArgs;

/// How pictures are read.
#[derive(Args)]
pub(crate) struct ReadingArgs {
    /// Number of reading threads [default: one per core]
    #[arg(long, env = "SHENFEN_THREADS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Check as of this day, YYYY-MM-DD [default: today in Asia/Shanghai]
    #[arg(long, env = "SHENFEN_TODAY", value_name = "DAY", value_parser = parse_day)]
    today: Option<Date>,

    /// Maximum size of a picture file in bytes
    #[arg(long, env = "SHENFEN_MAX_BYTES", value_name = "BYTES", default_value_t = Limits::default().max_bytes)]
    max_bytes: usize,

    /// Maximum number of pixels of a picture, width times height
    #[arg(long, env = "SHENFEN_MAX_PIXELS", value_name = "PIXELS", default_value_t = Limits::default().max_pixels)]
    max_pixels: u64,

    /// Memory in MiB for large pictures that are read at once; more of them wait, and one that takes more alone is refused [default: what the
    /// memory limit of the process leaves beside its threads]
    #[arg(long, env = "SHENFEN_MEMORY_MIB", value_name = "N", value_parser = clap::value_parser!(u64).range(32..=1 << 24))]
    memory_mib: Option<u64>,

    /// Folder with networks to use instead of the built-in ones
    #[arg(long, env = "SHENFEN_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,
}

impl ReadingArgs {
    /// The number of reading threads.
    pub(crate) fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.map_or_else(cores, usize::from)
    }

    /// Bytes of memory for large pictures that are read at once.
    pub(crate) fn memory(&self) -> u64 {
        match self.memory_mib {
            Some(mebibytes) => mebibytes << 20,
            None => for_large_pictures(self.threads()).unwrap_or(u64::MAX),
        }
    }

    /// Size limits of a picture.
    pub(crate) fn limits(&self) -> Limits {
        let limits = Limits::default();
        let max_memory = limits.max_memory.min(self.memory());
        Limits { max_bytes: self.max_bytes, max_pixels: self.max_pixels, max_memory, ..limits }
    }

    /// The day given, or the clock.
    pub(crate) fn today(&self) -> Today {
        self.today.map_or(Today::Clock(today_in_china), Today::Fixed)
    }

    /// The policy given, or the default one.
    ///
    /// # Errors
    /// When its file cannot be read, or is no policy.
    pub(crate) fn policy(&self) -> anyhow::Result<Policy> {
        self.policy.policy()
    }

    /// Whether a policy was given.
    pub(crate) fn names_policy(&self) -> bool {
        self.policy.is_given()
    }

    /// A reader with these settings.
    ///
    /// # Errors
    /// When the networks or the policy cannot be loaded.
    pub(crate) fn reader(&self) -> anyhow::Result<CardPictures> {
        self.reader_for(Engine::default())
    }

    /// The reader that was asked for, with an engine.
    ///
    /// # Errors
    /// When the networks or the policy cannot be loaded, or this build or machine does not have what the engine needs.
    pub(crate) fn reader_for(&self, engine: Engine) -> anyhow::Result<CardPictures> {
        Ok(CardPictures::new(self.models_for(engine)?, self.limits(), self.today(), self.policy()?))
    }

    /// The networks that were asked for, for an engine.
    ///
    /// # Errors
    /// When they cannot be loaded, or this build or machine does not have what the engine needs.
    pub(crate) fn models_for(&self, engine: Engine) -> anyhow::Result<Arc<Models>> {
        let models = match &self.models {
            Some(folder) => Models::load_for(engine, folder),
            None => Models::embedded_for(engine),
        };
        models.context("cannot load the networks")
    }
}

/// Why a picture was not accepted: its most severe findings in one line, without personal data.
pub(crate) fn reasons(result: &PictureResult) -> String {
    let worst = result.findings.iter().map(|finding| finding.severity).max();
    let in_words = |finding: &Finding| match finding.field {
        Some(field) => format!("{}: {}", field.as_str(), finding.detail),
        None => finding.detail.clone(),
    };
    let worst = |finding: &&Finding| finding.severity > Severity::Info && Some(finding.severity) == worst;
    result.findings.iter().filter(worst).map(in_words).collect::<Vec<_>>().join("; ")
}
