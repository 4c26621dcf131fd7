//! Archives of pictures: zip, and tar as it is or compressed. Nothing in an archive is ever written to disk under its own name.

mod entry;
mod name;
mod spool;
mod tar;
mod zip;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shenfen_core::RequestedSide;

use super::folder::is_picture;
use super::{Found, PictureRef, SourceError};
use crate::picture::{LoadError, not_loaded, too_many_bytes, unreadable};
use tar::{TarError, TarFile};
use zip::ZipListing;

pub use entry::Entry;

/// The kind of an archive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Zip,
    Tar,
    TarGzip,
    TarZstd,
}

/// What names of archives end with.
const ENDINGS: [(&str, Kind); 5] = [
    (".zip", Kind::Zip),
    (".tar", Kind::Tar),
    (".tar.gz", Kind::TarGzip),
    (".tgz", Kind::TarGzip),
    (".tar.zst", Kind::TarZstd),
];

impl Kind {
    /// The kind of archive that a file is by its name.
    pub(super) fn of(path: &Path) -> Option<Kind> {
        Kind::and_ending(path).map(|(kind, _)| kind)
    }

    fn and_ending(path: &Path) -> Option<(Kind, &'static str)> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|&(ending, kind)| (kind, ending))
    }

    fn is_compressed_tar(self) -> bool {
        matches!(self, Kind::TarGzip | Kind::TarZstd)
    }
}

/// The name of an archive without its ending.
pub(super) fn stem(path: &Path) -> Option<String> {
    let (_, ending) = Kind::and_ending(path)?;
    let name = path.file_name()?.to_str()?;
    Some(name[..name.len() - ending.len()].to_owned())
}

/// What a listing does with archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archives {
    /// They are files like others.
    NotOpened,
    /// Their pictures are listed, if they can be read where they lie. Those of a compressed tar cannot.
    InPlace,
    /// Their pictures are listed; a compressed tar is decompressed into a temporary file first.
    Decompressed,
}

/// A compressed tar that was decompressed. It is there as long as this is.
#[derive(Clone)]
pub struct DecompressedTar {
    archive: String,
    tar: Arc<TarFile>,
}

/// The pictures in an archive.
pub(super) struct Archive {
    /// As the user named it.
    path: PathBuf,
    source: String,
    absolute: String,
    entries: Entries,
    decompressed: Option<DecompressedTar>,
}

enum Entries {
    Zip(ZipListing),
    Tar {
        tar: Arc<TarFile>,
        /// Where the next entry begins.
        next: u64,
        /// Why the archive is not all there.
        fault: Option<String>,
    },
    /// After damage nothing more is listed.
    Over,
}

/// What an archive says about something in it that is no folder.
struct Listed {
    raw_name: Vec<u8>,
    is_file: bool,
    offset: u64,
    length: u64,
    crc: u32,
}

impl Entries {
    /// The next entry that is no folder.
    fn next(&mut self) -> Option<Result<Listed, String>> {
        loop {
            match self {
                Entries::Zip(listing) => match listing.next()? {
                    Ok(packed) if packed.is_dir() => {}
                    Ok(packed) => {
                        return Some(Ok(Listed {
                            raw_name: packed.name_raw().to_vec(),
                            is_file: !packed.is_symlink(),
                            offset: packed.header_start(),
                            length: packed.compressed_size(),
                            crc: packed.crc32(),
                        }));
                    }
                    Err(error) => return Some(Err(in_words(&error))),
                },
                Entries::Tar { tar, next, fault } => match tar.entry(*next) {
                    Ok(None) => return fault.take().map(Err),
                    Ok(Some(packed)) => {
                        let offset = std::mem::replace(next, packed.next);
                        if !packed.is_folder() {
                            let (is_file, length) = (packed.is_file(), packed.length);
                            return Some(Ok(Listed { raw_name: packed.name, is_file, offset, length, crc: 0 }));
                        }
                    }
                    Err(error) => return Some(Err(fault.take().unwrap_or_else(|| error.to_string()))),
                },
                Entries::Over => return None,
            }
        }
    }
}

impl Archive {
    pub(super) fn open(path: &Path, absolute: &Path, kind: Kind, archives: Archives) -> Result<Archive, SourceError> {
        let failed = |error| SourceError::of(path, &error);
        let (Some(source), Some(absolute)) = (path.to_str(), absolute.to_str()) else {
            return Err(SourceError::NotUnicode(path.to_path_buf()));
        };
        let refused = |reason: String| SourceError::Archive { path: path.to_path_buf(), reason };
        let mut decompressed = None;
        let entries = match kind {
            Kind::Zip => Entries::Zip(ZipListing::open(path).map_err(|error| refused(in_words(&error)))?),
            Kind::Tar => {
                let tar = File::open(path).and_then(TarFile::new).map_err(failed)?;
                Entries::Tar { tar: Arc::new(tar), next: 0, fault: None }
            }
            Kind::TarGzip | Kind::TarZstd if archives != Archives::Decompressed => {
                let reason = "workers cannot read from the middle of a compressed tar: decompress it, a .tar or a .zip is read in place";
                return Err(refused(reason.to_owned()));
            }
            Kind::TarGzip | Kind::TarZstd => {
                let spooled = spool::spool(path, kind).map_err(failed)?;
                let tar = Arc::new(TarFile::new(spooled.file).map_err(failed)?);
                decompressed = Some(DecompressedTar { archive: absolute.to_owned(), tar: Arc::clone(&tar) });
                Entries::Tar { tar, next: 0, fault: spooled.fault }
            }
        };
        let (path, source, absolute) = (path.to_path_buf(), source.to_owned(), absolute.to_owned());
        Ok(Archive { path, source, absolute, entries, decompressed })
    }

    pub(super) fn decompressed(&self) -> Option<DecompressedTar> {
        self.decompressed.clone()
    }

    pub(super) fn next(&mut self) -> Option<Found> {
        Some(match self.entries.next()? {
            Ok(listed) => self.found(listed),
            Err(reason) => {
                self.entries = Entries::Over;
                Found::Unreadable(SourceError::Archive { path: self.path.clone(), reason })
            }
        })
    }

    fn found(&self, listed: Listed) -> Found {
        let Listed { raw_name, is_file, offset, length, crc } = listed;
        let Some(name) = name::decoded(&raw_name) else {
            let picture = format!("{}#{}", self.source, name::printable(&String::from_utf8_lossy(&raw_name)));
            return Found::Unreadable(SourceError::Entry { picture, reason: "its name is neither UTF-8 nor GB 18030" });
        };
        if !is_file || !is_picture(Path::new(&name)) {
            return Found::Other;
        }
        if let Some(reason) = name::fault(&name) {
            let picture = format!("{}#{}", self.source, name::printable(&name));
            return Found::Unreadable(SourceError::Entry { picture, reason });
        }
        if name::is_hidden(&name) {
            return Found::Other;
        }
        Found::Picture(PictureRef {
            source: format!("{}#{name}", self.source),
            path: format!("{}#{name}", self.absolute),
            entry: Some(Entry { archive: self.absolute.clone(), offset, length, crc, name }),
            reference: None,
            side: RequestedSide::Auto,
        })
    }
}

/// The bytes of a picture in an archive.
///
/// # Errors
/// When they cannot be had.
pub(crate) fn load(entry: &Entry, decompressed: Option<&DecompressedTar>, most: usize) -> Result<Vec<u8>, LoadError> {
    let kind = Kind::of(Path::new(&entry.archive)).ok_or_else(changed)?;
    if let Some(decompressed) = decompressed.filter(|tar| tar.archive == entry.archive) {
        return load_from_tar(&decompressed.tar, entry, most);
    }
    if kind.is_compressed_tar() {
        let reason = "it is in a compressed tar: run `shenfen backfill` with that archive and this batch";
        return Err(LoadError::Unavailable(reason.to_owned()));
    }
    let file = File::open(&entry.archive).map_err(not_loaded)?;
    match kind {
        Kind::Zip => zip::load(file, entry, most),
        _ => load_from_tar(&TarFile::new(file).map_err(not_loaded)?, entry, most),
    }
}

fn load_from_tar(tar: &TarFile, entry: &Entry, most: usize) -> Result<Vec<u8>, LoadError> {
    let not_read = |error| match error {
        TarError::Io(error) => not_loaded(error),
        TarError::Damaged(_) => changed(),
    };
    let packed = tar.entry(entry.offset).map_err(not_read)?.ok_or_else(changed)?;
    if name::decoded(&packed.name).as_ref() != Some(&entry.name) || packed.length != entry.length {
        return Err(changed());
    }
    let bytes = usize::try_from(packed.length).unwrap_or(usize::MAX);
    if bytes > most {
        return Err(too_many_bytes(bytes, most));
    }
    tar.data(&packed).map_err(not_read)
}

fn changed() -> LoadError {
    let detail = "the archive is damaged, or was changed after it was listed: list it again as another batch";
    unreadable(detail)
}

fn damaged() -> LoadError {
    unreadable("the picture is damaged or cut off in its archive")
}

/// What is wrong with a zip.
fn in_words(error: &::zip::result::ZipError) -> String {
    use ::zip::result::ZipError;
    match error {
        ZipError::Io(error) if error.raw_os_error().is_some() => format!("cannot read it: {error}"),
        ZipError::UnsupportedArchive(reason) => format!("this kind of zip is not supported: {reason}"),
        _ => "the archive is damaged or cut off, or no zip".to_owned(),
    }
}
