//! From the bytes of a picture to the cards in it: the stages one after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use image::{GrayImage, RgbImage};
use shenfen_core::{Elapsed, Quad, ReadCard, Status};
use thiserror::Error;

use crate::decode::Encoded;
use crate::geometry::{rotation, turned_around};
use crate::light::Light;
use crate::lines::{TextLine, card_frame, find_lines};
use crate::locate::{Located, locate};
use crate::look::Buffers;
use crate::quality::{CARD, Evidence, coarse_frame, density, judge};
use crate::recognise::{Lines, recognise};
use crate::rectify::{Frame, Picture};
use crate::weights::Models;

/// With fewer fields than this a card may have been taken upside down.
const FEW_FIELDS: usize = 2;
/// So much more of the map must speak for the card turned around.
const CLEARLY_MORE: f32 = 1.25;

/// Pixels per millimetre of a card from which more do not help: a line of small type (2.65 mm) is read at 9.7.
const ENOUGH: f32 = 10.0;
/// A card is expected to be at least this part of its picture's longer side wide.
const EXPECTED: f32 = 0.5;

/// What a picture may cost. Checked on the header, before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of an encoded picture.
    pub max_bytes: usize,
    /// The most pixels, width times height. A decoded pixel takes 3 bytes, 4 with its halvings; while it is decoded up to
    /// 8 more, so this bounds the memory of a reader.
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
    buffers: Buffers,
}

impl CardReader {
    /// A reader over shared networks.
    pub fn new(models: Arc<Models>, limits: Limits) -> CardReader {
        CardReader { models, limits, buffers: Buffers::default() }
    }

    /// The networks it reads with.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// How many multiplications of the networks it has done so far.
    pub fn products(&self) -> u64 {
        self.buffers.scratch.products()
    }

    /// Reads every card in an encoded picture, on the calling thread alone.
    ///
    /// # Errors
    /// When the picture is refused or damaged, or a network fails; never for a picture without a card.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Reading, ReadError> {
        let begin = Instant::now();
        let limits = self.limits;
        let encoded = Encoded::open(bytes, &limits)?;
        let size = encoded.size();
        let expected = EXPECTED * size[0].max(size[1]) as f32 / CARD[0];
        let first = encoded.decode(halvings(expected))?;
        let mut decoding = begin.elapsed();

        let begin_locating = Instant::now();
        let again;
        let (mut picture, mut halved) = (Picture::new(&first.pixels), first.halvings);
        let mut found = self.locate(&mut picture)?;
        let locating = begin_locating.elapsed();

        let needed = found.iter().map(|card| halvings(density(&card.quad) * scale(halved))).min();
        if let Some(needed) = needed.filter(|&needed| needed < halved) {
            let begin_again = Instant::now();
            again = encoded.decode(needed)?;
            let factor = scale(halved) / scale(again.halvings);
            found.iter_mut().for_each(|card| card.quad = scaled(&card.quad, factor));
            (picture, halved) = (Picture::new(&again.pixels), again.halvings);
            decoding += begin_again.elapsed();
        }

        let begin_reading = Instant::now();
        let mut cards = self.read_cards(&mut picture, &found, halved)?;
        for card in &mut cards {
            card.quad = scaled(&card.quad, scale(halved));
            card.fields.values_mut().for_each(|field| field.quad = scaled(&field.quad, scale(halved)));
        }
        let elapsed = Elapsed {
            decode: milliseconds(decoding),
            locate: milliseconds(locating),
            recognise: milliseconds(begin_reading.elapsed()),
            total: milliseconds(begin.elapsed()),
        };
        Ok(Reading { cards, width: size[0], height: size[1], elapsed })
    }

    /// Reads every card in a decoded picture. `Elapsed::decode` is 0.
    ///
    /// # Errors
    /// When the picture has a side shorter than `Limits::min_side`, or a network fails.
    pub fn read_image(&mut self, image: &RgbImage) -> Result<Reading, ReadError> {
        let (width, height) = image.dimensions();
        if width.min(height) < self.limits.min_side.max(1) {
            return Err(ReadError::TooSmall { width, height, limit: self.limits.min_side });
        }
        let begin = Instant::now();
        let mut picture = Picture::new(image);
        let found = self.locate(&mut picture)?;
        let locating = begin.elapsed();
        let cards = self.read_cards(&mut picture, &found, 0)?;
        let total = begin.elapsed();
        let elapsed = Elapsed {
            decode: 0.0,
            locate: milliseconds(locating),
            recognise: milliseconds(total - locating),
            total: milliseconds(total),
        };
        Ok(Reading { cards, width, height, elapsed })
    }

    fn locate(&self, picture: &mut Picture) -> Result<Vec<Located>, ReadError> {
        Ok(locate(&self.models.locator, picture, self.limits.max_cards, &self.buffers.scratch)?)
    }

    /// Reads the cards found in a picture that was halved so often.
    fn read_cards(
        &mut self,
        picture: &mut Picture,
        found: &[Located],
        halvings: u32,
    ) -> Result<Vec<ReadCard>, ReadError> {
        let mut cards = Vec::with_capacity(found.len());
        for card in found {
            cards.extend(self.read_card(picture, card, halvings)?);
        }
        Ok(cards)
    }

    fn read_card(
        &mut self,
        picture: &mut Picture,
        found: &Located,
        halvings: u32,
    ) -> Result<Option<ReadCard>, ReadError> {
        let Some(mut view) = self.view(picture, found)? else { return Ok(None) };
        if view.fields() < FEW_FIELDS {
            let turned = Located { quad: turned_around(&found.quad), ..*found };
            view = match self.view(picture, &turned)? {
                Some(other) if other.clearly_beats(&view) => other,
                _ => view,
            };
        }
        let View { card, frame, pixels, light, lines } = view;
        let Lines { fields, faintest } =
            recognise(&self.models.recogniser, picture, &frame.to_picture, &light, &lines, &mut self.buffers)?;
        let colours = picture.cut(&coarse_frame(&frame));
        let size = picture.size();
        let quality =
            judge(Evidence { frame: &pixels, light: &light, colours: &colours, faintest, card: &card, size, halvings });
        Ok(Some(ReadCard { side: card.side, quad: card.quad, rotation: rotation(&card.quad), fields, quality }))
    }

    /// Rectifies a card and finds its lines; `None` when its corners are no quad.
    fn view(&self, picture: &mut Picture, card: &Located) -> Result<Option<View>, ReadError> {
        let Some(frame) = card_frame(&card.quad) else { return Ok(None) };
        let pixels = picture.cut_grey(&frame);
        let light = Light::of(&pixels);
        let lines = find_lines(&self.models.lines, &light.evened_out(&pixels), card.side, &self.buffers.scratch)?;
        Ok(Some(View { card: *card, frame, pixels, light, lines }))
    }
}

/// A card rectified one way up, with what was found on it.
struct View {
    card: Located,
    frame: Frame,
    pixels: GrayImage,
    light: Light,
    lines: Vec<TextLine>,
}

impl View {
    /// How many different fields have a line.
    fn fields(&self) -> usize {
        // The lines of a field stand together.
        self.lines.chunk_by(|a, b| a.field == b.field).count()
    }

    /// Whether this view has more fields, or as many and clearly more of the map for them. Dark bars look like lines
    /// either way up, so a slight difference proves nothing.
    fn clearly_beats(&self, other: &View) -> bool {
        let weight = |view: &View| view.lines.iter().map(|line| line.weight).sum::<f32>();
        let more_fields = self.fields() > other.fields();
        more_fields || (self.fields() == other.fields() && weight(self) > weight(other) * CLEARLY_MORE)
    }
}

/// How often a picture can be halved until its cards have just enough pixels, from so many per millimetre.
fn halvings(per_mm: f32) -> u32 {
    (per_mm / ENOUGH).max(1.0).log2() as u32
}

/// Pixels of a picture for one of the picture so often halved.
fn scale(halvings: u32) -> f32 {
    (1 << halvings) as f32
}

fn scaled(quad: &Quad, factor: f32) -> Quad {
    quad.map(|corner| corner.map(|at| at * factor))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
