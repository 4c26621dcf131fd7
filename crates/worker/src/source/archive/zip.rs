//! Zip archives: listed from their directory, and read an entry at a time.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ZipFileEntry, ZipReadOptions, read_zipfile_from_stream_with_options};
use zip::result::{ZipError, ZipResult};

use super::{Entry, changed, damaged, name};
use crate::picture::{LoadError, not_loaded, too_many_bytes, unreadable};

/// The entries of a zip, in the order of its directory, which is in memory while it is listed.
pub(super) struct ZipListing {
    archive: ZipArchive<BufReader<File>>,
    next: usize,
}

impl ZipListing {
    /// # Errors
    /// When the directory is not there or the file cannot be read.
    pub(super) fn open(path: &Path) -> ZipResult<ZipListing> {
        Ok(ZipListing { archive: ZipArchive::new(BufReader::new(File::open(path)?))?, next: 0 })
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Option<ZipResult<ZipFileEntry<'_>>> {
        let index = self.next;
        self.next += 1;
        (index < self.archive.len()).then(|| self.archive.by_index_data(index))
    }
}

/// The bytes of an entry, of which there may be no more than `most`, whatever its headers say.
///
/// # Errors
/// When it cannot be had.
pub(super) fn load(file: File, entry: &Entry, most: usize) -> Result<Vec<u8>, LoadError> {
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(entry.offset)).map_err(not_loaded)?;
    let options = ZipReadOptions::new().override_compressed_size(entry.length).override_crc(entry.crc);
    let opened = read_zipfile_from_stream_with_options(&mut file, options);
    let packed = opened.map_err(|error| not_opened(&error))?.ok_or_else(changed)?;
    if name::decoded(packed.name_raw()).as_ref() != Some(&entry.name) {
        return Err(changed());
    }
    let told = usize::try_from(packed.size()).unwrap_or(usize::MAX);
    if told > most {
        return Err(too_many_bytes(told, most));
    }
    let mut bytes = Vec::with_capacity(told);
    // One byte beyond the limit shows an entry that its header makes smaller than it is.
    packed.take(most as u64 + 1).read_to_end(&mut bytes).map_err(not_unpacked)?;
    if bytes.len() > most { Err(too_many_bytes(bytes.len(), most)) } else { Ok(bytes) }
}

fn not_opened(error: &ZipError) -> LoadError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            unreadable("the picture is encrypted in its archive: pack it without a password")
        }
        ZipError::CompressionMethodNotSupported(method) => unreadable(format!(
            "the picture is compressed by method {method}: pack it with deflate, which all zip programs have"
        )),
        ZipError::UnsupportedArchive(_) => unreadable("the picture is packed in a way that is not supported"),
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            not_loaded(io::Error::new(error.kind(), error.to_string()))
        }
        _ => changed(),
    }
}

/// What is wrong with an entry's data has no number of the system.
fn not_unpacked(error: io::Error) -> LoadError {
    match error.raw_os_error() {
        Some(_) => not_loaded(error),
        None if error.kind() == io::ErrorKind::Unsupported => {
            unreadable("the picture is compressed by a method that is not supported: pack it with deflate")
        }
        None => damaged(),
    }
}
