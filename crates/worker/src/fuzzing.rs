//! What fuzz targets reach that is private otherwise.

use crate::source::{PictureRef, Source, archive};

/// The bytes of a picture in the archive that is listed, if they can be had.
pub fn load(picture: &PictureRef, listing: &Source, max_bytes: usize) -> Option<Vec<u8>> {
    archive::load(picture.entry.as_ref()?, listing.decompressed().as_ref(), max_bytes).ok()
}
