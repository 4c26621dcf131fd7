//! What the general decoder does not check before it takes memory: how many values the tags of a TIFF claim (TIFF 6.0,
//! section 2; BigTIFF).

/// Bytes of a value by its type, 1 to 18; types that nobody knows have none.
const VALUE_BYTES: [u64; 19] = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/// Checks that no tag of the first picture has more values than the file has bytes for.
///
/// # Errors
/// In words, why it is not decoded. A file whose tags cannot be found is left to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let is_short = |(kind, count): (u16, u64)| {
        let size = VALUE_BYTES.get(usize::from(kind)).copied().unwrap_or(0);
        count.saturating_mul(size) <= bytes.len() as u64
    };
    match tags(bytes).is_none_or(|mut tags| tags.all(is_short)) {
        true => Ok(()),
        false => Err("a tag has more values than the file has bytes".into()),
    }
}

/// Type and count of values of each tag of the first picture.
fn tags(bytes: &[u8]) -> Option<impl Iterator<Item = (u16, u64)>> {
    let reader = Reader { bytes, is_little: bytes.starts_with(b"II") };
    // Where the first directory stands, how it counts its tags, and how long each is.
    let is_big = reader.number(2, 2)? == 43;
    let [offset_at, offset_bytes, count_bytes, tag_bytes, value_count_bytes] =
        if is_big { [8, 8, 8, 20, 8] } else { [4, 4, 2, 12, 4] };
    let directory = usize::try_from(reader.number(offset_at, offset_bytes)?).ok()?;
    let count = usize::try_from(reader.number(directory, count_bytes)?).ok()?;
    let first = directory.checked_add(count_bytes)?;
    // It ends where the file does, whatever it counts.
    Some((0..count).map_while(move |tag| {
        let at = first.checked_add(tag.checked_mul(tag_bytes)?)?;
        Some((reader.number(at + 2, 2)? as u16, reader.number(at.checked_add(4)?, value_count_bytes)?))
    }))
}

struct Reader<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl Reader<'_> {
    /// The number that stands in `count` bytes from `at` on.
    fn number(&self, at: usize, count: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(count)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) })
    }
}
