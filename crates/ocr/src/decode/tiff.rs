//! What the general decoder does not check before it takes memory: how many values the tags of a TIFF claim (TIFF 6.0,
//! section 2; BigTIFF). And how many pages there are.

mod chunks;
mod scanner;

use std::io::Error;

use image::error::{ImageFormatHint, UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError, ImageFormat, ImageResult, RgbImage};

use super::general;
use super::header::Header;
use super::samples::{Colours, Depth};
use scanner::{Page, Rewritten, tag};

/// Bytes of a value by its type, 1 to 18; types that nobody knows have none.
const VALUE_BYTES: [u64; 19] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/// More values than a tag of a picture within the limits has: the decoder refuses those of more than a mebibyte.
const MOST_VALUES: u64 = 1 << 20;

/// More pages than any scanner puts into one file of an identity card.
const MOST_PAGES: usize = 1000;

/// A TIFF whose pixels are of a kind that is decoded.
pub(super) struct Tiff {
    kind: (Colours, Depth),
    /// The file in terms that the decoder knows, where its own are others.
    rewritten: Option<Rewritten>,
}

impl Tiff {
    /// The header of a file, and what else is known of it. One with more than `max_pixels` is not looked into any further.
    ///
    /// # Errors
    /// When it is damaged or of a kind that nobody decodes.
    pub(super) fn open(bytes: &[u8], max_pixels: u64) -> ImageResult<(Header, Tiff)> {
        check(bytes)?;
        let rewritten = Rewritten::of(bytes, max_pixels);
        let (size, samples) = {
            let decoder = general::decoder(rewritten.as_ref().map_or(bytes, |file| &file.bytes), ImageFormat::Tiff)?;
            (decoder.dimensions().into(), decoder.original_color_type())
        };
        let kind = chunks::kind(samples).ok_or_else(|| {
            let format = ImageFormatHint::Exact(ImageFormat::Tiff);
            let kind = UnsupportedErrorKind::Color(samples);
            ImageError::Unsupported(UnsupportedError::from_format_and_kind(format, kind))
        })?;
        let tiff = Tiff { kind, rewritten };
        let copy = tiff.rewritten.as_ref().map_or(0, |file| file.bytes.len() as u64);
        let mut header = Header { size, orientation: orientation(bytes), beside: copy };
        if header.pixels() <= max_pixels {
            header.beside += chunks::beside(tiff.bytes(bytes))?;
        }
        Ok((header, tiff))
    }

    /// The first picture.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn decode(&self, bytes: &[u8]) -> ImageResult<RgbImage> {
        let recolour = |row: &mut [u8]| self.rewritten.iter().for_each(|file| file.recolour(row));
        chunks::decode(self.bytes(bytes), self.kind, recolour)
    }

    fn bytes<'a>(&'a self, bytes: &'a [u8]) -> &'a [u8] {
        self.rewritten.as_ref().map_or(bytes, |file| &file.bytes)
    }
}

/// How the first picture of a file has to be turned.
fn orientation(bytes: &[u8]) -> Orientation {
    let number = Page::first(bytes).and_then(|page| page.number(tag::ORIENTATION));
    number.and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?)).unwrap_or(Orientation::NoTransforms)
}

/// Checks that no tag of the first picture has more values than the file has bytes for.
///
/// # Errors
/// When one has. A file whose tags cannot be found is left to the decoder.
fn check(bytes: &[u8]) -> ImageResult<()> {
    let is_short = |(kind, count): (u16, u64)| count.saturating_mul(value_bytes(kind)) <= bytes.len() as u64;
    match tags(bytes).is_none_or(|mut tags| tags.all(is_short)) {
        true => Ok(()),
        false => Err(damaged("a tag has more values than the file has bytes")),
    }
}

/// How many directories a file has, that is, pictures; at least 1. Counts no further than [`MOST_PAGES`], so a chain that runs in a
/// circle ends.
pub(super) fn pages(bytes: &[u8]) -> usize {
    let reader = Reader::new(bytes);
    let next = |directory: &Directory| {
        let after = directory.first_tag.checked_add(directory.count.checked_mul(directory.layout.tag_bytes)?)?;
        reader.directory(directory.layout, after)
    };
    std::iter::successors(reader.first_directory(), next).take(MOST_PAGES).count().max(1)
}

fn damaged(reason: &'static str) -> ImageError {
    ImageError::IoError(Error::other(reason))
}

/// Type and count of values of each tag of the first picture.
fn tags(bytes: &[u8]) -> Option<impl Iterator<Item = (u16, u64)>> {
    let reader = Reader::new(bytes);
    let directory = reader.first_directory()?;
    Some(directory.entries(reader).map(|entry| (entry.kind, entry.count)))
}

/// Where the first directory is said to be, how a directory counts its tags, and how long each is.
#[derive(Clone, Copy)]
struct Layout {
    offset_at: usize,
    offset_bytes: usize,
    count_bytes: usize,
    tag_bytes: usize,
    value_count_bytes: usize,
    value_bytes: usize,
}

impl Layout {
    fn of(reader: &Reader) -> Option<Layout> {
        let is_big = reader.number(2, 2)? == 43;
        Some(if is_big {
            Layout {
                offset_at: 8,
                offset_bytes: 8,
                count_bytes: 8,
                tag_bytes: 20,
                value_count_bytes: 8,
                value_bytes: 8,
            }
        } else {
            Layout {
                offset_at: 4,
                offset_bytes: 4,
                count_bytes: 2,
                tag_bytes: 12,
                value_count_bytes: 4,
                value_bytes: 4,
            }
        })
    }
}

/// The tags of one picture.
#[derive(Clone, Copy)]
struct Directory {
    layout: Layout,
    first_tag: usize,
    count: usize,
}

/// A tag: its number, the type of its values, how many there are, and where they stand.
#[derive(Clone, Copy)]
struct Entry {
    at: usize,
    number: u16,
    kind: u16,
    count: u64,
    values_at: usize,
}

impl Directory {
    /// Its tags. It ends where the file does, whatever it counts.
    fn entries(self, reader: Reader<'_>) -> impl Iterator<Item = Entry> {
        (0..self.count).map_while(move |tag| self.entry(reader, tag))
    }

    fn entry(self, reader: Reader<'_>, tag: usize) -> Option<Entry> {
        let layout = self.layout;
        let at = self.first_tag.checked_add(tag.checked_mul(layout.tag_bytes)?)?;
        let number = reader.number(at, 2)? as u16;
        let kind = reader.number(at + 2, 2)? as u16;
        let count = reader.number(at.checked_add(4)?, layout.value_count_bytes)?;
        let in_place = at + 4 + layout.value_count_bytes;
        let fits = count.saturating_mul(value_bytes(kind)) <= layout.value_bytes as u64;
        let elsewhere = || usize::try_from(reader.number(in_place, layout.value_bytes)?).ok();
        // Where the values would stand beyond the file, there are none to read.
        let values_at = if fits { in_place } else { elsewhere().unwrap_or(usize::MAX) };
        Some(Entry { at, number, kind, count, values_at })
    }
}

/// Bytes of a value of a type; 0 for types that nobody knows.
fn value_bytes(kind: u16) -> u64 {
    VALUE_BYTES.get(usize::from(kind)).copied().unwrap_or(0)
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, is_little: bytes.starts_with(b"II") }
    }

    fn first_directory(&self) -> Option<Directory> {
        let layout = Layout::of(self)?;
        self.directory(layout, layout.offset_at)
    }

    /// The values of a tag, as far as they are in the file.
    fn values(&self, entry: &Entry) -> impl Iterator<Item = u64> + use<'a> {
        let (reader, values_at) = (*self, entry.values_at);
        let size = value_bytes(entry.kind) as usize;
        let count = if size == 0 { 0 } else { entry.count.min(MOST_VALUES) };
        let value = move |at: u64| reader.number(values_at.checked_add((at as usize).checked_mul(size)?)?, size);
        (0..count).map_while(value)
    }

    /// The number that stands in `count` bytes from `at` on.
    fn number(&self, at: usize, count: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(count)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) })
    }

    /// The directory whose offset stands at `offset_at`; `None` where that is 0, which ends the chain, or beyond the file.
    fn directory(&self, layout: Layout, offset_at: usize) -> Option<Directory> {
        let at = usize::try_from(self.number(offset_at, layout.offset_bytes)?).ok().filter(|&at| at > 0)?;
        let count = usize::try_from(self.number(at, layout.count_bytes)?).ok()?;
        Some(Directory { layout, first_tag: at.checked_add(layout.count_bytes)?, count })
    }
}
