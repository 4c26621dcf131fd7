//! Formats that are told apart by their first bytes so that a refusal can name them.

/// Where the brands of an ISO base media file stand (ISO/IEC 14496-12): the major one, the minor version, then compatible ones.
const BRANDS: std::ops::Range<usize> = 8..64;

/// The name of a format that is known and not decoded.
pub(super) fn format_of(bytes: &[u8]) -> Option<&'static str> {
    let begins = |signature: &[u8]| bytes.starts_with(signature);
    if bytes.get(4..8) == Some(b"ftyp") {
        return of_brands(&bytes[BRANDS.start.min(bytes.len())..BRANDS.end.min(bytes.len())]);
    }
    // Some programs write a line before a PDF's own first one.
    if bytes[..bytes.len().min(1024)].windows(5).any(|five| five == b"%PDF-") {
        return Some("PDF");
    }
    [
        (&b"GIF8"[..], "GIF"),
        (b"\0\0\0\x0cJXL ", "JPEG XL"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"8BPS", "Photoshop"),
    ]
    .into_iter()
    .find_map(|(signature, name)| begins(signature).then_some(name))
}

fn of_brands(brands: &[u8]) -> Option<&'static str> {
    let has = |names: &[&[u8; 4]]| brands.as_chunks::<4>().0.iter().any(|brand| names.contains(&brand));
    match () {
        () if has(&[b"avif", b"avis"]) => Some("AVIF"),
        () if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"]) => Some("HEIC"),
        () => None,
    }
}
