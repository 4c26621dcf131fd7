//! Where pictures come from: a folder, an archive, a manifest or one file, listed piece by piece so that a million of them never sit
//! in memory.

pub(crate) mod archive;
mod encoding;
mod folder;
mod manifest;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shenfen_core::{Job, JobId, RequestedSide, Tenant};
use shenfen_store::NewJob;
use thiserror::Error;

use archive::{Archive, Kind as ArchiveKind};
use folder::Folder;
use manifest::Manifest;

pub use archive::{Archives, DecompressedTar, Entry};

/// A picture to read. No `Debug`: paths and references may hold names.
#[derive(Clone, PartialEq, Eq)]
pub struct PictureRef {
    /// As the user named it; in an archive `ARCHIVE#NAME`.
    pub source: String,
    /// The same from any working folder: the picture's job is identified by it.
    pub path: String,
    /// Where it lies in an archive; a file of its own is opened by its path.
    pub entry: Option<Entry>,
    /// The publisher's own name for it.
    pub reference: Option<String>,
    /// The side expected.
    pub side: RequestedSide,
}

impl PictureRef {
    /// The job of reading it for a batch of this tenant.
    pub fn into_job(self, tenant: Tenant, batch: &str) -> NewJob {
        let PictureRef { source, path, entry, reference, side } = self;
        let id = JobId::of_picture(batch, &path, reference.as_deref());
        let picture = entry.map_or(path, |entry| entry.to_string());
        NewJob { job: Job { tenant, id, batch: batch.to_owned(), reference, source, side }, picture }
    }
}

/// One thing that a listing met.
pub enum Found {
    /// A picture.
    Picture(PictureRef),
    /// A file that is none by its name, a link, or hidden: left out, as documented.
    Other,
    /// Something that could not be looked into.
    Unreadable(SourceError),
}

/// Why pictures cannot be listed.
#[derive(Debug, Error)]
pub enum SourceError {
    /// Nothing there.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// A file or folder that cannot be looked into.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Names in Unicode are all that a table can hold.
    #[error("the name of {} is not UTF-8: rename it", .0.display())]
    NotUnicode(PathBuf),
    /// A picture that no worker can find below its image root.
    #[error("{picture} is not below the image root {}", root.display())]
    OutsideRoot {
        /// The picture, as the user named it.
        picture: String,
        /// The folder.
        root: PathBuf,
    },
    /// An archive that cannot be listed, or not to its end.
    #[error("{}: {reason}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A picture in an archive that is not read.
    #[error("{picture}: {reason}")]
    Entry {
        /// The archive and the picture's name in it, on one line.
        picture: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A manifest that cannot be understood.
    #[error("{} line {line}: {reason}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

impl SourceError {
    fn of(path: &Path, error: &io::Error) -> SourceError {
        match error.kind() {
            io::ErrorKind::NotFound => SourceError::Missing(path.to_path_buf()),
            _ => SourceError::Unreadable { path: path.to_path_buf(), reason: error.to_string() },
        }
    }
}

/// A listing of pictures in a stable order: by name in a folder, by line in a manifest, by place in an archive.
pub struct Source {
    name: String,
    kind: Kind,
}

enum Kind {
    Picture(Option<PictureRef>),
    Folder(Folder),
    Manifest(Box<Manifest>),
    Archive(Box<Archive>),
}

impl Source {
    /// Looks at `path`: a folder is searched with all its folders, links are not followed; a file called `.csv`, `.jsonl`
    /// or `.ndjson` is a manifest; any other file is a picture.
    ///
    /// # Errors
    /// When it does not exist, cannot be read, or is a manifest without a usable head.
    pub fn open(path: &Path) -> Result<Source, SourceError> {
        Source::open_with(path, Archives::NotOpened)
    }

    /// The same, where a file called `.zip`, `.tar`, `.tar.gz`, `.tgz` or `.tar.zst` may be an archive of pictures. Archives in it,
    /// or in a folder, are left out.
    ///
    /// # Errors
    /// As [`Source::open`], and when it is an archive that cannot be opened.
    pub fn open_with(path: &Path, archives: Archives) -> Result<Source, SourceError> {
        let absolute = fs::canonicalize(path).map_err(|error| SourceError::of(path, &error))?;
        let name = absolute.file_stem().unwrap_or(absolute.as_os_str()).to_string_lossy().into_owned();
        let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
        let kind = if absolute.is_dir() {
            let name = absolute.file_name().unwrap_or(absolute.as_os_str()).to_string_lossy().into_owned();
            return Ok(Source { name, kind: Kind::Folder(Folder::open(path, &absolute)?) });
        } else if let Some(kind) = ArchiveKind::of(&absolute).filter(|_| archives != Archives::NotOpened) {
            let name = archive::stem(&absolute).unwrap_or(name);
            return Ok(Source { name, kind: Kind::Archive(Box::new(Archive::open(path, &absolute, kind, archives)?)) });
        } else if extension.as_ref().is_some_and(|extension| extension == "csv") {
            Kind::Manifest(Box::new(Manifest::csv(path, &absolute)?))
        } else if extension.is_some_and(|extension| extension == "jsonl" || extension == "ndjson") {
            Kind::Manifest(Box::new(Manifest::json_lines(path, &absolute)?))
        } else {
            Kind::Picture(Some(picture(path, &absolute)?))
        };
        Ok(Source { name, kind })
    }

    /// The folder's or file's own name: a batch is called after it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The decompressed tar that its pictures are read from.
    pub fn decompressed(&self) -> Option<DecompressedTar> {
        match &self.kind {
            Kind::Archive(archive) => archive.decompressed(),
            _ => None,
        }
    }
}

impl Iterator for Source {
    type Item = Found;

    /// The next thing in the listing. After [`Found::Unreadable`] it goes on where that is possible.
    fn next(&mut self) -> Option<Found> {
        match &mut self.kind {
            Kind::Picture(picture) => picture.take().map(Found::Picture),
            Kind::Folder(folder) => folder.next(),
            Kind::Manifest(manifest) => manifest.next(),
            Kind::Archive(archive) => archive.next(),
        }
    }
}

/// A picture without further particulars.
fn picture(source: &Path, absolute: &Path) -> Result<PictureRef, SourceError> {
    let (Some(source), Some(path)) = (source.to_str(), absolute.to_str()) else {
        return Err(SourceError::NotUnicode(source.to_path_buf()));
    };
    let (source, path, side) = (source.to_owned(), path.to_owned(), RequestedSide::Auto);
    Ok(PictureRef { source, path, entry: None, reference: None, side })
}

#[cfg(test)]
mod tests;
