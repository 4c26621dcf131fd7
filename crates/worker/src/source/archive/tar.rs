//! Tar archives: headers found one after another, with long names as GNU tar and POSIX (pax) write them. Any place in the archive can be
//! read on its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

const BLOCK: u64 = 512;

/// A longer name, or list of particulars before a header, is no picture's.
const LONGEST_EXTENSION: u64 = 64 << 10;

/// Why a tar cannot be read on.
#[derive(Debug, Error)]
pub(super) enum TarError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no tar, or not a whole one.
    #[error("{0}")]
    Damaged(&'static str),
}

const CUT_OFF: TarError = TarError::Damaged("the archive is cut off");
const NO_HEADER: TarError = TarError::Damaged("the archive is damaged, or no tar");

/// A tar that several threads read.
pub(super) struct TarFile {
    file: Mutex<File>,
    bytes: u64,
}

/// An entry of a tar.
pub(super) struct TarEntry {
    /// Its name, as it stands there.
    pub(super) name: Vec<u8>,
    /// The kind of file: '0' is a regular one.
    pub(super) kind: u8,
    /// Bytes of its data.
    pub(super) length: u64,
    /// Where its data begins.
    data: u64,
    /// Where the next entry begins.
    pub(super) next: u64,
}

impl TarEntry {
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, b'0' | 0 | b'7')
    }

    pub(super) fn is_folder(&self) -> bool {
        self.kind == b'5' || self.name.ends_with(b"/")
    }
}

impl TarFile {
    pub(super) fn new(mut file: File) -> io::Result<TarFile> {
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(TarFile { file: Mutex::new(file), bytes })
    }

    /// The entry whose first header is at `offset`; `None` at the archive's end.
    ///
    /// # Errors
    /// When there is none, its data is not all there, or the file cannot be read.
    pub(super) fn entry(&self, offset: u64) -> Result<Option<TarEntry>, TarError> {
        let mut at = offset;
        let (mut long_name, mut long_length) = (None, None);
        loop {
            if at >= self.bytes {
                return if at == offset { Ok(None) } else { Err(CUT_OFF) };
            }
            let mut header = [0; BLOCK as usize];
            self.read(at, &mut header)?;
            if header.iter().all(|&byte| byte == 0) {
                return Ok(None);
            }
            if !is_checksum_right(&header) {
                return Err(NO_HEADER);
            }
            let kind = header[156];
            let is_extension = matches!(kind, b'L' | b'K' | b'x' | b'g');
            let written = number(&header[124..136]).ok_or(NO_HEADER)?;
            let length = if is_extension { written } else { long_length.take().unwrap_or(written) };
            let data = at + BLOCK;
            let end = data.checked_add(length).filter(|&end| end <= self.bytes).ok_or(CUT_OFF)?;
            // The last block of some archives is not filled up.
            let next = end.next_multiple_of(BLOCK).min(self.bytes);
            match kind {
                b'L' => {
                    let mut name = self.extension(data, length)?;
                    name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
                    long_name = Some(name);
                }
                b'x' => {
                    for (key, value) in records(&self.extension(data, length)?).ok_or(NO_HEADER)? {
                        match key {
                            b"path" => long_name = Some(value.to_vec()),
                            b"size" => long_length = Some(decimal(value).ok_or(NO_HEADER)?),
                            _ => {}
                        }
                    }
                }
                b'K' | b'g' => {}
                _ => {
                    let name = long_name.unwrap_or_else(|| short_name(&header));
                    return Ok(Some(TarEntry { name, kind, length, data, next }));
                }
            }
            at = next;
        }
    }

    /// The data of an entry.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn data(&self, entry: &TarEntry) -> Result<Vec<u8>, TarError> {
        let length = usize::try_from(entry.length).map_err(|_| CUT_OFF)?;
        let mut data = vec![0; length];
        self.read(entry.data, &mut data)?;
        Ok(data)
    }

    fn extension(&self, at: u64, length: u64) -> Result<Vec<u8>, TarError> {
        if length > LONGEST_EXTENSION {
            return Err(TarError::Damaged("the archive has a name or an attribute of unusual length"));
        }
        let mut extension = vec![0; length as usize];
        self.read(at, &mut extension)?;
        Ok(extension)
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), TarError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => CUT_OFF,
            _ => error.into(),
        })
    }
}

/// The sum of a header's bytes, with those of the sum itself taken as spaces.
fn is_checksum_right(header: &[u8]) -> bool {
    let sum: u64 = header.iter().map(|&byte| u64::from(byte)).sum();
    let own: u64 = header[148..156].iter().map(|&byte| u64::from(byte)).sum();
    number(&header[148..156]) == Some(sum - own + 8 * u64::from(b' '))
}

/// A number of a header: octal digits, or, where those do not suffice, big-endian bytes after a set bit.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = (u64::from(field[0] & 0x7f), &field[1..]);
        return rest
            .iter()
            .try_fold(first, |number, &byte| (number >> 55 == 0).then_some(number << 8 | u64::from(byte)));
    }
    let digits = field.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii();
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 8)?;
        number.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The records of a pax header: `LENGTH KEY=VALUE\n`, where the length counts all of that.
fn records(mut bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|&byte| byte == b' ')?;
        let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
        let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|&byte| byte == b'=')?;
        records.push((&record[..equals], &record[equals + 1..]));
        bytes = &bytes[length..];
    }
    Some(records)
}

/// The name in a header, after its prefix where POSIX has one.
fn short_name(header: &[u8]) -> Vec<u8> {
    let until_nul = |field: &[u8]| field.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
    let name = until_nul(&header[..100]);
    let prefix = if &header[257..263] == b"ustar\0" { until_nul(&header[345..500]) } else { Vec::new() };
    if prefix.is_empty() { name } else { [prefix, name].join(&b'/') }
}
