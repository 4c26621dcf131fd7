//! TIFFs as scanners and fax programs write them, put into terms that the general decoder knows (TIFF 6.0, sections 3, 5, 10, 11, 21).

use std::borrow::Cow;
use std::ops::Range;

use fax::Color;
use fax::decoder::{Group3Decoder, pels};

use super::{Directory, Entry, Reader};

/// Numbers of tags.
pub(super) mod tag {
    pub(in crate::decode::tiff) const WIDTH: u16 = 256;
    pub(in crate::decode::tiff) const HEIGHT: u16 = 257;
    pub(in crate::decode::tiff) const BITS_PER_SAMPLE: u16 = 258;
    pub(in crate::decode::tiff) const COMPRESSION: u16 = 259;
    pub(in crate::decode::tiff) const COLOURS: u16 = 262;
    pub(in crate::decode::tiff) const BIT_ORDER: u16 = 266;
    pub(in crate::decode::tiff) const ORIENTATION: u16 = 274;
    pub(in crate::decode::tiff) const STRIP_OFFSETS: u16 = 273;
    pub(in crate::decode::tiff) const ROWS_PER_STRIP: u16 = 278;
    pub(in crate::decode::tiff) const STRIP_BYTES: u16 = 279;
    pub(in crate::decode::tiff) const FAX_OPTIONS: u16 = 292;
    pub(in crate::decode::tiff) const PALETTE: u16 = 320;
    pub(in crate::decode::tiff) const TILE_OFFSETS: u16 = 324;
    pub(in crate::decode::tiff) const TILE_BYTES: u16 = 325;
    pub(in crate::decode::tiff) const JPEG_TABLES: u16 = 347;
}

/// Values of [`tag::COLOURS`].
const BLACK_IS_ZERO: u64 = 1;
const RGB: u64 = 2;
const PALETTE: u64 = 3;
const YCBCR: u64 = 6;

/// Values of [`tag::COMPRESSION`].
const UNCOMPRESSED: u64 = 1;
const FAX_GROUP_3: u64 = 3;
const JPEG: u64 = 7;

/// Value of [`tag::BIT_ORDER`]: the first pixel is in a byte's lowest bit.
const LOWEST_FIRST: u64 = 2;

/// Type of a value: two bytes, four bytes.
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// A TIFF that the general decoder reads, and what its samples mean.
pub(in crate::decode) struct Rewritten {
    pub(in crate::decode) bytes: Vec<u8>,
    samples: Samples,
}

enum Samples {
    /// What the general decoder takes them for.
    AsSaid,
    /// Numbers of these colours.
    Palette(Vec<[u8; 3]>),
    /// Luminance and chrominance in the full range of a byte, as JPEG has them.
    Ycbcr,
}

impl Rewritten {
    /// The same picture in other terms; `None` where nothing has to be rewritten, or where it is not known how, or where it has more than
    /// `max_pixels`: the general decoder says then what is wrong.
    pub(in crate::decode) fn of(bytes: &[u8], max_pixels: u64) -> Option<Rewritten> {
        let first = Page::first(bytes)?;
        if first.number(tag::WIDTH)?.checked_mul(first.number(tag::HEIGHT)?)? > max_pixels || !first.may_be_rewritten()
        {
            return None;
        }
        let mut file = Rewritten { bytes: bytes.to_vec(), samples: Samples::AsSaid };
        let changes = [file.put_bits_in_order(), file.unpack_fax(), file.rename_samples()];
        changes.iter().any(Option::is_some).then_some(file)
    }

    /// The highest bit first, but in JPEG data, which have an order of their own.
    fn put_bits_in_order(&mut self) -> Option<()> {
        let page = Page::first(&self.bytes)?;
        if page.number(tag::BIT_ORDER)? != LOWEST_FIRST || page.compression() == JPEG {
            return None;
        }
        let (pieces, order) = (page.pieces()?, page.entry(tag::BIT_ORDER)?);
        for piece in pieces {
            if let Some(piece) = self.bytes.get_mut(piece) {
                piece.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
            }
        }
        self.set(&order, 1)
    }

    /// Fax lines of one dimension (Group 3) become an uncompressed strip at the end of the file.
    fn unpack_fax(&mut self) -> Option<()> {
        let page = Page::first(&self.bytes)?;
        let is_two_dimensional = page.number(tag::FAX_OPTIONS).unwrap_or(0) & 1 == 1;
        if page.compression() != FAX_GROUP_3 || is_two_dimensional {
            return None;
        }
        let width = u16::try_from(page.number(tag::WIDTH)?).ok().filter(|width| *width > 0)?;
        let height = page.number(tag::HEIGHT)? as usize;
        let rows_per_strip = page.number(tag::ROWS_PER_STRIP).map_or(height, |rows| rows as usize);
        let mut rows = Vec::with_capacity(height.checked_mul(usize::from(width).div_ceil(8))?);
        let mut left = height;
        for piece in page.pieces()? {
            let of_strip = fax_rows(self.bytes.get(piece)?, width, rows_per_strip.min(left));
            left -= of_strip.len() / usize::from(width).div_ceil(8);
            rows.extend(of_strip);
        }
        if left > 0 {
            return None;
        }
        let [compression, offsets, sizes, rows_per_strip] =
            [tag::COMPRESSION, tag::STRIP_OFFSETS, tag::STRIP_BYTES, tag::ROWS_PER_STRIP].map(|tag| page.entry(tag));
        let (offset, size) = (self.bytes.len() as u64, rows.len() as u64);
        self.bytes.extend(rows);
        self.set(&compression?, UNCOMPRESSED)?;
        self.set_long(&offsets?, offset)?;
        self.set_long(&sizes?, size)?;
        rows_per_strip.map_or(Some(()), |entry| self.set_long(&entry, height as u64))
    }

    /// Samples that the general decoder does not know become grey levels or red, green and blue for it.
    fn rename_samples(&mut self) -> Option<()> {
        let page = Page::first(&self.bytes)?;
        let colours = page.entry(tag::COLOURS)?;
        let bits = page.number(tag::BITS_PER_SAMPLE).unwrap_or(1);
        match page.number(tag::COLOURS)? {
            PALETTE if [1, 8].contains(&bits) => {
                self.samples = Samples::Palette(page.palette()?);
                self.set(&colours, BLACK_IS_ZERO)
            }
            // Uncompressed ones are seldom and may have fewer values of colour than of brightness.
            YCBCR if page.compression() == JPEG => {
                self.samples = Samples::Ycbcr;
                self.set(&colours, RGB)
            }
            _ => None,
        }
    }

    /// Puts a row of the decoder's pixels in their true colours.
    pub(in crate::decode) fn recolour(&self, row: &mut [u8]) {
        let pixels = row.as_chunks_mut::<3>().0.iter_mut();
        match &self.samples {
            Samples::AsSaid => {}
            Samples::Palette(palette) => pixels.for_each(|pixel| *pixel = of_palette(palette, pixel[0])),
            Samples::Ycbcr => pixels.for_each(|pixel| *pixel = from_ycbcr(*pixel)),
        }
    }

    /// Writes the only value of a tag that has room for one.
    fn set(&mut self, entry: &Entry, value: u64) -> Option<()> {
        let size = super::value_bytes(entry.kind) as usize;
        let is_little = Reader::new(&self.bytes).is_little;
        let bytes = value.to_le_bytes();
        let place = self.bytes.get_mut(entry.values_at..entry.values_at.checked_add(size)?)?;
        place.copy_from_slice(bytes.get(..size)?);
        if !is_little {
            place.reverse();
        }
        Some(())
    }

    /// Makes the tag one of a single value of four bytes, which stands in it.
    fn set_long(&mut self, entry: &Entry, value: u64) -> Option<()> {
        let Directory { layout, .. } = Reader::new(&self.bytes).first_directory()?;
        let count_at = entry.at.checked_add(4)?;
        let values_at = count_at + layout.value_count_bytes;
        self.set(&Entry { kind: SHORT, values_at: entry.at + 2, ..*entry }, u64::from(LONG))?;
        let count_kind = if layout.value_count_bytes == 8 { 16 } else { LONG };
        self.set(&Entry { kind: count_kind, values_at: count_at, ..*entry }, 1)?;
        self.set(&Entry { kind: LONG, values_at, ..*entry }, u32::try_from(value).ok()?.into())
    }
}

/// The first picture of a file.
pub(super) struct Page<'a> {
    reader: Reader<'a>,
    directory: Directory,
}

impl<'a> Page<'a> {
    pub(super) fn first(bytes: &'a [u8]) -> Option<Page<'a>> {
        let reader = Reader::new(bytes);
        Some(Page { reader, directory: reader.first_directory()? })
    }

    /// The tag of this number; of several, the last one, as the decoder has it.
    fn entry(&self, tag: u16) -> Option<Entry> {
        self.directory.entries(self.reader).filter(|entry| entry.number == tag).last()
    }

    /// The first value of a tag.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.reader.values(&self.entry(tag)?).next()
    }

    fn values(&self, tag: u16) -> Vec<u64> {
        self.entry(tag).map(|entry| self.reader.values(&entry).collect()).unwrap_or_default()
    }

    fn compression(&self) -> u64 {
        self.number(tag::COMPRESSION).unwrap_or(UNCOMPRESSED)
    }

    /// Where the strips or tiles stand in the file; `None` where they are longer than it, all together: a few bytes would be work without end.
    fn pieces(&self) -> Option<Vec<Range<usize>>> {
        let (strips, tiles) = (self.values(tag::STRIP_OFFSETS), self.values(tag::TILE_OFFSETS));
        let (offsets, sizes) = match strips.is_empty() {
            false => (strips, self.values(tag::STRIP_BYTES)),
            true => (tiles, self.values(tag::TILE_BYTES)),
        };
        let total = sizes.iter().try_fold(0_u64, |total, size| total.checked_add(*size))?;
        let range = |(offset, size): (&u64, &u64)| Some(*offset as usize..offset.checked_add(*size)? as usize);
        (total <= self.reader.bytes.len() as u64).then(|| offsets.iter().zip(&sizes).filter_map(range).collect())
    }

    /// Whether there may be anything to rewrite, for which the file is copied.
    fn may_be_rewritten(&self) -> bool {
        let is_of_colours = |colours: &[u64]| self.number(tag::COLOURS).is_some_and(|number| colours.contains(&number));
        self.number(tag::BIT_ORDER) == Some(LOWEST_FIRST)
            || self.compression() == FAX_GROUP_3
            || is_of_colours(&[PALETTE, YCBCR])
    }

    /// Whether strips and tiles are JPEG pictures.
    pub(super) fn is_jpeg(&self) -> bool {
        self.compression() == JPEG
    }

    /// The strips or tiles, each behind the JPEG tables that the file has once for all; `None` where they are longer than the file.
    pub(super) fn jpeg_pieces(&self) -> Option<impl Iterator<Item = Cow<'a, [u8]>>> {
        let pieces = self.pieces()?;
        let (bytes, tables) = (self.reader.bytes, self.bytes_of(tag::JPEG_TABLES));
        Some(pieces.into_iter().map(move |piece| {
            let piece = bytes.get(piece).unwrap_or_default();
            // Between tables and picture stand the end of the one and the start of the other, of two bytes each.
            match (tables.and_then(|tables| tables.split_last_chunk::<2>()), piece.get(2..)) {
                (Some((tables, _)), Some(picture)) => Cow::Owned([tables, picture].concat()),
                _ => Cow::Borrowed(piece),
            }
        }))
    }

    /// The values of a tag of bytes.
    fn bytes_of(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        self.reader.bytes.get(entry.values_at..)?.get(..usize::try_from(entry.count).ok()?)
    }

    /// Red, green and blue of each colour: all reds stand first, then all greens and all blues, of 16 bits each. Some programs write bytes.
    fn palette(&self) -> Option<Vec<[u8; 3]>> {
        let values = self.values(tag::PALETTE);
        let count = values.len() / 3;
        let shift = if values.iter().any(|&value| value > 255) { 8 } else { 0 };
        let colour = |number: usize| [0, 1, 2].map(|channel| (values[channel * count + number] >> shift) as u8);
        (count > 0).then(|| (0..count).map(colour).collect())
    }
}

/// The rows of a strip, one bit a pixel, each in whole bytes; white is 0, as fax has it. It ends where the strip is damaged.
fn fax_rows(strip: &[u8], width: u16, rows: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    let bytes = strip.iter().map(|byte| Ok::<u8, std::convert::Infallible>(*byte));
    let Ok(mut decoder) = Group3Decoder::new(bytes) else { return packed };
    for _ in 0..rows {
        // The last row of a strip need not have an end of line.
        let is_damaged = decoder.advance().is_err();
        if is_damaged && decoder.transitions().last().copied().unwrap_or(0) < width {
            break;
        }
        let black: Vec<bool> = pels(decoder.transitions(), width).map(|pixel| pixel == Color::Black).collect();
        let pack = |byte: &[bool]| {
            byte.iter().enumerate().fold(0_u8, |packed, (at, black)| packed | u8::from(*black) << (7 - at))
        };
        packed.extend(black.chunks(8).map(pack));
    }
    packed
}

/// A number without a colour is black. Numbers of one bit come as 0 and 255.
fn of_palette(palette: &[[u8; 3]], level: u8) -> [u8; 3] {
    let number = if palette.len() == 2 { usize::from(level > 0) } else { usize::from(level) };
    palette.get(number).copied().unwrap_or_default()
}

/// JFIF's conversion (ITU-R BT.601, full range).
fn from_ycbcr([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let [y, cb, cr] = [f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0];
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| value.round() as u8)
}

#[cfg(test)]
mod tests;
