//! What stands before a scan: size, components and tables.

use std::sync::Arc;

use super::entropy::HuffmanTable;

/// Coefficients of a block.
pub(super) const COEFFICIENTS: usize = 64;

/// A scan: the coefficients of one component or of several.
pub(super) struct Scan<'a> {
    /// Width and height of the picture in pixels.
    pub(super) size: [usize; 2],
    /// The components in this scan.
    pub(super) components: Vec<Component>,
    /// How many components the picture has.
    pub(super) frame_components: usize,
    /// The largest sampling factors of all components of the picture, horizontal and vertical.
    pub(super) max_sampling: [usize; 2],
    /// MCUs between restart markers; 0 for none.
    pub(super) restart_interval: usize,
    /// The picture from the scan's first entropy-coded byte on.
    pub(super) bytes: &'a [u8],
}

/// Brightness or one of the two colours.
pub(super) struct Component {
    /// Its place among the components of the picture.
    pub(super) index: usize,
    /// Sampling factors, horizontal and vertical: blocks of an MCU across and down.
    pub(super) sampling: [usize; 2],
    /// The quantisation table, in zigzag order.
    pub(super) quantisation: [u16; COEFFICIENTS],
    /// Huffman table of the DC coefficients.
    pub(super) dc_table: Arc<HuffmanTable>,
    /// Huffman table of the AC coefficients.
    pub(super) ac_table: Arc<HuffmanTable>,
}

/// The scans of a picture, one after another.
pub(super) struct Scans<'a> {
    tables: Tables,
    /// From the next marker on.
    rest: &'a [u8],
}

/// A component as the frame header names it.
#[derive(Clone, Copy)]
struct Named {
    name: u8,
    sampling: [usize; 2],
    /// Number of its quantisation table.
    quantisation: usize,
}

/// What the segments said so far.
#[derive(Default)]
struct Tables {
    quantisation_tables: [Option<[u16; COEFFICIENTS]>; 4],
    dc_tables: [Option<Arc<HuffmanTable>>; 4],
    ac_tables: [Option<Arc<HuffmanTable>>; 4],
    restart_interval: usize,
    /// Whether an Adobe segment says that the colours are not YCbCr.
    is_not_ycbcr: bool,
    frame: Option<([usize; 2], Vec<Named>)>,
}

impl<'a> Scans<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Scans<'a>> {
        Some(Scans { tables: Tables::default(), rest: bytes.strip_prefix(&[0xFF, 0xD8])? })
    }

    /// The next scan; `None` when there is no other, or the picture is none that is decoded here.
    pub(super) fn next(&mut self) -> Option<Scan<'a>> {
        loop {
            let (&marker, after) = self.rest.strip_prefix(&[0xFF])?.split_first()?;
            if marker == 0xFF {
                // A fill byte.
                self.rest = &self.rest[1..];
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            self.rest = &after[length..];
            match marker {
                0xDB => self.tables.quantisation(segment)?,
                0xC4 => self.tables.huffman(segment)?,
                0xC0 | 0xC1 => self.tables.frame(segment)?,
                // Progressive, lossless, arithmetic, hierarchical.
                0xC2..=0xCF => return None,
                0xDD => self.tables.restart_interval = usize::from(u16::from_be_bytes(segment.try_into().ok()?)),
                0xEE => self.tables.is_not_ycbcr |= segment.starts_with(b"Adobe") && segment.get(11) != Some(&1),
                0xDA => {
                    let scan = self.tables.scan(segment, self.rest)?;
                    self.rest = after_entropy_coded(self.rest);
                    return Some(scan);
                }
                0xE0..=0xFE => {}
                _ => return None,
            }
        }
    }
}

/// What follows entropy-coded bytes: from the first marker on that is neither a stuffed zero nor a restart marker.
fn after_entropy_coded(bytes: &[u8]) -> &[u8] {
    let is_end = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7);
    bytes.windows(2).position(is_end).map_or(&[], |at| &bytes[at..])
}

impl Scan<'_> {
    /// Whether it has all components of the picture.
    pub(super) fn is_whole(&self) -> bool {
        self.components.len() == self.frame_components
    }

    /// MCUs of all components, across and down.
    pub(super) fn mcus(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(8 * self.max_sampling[axis]))
    }

    /// Samples of a component, across and down, without those that only fill its blocks.
    pub(super) fn samples(&self, component: &Component) -> [usize; 2] {
        [0, 1].map(|axis| (self.size[axis] * component.sampling[axis]).div_ceil(self.max_sampling[axis]))
    }
}

impl Tables {
    fn quantisation(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, after)) = segment.split_first() {
            let wide = match kind >> 4 {
                0 => 1,
                1 => 2,
                _ => return None,
            };
            let (values, rest) = after.split_at_checked(COEFFICIENTS * wide)?;
            let mut table = [0; COEFFICIENTS];
            for (entry, value) in table.iter_mut().zip(values.chunks_exact(wide)) {
                *entry = value.iter().fold(0, |sum, &byte| sum << 8 | u16::from(byte));
            }
            *self.quantisation_tables.get_mut(usize::from(kind & 15))? = Some(table);
            segment = rest;
        }
        Some(())
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, after)) = segment.split_first() {
            let (counts, after) = after.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = after.split_at_checked(total)?;
            let table = Some(Arc::new(HuffmanTable::new(counts, symbols)?));
            let place = usize::from(kind & 15);
            match kind >> 4 {
                0 => *self.dc_tables.get_mut(place)? = table,
                1 => *self.ac_tables.get_mut(place)? = table,
                _ => return None,
            }
            segment = rest;
        }
        Some(())
    }

    fn frame(&mut self, segment: &[u8]) -> Option<()> {
        let (&[8, h0, h1, w0, w1, count], components) = segment.split_first_chunk()? else { return None };
        let size = [[w0, w1], [h0, h1]].map(|side| usize::from(u16::from_be_bytes(side)));
        let components = components.as_chunks::<3>().0;
        if size.contains(&0) || self.frame.is_some() || components.len() != usize::from(count) {
            return None;
        }
        let named = components.iter().map(|&[name, factors, table]| Named {
            name,
            // The blocks of a component alone stand row by row, whatever it says.
            sampling: if count == 1 { [1, 1] } else { [factors >> 4, factors & 15].map(usize::from) },
            quantisation: usize::from(table),
        });
        self.frame = Some((size, named.collect()));
        Some(())
    }

    /// The scan that a segment announces.
    fn scan<'a>(&self, segment: &[u8], bytes: &'a [u8]) -> Option<Scan<'a>> {
        let (size, named) = self.frame.as_ref()?;
        let (&count, after) = segment.split_first()?;
        let (scanned, after) = after.split_at_checked(usize::from(count) * 2)?;
        let is_colour = matches!(named.len(), 1 | 3) && !(named.len() == 3 && self.is_not_ycbcr);
        let is_rgb = named.iter().map(|part| part.name).eq(*b"RGB");
        if after != [0, 63, 0] || count == 0 || !is_colour || is_rgb {
            return None;
        }
        let max_sampling = [0, 1].map(|axis| named.iter().map(|part| part.sampling[axis]).max().unwrap_or(0));
        let fits = |part: &Named, axis: usize| {
            (1..=4).contains(&part.sampling[axis]) && max_sampling[axis].is_multiple_of(part.sampling[axis])
        };
        if !named.iter().all(|part| fits(part, 0) && fits(part, 1)) {
            return None;
        }
        let components = scanned.as_chunks::<2>().0.iter().map(|&[name, selectors]| {
            let index = named.iter().position(|part| part.name == name)?;
            Some(Component {
                index,
                sampling: named[index].sampling,
                quantisation: (*self.quantisation_tables.get(named[index].quantisation)?)?,
                dc_table: self.dc_tables.get(usize::from(selectors >> 4))?.clone()?,
                ac_table: self.ac_tables.get(usize::from(selectors & 15))?.clone()?,
            })
        });
        let components = components.collect::<Option<Vec<_>>>()?;
        let is_in_order = components.is_sorted_by(|a, b| a.index < b.index);
        let (size, frame_components, restart_interval) = (*size, named.len(), self.restart_interval);
        is_in_order.then_some(Scan { size, components, frame_components, max_sampling, restart_interval, bytes })
    }
}
