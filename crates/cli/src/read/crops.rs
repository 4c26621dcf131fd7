//! `shenfen read --crops`: the cards set upright and the portraits, as files.

use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;
use shenfen_core::PictureResult;
use shenfen_ocr::Limits;
use shenfen_worker::PictureRef;

use crate::private_file;

/// The folder that crops are written to, laid out like the pictures.
pub(super) struct CropFolder {
    folder: PathBuf,
    limits: Limits,
}

/// The files of one card; a card whose corners enclose no area has none.
#[derive(Serialize)]
pub(super) struct CropFiles {
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portrait: Option<PathBuf>,
}

impl CropFolder {
    pub(super) fn new(folder: PathBuf, limits: Limits) -> CropFolder {
        CropFolder { folder, limits }
    }

    /// Writes the crops of a picture's cards, in the order of the cards: `a/b.jpg` gives `a/b.jpg-1-front.jpg` and
    /// `a/b.jpg-1-portrait.jpg`.
    pub(super) fn write(&self, picture: &PictureRef, result: &PictureResult) -> anyhow::Result<Vec<CropFiles>> {
        if result.cards.is_empty() {
            return Ok(Vec::new());
        }
        let named = || format!("cannot cut the cards out of {}", picture.source);
        let bytes = fs::read(&picture.path).with_context(named)?;
        let crops =
            shenfen_worker::crops(&bytes, &self.limits, result).map_err(|error| anyhow!("{}: {error}", named()))?;
        let mut files = Vec::with_capacity(crops.len());
        for ((number, crop), card) in (1..).zip(crops).zip(&result.cards) {
            let file = |what: &str, jpeg: Vec<u8>| self.store(&picture.source, &format!("-{number}-{what}.jpg"), &jpeg);
            let (upright, portrait) = crop.map_or((None, None), |crop| (Some(crop.card), crop.portrait));
            files.push(CropFiles {
                card: upright.map(|jpeg| file(card.side.as_str(), jpeg)).transpose()?,
                portrait: portrait.map(|jpeg| file("portrait", jpeg)).transpose()?,
            });
        }
        Ok(files)
    }

    fn store(&self, source: &str, suffix: &str, jpeg: &[u8]) -> anyhow::Result<PathBuf> {
        // Never out of the folder, wherever the picture lies.
        let below = Path::new(source).components().filter(|part| matches!(part, Component::Normal(_)));
        let mut path = self.folder.join(below.collect::<PathBuf>()).into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        let cannot_write = || format!("cannot write {}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(cannot_write)?;
        }
        private_file::create(&path).and_then(|mut file| file.write_all(jpeg)).with_context(cannot_write)?;
        Ok(path)
    }
}
