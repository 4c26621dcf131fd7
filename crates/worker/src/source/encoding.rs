//! The encoding of a manifest: spreadsheets save them as GB 18030 (or GBK, a part of it), UTF-16 or UTF-8, with a mark or without.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};

use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

/// Bytes looked at together.
const CHUNK: usize = 64 << 10;

/// A manifest as UTF-8, without a mark.
pub(super) type Decoded = DecodeReaderBytes<File, Vec<u8>>;

/// Finds out the encoding from the whole file, since a page of plain letters is the same in all of them.
///
/// # Errors
/// When the file cannot be read. `None` if it is of no encoding that is looked for.
pub(super) fn decoded(mut file: File) -> io::Result<Option<Decoded>> {
    let mut start = [0; 3];
    let length = file.read(&mut start)?;
    let marked = Encoding::for_bom(&start[..length]).map(|(encoding, _)| encoding);
    let encoding = match marked {
        Some(encoding) => Some(encoding),
        None if is_all(&mut file, UTF_8)? => Some(UTF_8),
        None if is_all(&mut file, GB18030)? => Some(GB18030),
        None => None,
    };
    file.rewind()?;
    Ok(encoding.map(|encoding| {
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).strip_bom(true).build(file)
    }))
}

/// A name in UTF-8 or GB 18030.
pub(super) fn decoded_name(raw: &[u8]) -> Option<String> {
    let decoded = |encoding: &'static Encoding| encoding.decode_without_bom_handling_and_without_replacement(raw);
    decoded(UTF_8).or_else(|| decoded(GB18030)).map(Cow::into_owned)
}

/// Whether a file is valid in an encoding from beginning to end.
fn is_all(file: &mut File, encoding: &'static Encoding) -> io::Result<bool> {
    file.rewind()?;
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut bytes = vec![0; CHUNK];
    let mut text = vec![0; CHUNK];
    loop {
        let length = file.read(&mut bytes)?;
        let mut rest = &bytes[..length];
        loop {
            let (result, read, _) = decoder.decode_to_utf8_without_replacement(rest, &mut text, length == 0);
            rest = &rest[read..];
            match result {
                DecoderResult::Malformed(..) => return Ok(false),
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
            }
        }
        if length == 0 {
            return Ok(true);
        }
    }
}
