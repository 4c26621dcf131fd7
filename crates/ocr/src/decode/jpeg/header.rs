//! What stands before the scan: size, components and tables.

use std::sync::Arc;

use super::entropy::HuffmanTable;

/// Coefficients of a block.
pub(super) const COEFFICIENTS: usize = 64;

/// A picture whose only scan has all its components.
pub(super) struct Header {
    /// Width and height in pixels.
    pub(super) size: [usize; 2],
    pub(super) components: Vec<Component>,
    /// The largest sampling factors of all components, horizontal and vertical.
    pub(super) max_sampling: [usize; 2],
    /// MCUs between restart markers; 0 for none.
    pub(super) restart_interval: usize,
}

/// Brightness or one of the two colours.
pub(super) struct Component {
    /// Sampling factors, horizontal and vertical: blocks of an MCU across and down.
    pub(super) sampling: [usize; 2],
    /// The quantisation table, in zigzag order.
    pub(super) quantisation: [u16; COEFFICIENTS],
    /// Huffman table of the DC coefficients.
    pub(super) dc_table: Arc<HuffmanTable>,
    /// Huffman table of the AC coefficients.
    pub(super) ac_table: Arc<HuffmanTable>,
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

impl Header {
    /// The header, and the bytes from the scan's first on.
    pub(super) fn of(bytes: &[u8]) -> Option<(Header, &[u8])> {
        let mut tables = Tables::default();
        let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
        loop {
            let (&marker, after) = rest.strip_prefix(&[0xFF])?.split_first()?;
            if marker == 0xFF {
                // A fill byte.
                rest = &rest[1..];
                continue;
            }
            let length = usize::from(u16::from_be_bytes(*after.first_chunk()?));
            let segment = after.get(2..length)?;
            rest = &after[length..];
            match marker {
                0xDB => tables.quantisation(segment)?,
                0xC4 => tables.huffman(segment)?,
                0xC0 | 0xC1 => tables.frame(segment)?,
                // Progressive, lossless, arithmetic, hierarchical.
                0xC2..=0xCF => return None,
                0xDD => tables.restart_interval = usize::from(u16::from_be_bytes(segment.try_into().ok()?)),
                0xEE => tables.is_not_ycbcr |= segment.starts_with(b"Adobe") && segment.get(11) != Some(&1),
                0xDA => return Some((tables.header(segment)?, rest)),
                0xE0..=0xFE => {}
                _ => return None,
            }
        }
    }

    /// MCUs across and down.
    pub(super) fn mcus(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(8 * self.max_sampling[axis]))
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

    /// The header, from the segment before the scan.
    fn header(&self, segment: &[u8]) -> Option<Header> {
        let (size, named) = self.frame.as_ref()?;
        let (&count, after) = segment.split_first()?;
        let (scanned, after) = after.split_at_checked(usize::from(count) * 2)?;
        let is_colour = matches!(named.len(), 1 | 3) && !(named.len() == 3 && self.is_not_ycbcr);
        let is_rgb = named.iter().map(|part| part.name).eq(*b"RGB");
        if after != [0, 63, 0] || usize::from(count) != named.len() || !is_colour || is_rgb {
            return None;
        }
        let max_sampling = [0, 1].map(|axis| named.iter().map(|part| part.sampling[axis]).max().unwrap_or(0));
        let components = named.iter().zip(scanned.as_chunks::<2>().0).map(|(part, &[name, selectors])| {
            let fits = |axis: usize| {
                (1..=4).contains(&part.sampling[axis]) && max_sampling[axis].is_multiple_of(part.sampling[axis])
            };
            if name != part.name || !fits(0) || !fits(1) {
                return None;
            }
            Some(Component {
                sampling: part.sampling,
                quantisation: (*self.quantisation_tables.get(part.quantisation)?)?,
                dc_table: self.dc_tables.get(usize::from(selectors >> 4))?.clone()?,
                ac_table: self.ac_tables.get(usize::from(selectors & 15))?.clone()?,
            })
        });
        let components = components.collect::<Option<Vec<_>>>()?;
        Some(Header { size: *size, components, max_sampling, restart_interval: self.restart_interval })
    }
}
