//! Where a picture lies in an archive, as text that a job keeps: `ARCHIVE#OFFSET,LENGTH,CRC:NAME`. With it a picture is read without
//! looking through the archive, also by a worker elsewhere that sees the same file.

use std::fmt;
use std::fs;
use std::path::Path;

use super::Kind;

/// A picture in an archive. No `Debug`: names may be those of people.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The archive.
    pub archive: String,
    /// Where the entry's first header begins.
    pub offset: u64,
    /// How many bytes its data takes in the archive.
    pub length: u64,
    /// The CRC-32 of the picture, which a zip may have in its directory only; 0 in a tar, which has none.
    pub crc: u32,
    /// Its name in the archive, with slashes.
    pub name: String,
}

impl Entry {
    /// The entry that a job's path means. A file of that very name comes first.
    pub(crate) fn of_path(path: &str) -> Option<Entry> {
        Entry::parse(path).filter(|_| fs::symlink_metadata(path).is_err())
    }

    /// What a job's path says where a picture comes from: without the place, if it is in an archive.
    pub(crate) fn source_of_path(path: &str) -> String {
        Entry::parse(path).map_or_else(|| path.to_owned(), |Entry { archive, name, .. }| format!("{archive}#{name}"))
    }

    /// Reads what [`Display`](fmt::Display) writes.
    fn parse(text: &str) -> Option<Entry> {
        // The archive's own path may have a `#` too.
        text.match_indices('#').find_map(|(at, _)| {
            let archive = &text[..at];
            Kind::of(Path::new(archive))?;
            let (place, name) = text[at + 1..].split_once(':')?;
            let mut numbers = place.splitn(3, ',');
            let offset = numbers.next()?.parse().ok()?;
            let length = numbers.next()?.parse().ok()?;
            let crc = numbers.next()?.parse().ok()?;
            Some(Entry { archive: archive.to_owned(), offset, length, crc, name: name.to_owned() })
        })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { archive, offset, length, crc, name } = self;
        write!(formatter, "{archive}#{offset},{length},{crc}:{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_survives_writing_and_reading() {
        for archive in ["/a#1,2,3:b/cards.zip", "/卡 1/cards.TAR.GZ", "cards.tgz"] {
            let name = "a/张#1,2,3:x.zip#4.jpg".to_owned();
            let entry = Entry { archive: archive.into(), offset: u64::MAX, length: 7, crc: u32::MAX, name };
            assert!(Entry::parse(&entry.to_string()) == Some(entry));
        }
        for text in ["/a/b.jpg", "/a/b.zip#c.jpg", "/a/b.zip#1,2:c", "/a/b.zip#-1,2,3:c", "/a/b#1,2,3:c.jpg", "#", ""] {
            assert!(Entry::parse(text).is_none(), "{text}");
        }
    }
}
