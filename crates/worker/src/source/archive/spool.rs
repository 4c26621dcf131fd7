//! A compressed tar, decompressed into a temporary file: from the middle of one, nothing can be read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::Kind;

/// A temporary file takes no more: a small archive may decompress to anything.
const LARGEST: u64 = 64 << 30;

/// Bytes decompressed together.
const CHUNK: usize = 256 << 10;

/// What was decompressed, and why that is not all.
pub(super) struct Spooled {
    pub(super) file: File,
    pub(super) fault: Option<String>,
}

/// Decompresses an archive into a file without a name, which only this process can open and which is gone with it, however it ends.
///
/// # Errors
/// When the archive cannot be read or there is no room for the file.
pub(super) fn spool(archive: &Path, kind: Kind) -> io::Result<Spooled> {
    let packed = BufReader::new(File::open(archive)?);
    let mut file = tempfile::tempfile()?;
    let fault = match kind {
        Kind::TarZstd => copy(ZstdFrames::new(packed), &mut file, LARGEST)?,
        _ => copy(MultiGzDecoder::new(packed), &mut file, LARGEST)?,
    };
    Ok(Spooled { file, fault })
}

/// Copies what can be decompressed; what is wrong with the rest is returned.
fn copy(mut unpacked: impl Read, file: &mut File, largest: u64) -> io::Result<Option<String>> {
    let mut bytes = vec![0; CHUNK];
    let mut total = 0;
    loop {
        let length = match unpacked.read(&mut bytes) {
            Ok(0) => return Ok(None),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.raw_os_error().is_some() => return Err(error),
            Err(_) => return Ok(Some("the archive is damaged or cut off".into())),
        };
        total += length as u64;
        if total > largest {
            let gib = largest >> 30;
            return Ok(Some(format!(
                "the archive decompresses to more than {gib} GiB: decompress it yourself, a .tar is read in place"
            )));
        }
        let full = |error: io::Error| {
            let folder = std::env::temp_dir();
            let reason = format!("cannot decompress it into {} (TMPDIR): {error}", folder.display());
            io::Error::new(error.kind(), reason)
        };
        file.write_all(&bytes[..length]).map_err(full)?;
    }
}

/// All frames of a file, one after another, as compressors that use several cores write them.
struct ZstdFrames<R> {
    packed: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(packed: R) -> ZstdFrames<R> {
        ZstdFrames { packed, decoder: FrameDecoder::new(), is_in_frame: false }
    }

    /// Whether there is another frame.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.packed.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.packed.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    fn is_checksum_right(&self) -> bool {
        let written = self.decoder.get_checksum_from_data();
        written.is_none() || written == self.decoder.get_calculated_checksum()
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.is_in_frame {
                self.is_in_frame = self.begin_frame()?;
                if !self.is_in_frame {
                    return Ok(0);
                }
            }
            let length = self.decoder.read(bytes)?;
            if length > 0 {
                return Ok(length);
            }
            if !self.decoder.is_finished() {
                let strategy = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.packed, strategy).map_err(io::Error::other)?;
            } else if self.is_checksum_right() {
                self.is_in_frame = false;
            } else {
                return Err(io::Error::other("a checksum is wrong"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Seek;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn copied(unpacked: impl Read, largest: u64) -> (Vec<u8>, Option<String>) {
        let mut file = tempfile::tempfile().unwrap();
        let fault = copy(unpacked, &mut file, largest).unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        (bytes, fault)
    }

    #[test]
    fn decompresses_all_frames_and_skips_those_without_data() {
        let frame = |content: &[u8]| compress_to_vec(content, CompressionLevel::Fastest);
        let skipped = [&0x184D_2A50_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let packed = [frame(b"one, "), skipped, frame(&[b'x'; 300_000]), frame(b"")].concat();
        let (bytes, fault) = copied(ZstdFrames::new(&packed[..]), LARGEST);
        assert!(bytes == [b"one, ", &[b'x'; 300_000][..]].concat() && fault.is_none());
        let (bytes, fault) = copied(ZstdFrames::new(&packed[..30]), LARGEST);
        assert!(bytes == b"one, " && fault.is_some());
    }

    #[test]
    fn stops_at_the_limit() {
        let (bytes, fault) = copied(io::repeat(0), 1 << 20);
        assert!(bytes.len() <= 1 << 20 && fault.is_some_and(|fault| fault.contains("more than")));
    }
}
