//! From the bytes of a picture to the cards in it: the stages one after another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use image::{GrayImage, RgbImage};
use shenfen_core::{Elapsed, Quad, ReadCard};

use crate::decode::{Decoded, Encoded};
use crate::details::{CardDetails, DetailedReading};
use crate::error::ReadError;
use crate::geometry::{rotated_180, rotation};
use crate::illumination::Illumination;
use crate::limits::Limits;
use crate::line_hypothesis::Buffers;
use crate::lines::{FoundLines, card_frame, find_lines};
use crate::locate::{Located, locate};
use crate::net::{Observer, Scratch};
use crate::parameters::reader::{EXPECTED_CARD_WIDTH, FEW_FIELDS, ROTATED_WEIGHT_RATIO, SUFFICIENT_PIXELS_PER_MM};
use crate::quality::{QualityInput, assess, coarse_frame, pixels_per_mm};
use crate::recognise::{RecognisedFields, recognise};
use crate::rectify::{Frame, Picture};
use crate::weights::Models;

/// What was read in one picture.
#[derive(Clone)]
pub struct Reading {
    /// The cards by rows, top to bottom, and left to right in a row. Empty for a picture without a card.
    pub cards: Vec<ReadCard>,
    /// The picture's width in pixels, EXIF orientation applied.
    pub width: u32,
    /// The picture's height in pixels, EXIF orientation applied.
    pub height: u32,
    /// The picture is mirrored: the cards were read in its mirror image. Their corners are still in pixels of the picture, in the
    /// card's own order, which there runs counterclockwise.
    pub mirrored: bool,
    /// How many pictures the file holds, of which only the first one is read.
    pub pages: usize,
    /// Milliseconds by stage.
    pub elapsed: Elapsed,
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

    /// A reader that shows everything that passes through the networks to `observer`.
    pub fn observed_by(models: Arc<Models>, limits: Limits, observer: Box<dyn Observer>) -> CardReader {
        CardReader { models, limits, buffers: Buffers::new(Scratch::observed_by(observer)) }
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
        self.read_bytes(bytes, None)
    }

    /// The same, with everything that lies behind what was read: for fitting, not for serving.
    ///
    /// # Errors
    /// As [`CardReader::read`].
    pub fn read_detailed(&mut self, bytes: &[u8]) -> Result<DetailedReading, ReadError> {
        let mut details = Vec::new();
        let reading = self.read_bytes(bytes, Some(&mut details))?;
        Ok(DetailedReading { reading, details })
    }

    fn read_bytes(&mut self, bytes: &[u8], details: Option<&mut Vec<CardDetails>>) -> Result<Reading, ReadError> {
        let begin = Instant::now();
        let limits = self.limits;
        let encoded = Encoded::open(bytes, &limits)?;
        let size = encoded.size();
        let card_mm = self.models.lines.config.frame.card_mm;
        let expected = EXPECTED_CARD_WIDTH * size[0].max(size[1]) as f32 / card_mm[0];
        let mut decoded = encoded.decode(downscale_for(expected))?;
        let mut decoding = begin.elapsed();

        let begin_locating = Instant::now();
        let first_log2 = decoded.downscale_log2;
        let mut picture = Picture::new(&decoded.pixels);
        let mut found = self.locate(&mut picture)?;
        let locating = begin_locating.elapsed();

        let needed =
            found.iter().map(|card| downscale_for(pixels_per_mm(&card.quad, card_mm) * scale(first_log2))).min();
        if let Some(needed) = needed.filter(|&needed| needed < first_log2) {
            let begin_finer = Instant::now();
            // Two decoded pictures are never in memory together.
            drop(picture);
            drop(decoded);
            decoded = encoded.decode(needed)?;
            let factor = scale(first_log2) / scale(decoded.downscale_log2);
            found.iter_mut().for_each(|card| card.quad = scaled(&card.quad, factor));
            picture = Picture::new(&decoded.pixels);
            decoding += begin_finer.elapsed();
        }
        let mut downscale_log2 = decoded.downscale_log2;

        let begin_reading = Instant::now();
        let mut details = details;
        let mut cards = self.read_cards(&mut picture, &found, downscale_log2, details.as_deref_mut())?;
        drop(picture);
        let mut mirrored = false;
        if !cards.iter().any(is_legible) {
            if first_log2 > downscale_log2 {
                drop(decoded);
                decoded = encoded.decode(first_log2)?;
            }
            let mut of_mirror = details.is_some().then(Vec::new);
            if let Some(read) = self.read_mirrored(decoded, of_mirror.as_mut())? {
                (cards, downscale_log2, mirrored) = (read, first_log2, true);
                if let (Some(details), Some(of_mirror)) = (details.as_deref_mut(), of_mirror) {
                    *details = of_mirror;
                }
            }
        }
        let factor = scale(downscale_log2);
        for card in &mut cards {
            card.quad = scaled(&card.quad, factor);
            card.fields.values_mut().for_each(|field| field.quad = scaled(&field.quad, factor));
        }
        let fields = details.into_iter().flatten().flat_map(|card| card.values_mut());
        fields.flat_map(|field| &mut field.lines).for_each(|line| line.quad = scaled(&line.quad, factor));
        let elapsed = Elapsed {
            decode: milliseconds(decoding),
            locate: milliseconds(locating),
            recognise: milliseconds(begin_reading.elapsed()),
            total: milliseconds(begin.elapsed()),
        };
        Ok(Reading { cards, width: size[0], height: size[1], mirrored, pages: encoded.pages(), elapsed })
    }

    /// Reads every card in a decoded picture. `Elapsed::decode` is 0.
    ///
    /// # Errors
    /// When the picture has a side shorter than `Limits::min_side`, or a network fails.
    pub fn read_image(&mut self, image: &RgbImage) -> Result<Reading, ReadError> {
        self.read_pixels(image, None)
    }

    /// The same, with everything that lies behind what was read.
    ///
    /// # Errors
    /// As [`CardReader::read_image`].
    pub fn read_image_detailed(&mut self, image: &RgbImage) -> Result<DetailedReading, ReadError> {
        let mut details = Vec::new();
        let reading = self.read_pixels(image, Some(&mut details))?;
        Ok(DetailedReading { reading, details })
    }

    fn read_pixels(&mut self, image: &RgbImage, details: Option<&mut Vec<CardDetails>>) -> Result<Reading, ReadError> {
        let (width, height) = image.dimensions();
        if width.min(height) < self.limits.min_side.max(1) {
            return Err(ReadError::TooSmall { width, height, limit: self.limits.min_side });
        }
        let begin = Instant::now();
        let mut picture = Picture::new(image);
        let found = self.locate(&mut picture)?;
        let locating = begin.elapsed();
        let cards = self.read_cards(&mut picture, &found, 0, details)?;
        let total = begin.elapsed();
        let elapsed = Elapsed {
            decode: 0.0,
            locate: milliseconds(locating),
            recognise: milliseconds(total - locating),
            total: milliseconds(total),
        };
        Ok(Reading { cards, width, height, mirrored: false, pages: 1, elapsed })
    }

    fn locate(&self, picture: &mut Picture) -> Result<Vec<Located>, ReadError> {
        Ok(locate(&self.models.locator, picture, self.limits.max_cards, &self.buffers.scratch)?)
    }

    /// Reads the cards in the mirror image of a decoded picture, with their corners in the picture itself. `None` if nothing is legible
    /// there either.
    fn read_mirrored(
        &mut self,
        decoded: Decoded,
        details: Option<&mut Vec<CardDetails>>,
    ) -> Result<Option<Vec<ReadCard>>, ReadError> {
        let mut mirror = decoded.pixels;
        image::imageops::flip_horizontal_in_place(&mut mirror);
        let mut picture = Picture::new(&mirror);
        let found = self.locate(&mut picture)?;
        let mut details = details;
        let mut cards = self.read_cards(&mut picture, &found, decoded.downscale_log2, details.as_deref_mut())?;
        if !cards.iter().any(is_legible) {
            return Ok(None);
        }
        let width = mirror.width() as f32;
        let back = |quad: &mut Quad| quad.iter_mut().for_each(|corner| corner[0] = width - corner[0]);
        for card in &mut cards {
            back(&mut card.quad);
            card.fields.values_mut().for_each(|field| back(&mut field.quad));
        }
        let fields = details.into_iter().flatten().flat_map(|card| card.values_mut());
        fields.flat_map(|field| &mut field.lines).for_each(|line| back(&mut line.quad));
        Ok(Some(cards))
    }

    /// Reads the cards found in a picture whose sides were divided by 2^`downscale_log2`.
    fn read_cards(
        &mut self,
        picture: &mut Picture,
        found: &[Located],
        downscale_log2: u32,
        mut details: Option<&mut Vec<CardDetails>>,
    ) -> Result<Vec<ReadCard>, ReadError> {
        let mut cards = Vec::with_capacity(found.len());
        for card in found {
            let mut of_card = details.is_some().then(CardDetails::new);
            let Some(card) = self.read_card(picture, card, downscale_log2, of_card.as_mut())? else { continue };
            cards.push(card);
            if let Some(details) = &mut details {
                details.extend(of_card);
            }
        }
        Ok(cards)
    }

    fn read_card(
        &mut self,
        picture: &mut Picture,
        found: &Located,
        downscale_log2: u32,
        details: Option<&mut CardDetails>,
    ) -> Result<Option<ReadCard>, ReadError> {
        let Some(mut rectified) = self.rectify(picture, found)? else { return Ok(None) };
        if rectified.fields() < FEW_FIELDS {
            let rotated = Located { quad: rotated_180(&found.quad), ..*found };
            rectified = match self.rectify(picture, &rotated)? {
                Some(other) if other.is_clearly_better_than(&rectified) => other,
                _ => rectified,
            };
        }
        let RectifiedCard { card, frame, pixels, illumination, found: lines } = rectified;
        let RecognisedFields { fields, hidden, lowest_contrast } = recognise(
            &self.models.recogniser,
            picture,
            &frame.to_picture,
            &illumination,
            lines,
            &mut self.buffers,
            details,
        )?;
        let colours = picture.cut(&coarse_frame(&frame));
        let size = picture.size();
        let quality = assess(QualityInput {
            frame: &pixels,
            illumination: &illumination,
            colours: &colours,
            lowest_contrast,
            card: &card,
            size,
            card_mm: self.models.lines.config.frame.card_mm,
            downscale_log2,
        });
        let rotation = rotation(&card.quad);
        Ok(Some(ReadCard { side: card.side, quad: card.quad, rotation, fields, hidden, quality }))
    }

    /// Rectifies a card and finds its lines; `None` when its corners are no quad.
    fn rectify(&self, picture: &mut Picture, card: &Located) -> Result<Option<RectifiedCard>, ReadError> {
        let Some(frame) = card_frame(&self.models.lines.config, &card.quad) else { return Ok(None) };
        let pixels = picture.cut_grey(&frame);
        let illumination = Illumination::estimate(self.models.lines.config.illumination, &pixels);
        let found =
            find_lines(&self.models.lines, &illumination.normalised(&pixels), card.side, &self.buffers.scratch)?;
        Ok(Some(RectifiedCard { card: *card, frame, pixels, illumination, found }))
    }
}

/// A card rectified in one orientation, with the lines detected on it.
struct RectifiedCard {
    card: Located,
    frame: Frame,
    pixels: GrayImage,
    illumination: Illumination,
    found: FoundLines,
}

impl RectifiedCard {
    /// How many different fields have a line.
    fn fields(&self) -> usize {
        // The lines of a field stand together.
        self.found.lines.chunk_by(|a, b| a.field == b.field).count()
    }

    /// Whether it has more fields, or as many with clearly more weight. Dark bars look like lines either way up, so a slight
    /// difference proves nothing.
    fn is_clearly_better_than(&self, other: &RectifiedCard) -> bool {
        let weight = |card: &RectifiedCard| card.found.lines.iter().map(|line| line.weight).sum::<f32>();
        let more_fields = self.fields() > other.fields();
        more_fields || (self.fields() == other.fields() && weight(self) > weight(other) * ROTATED_WEIGHT_RATIO)
    }
}

/// Whether some field of a card was read with more confidence than not.
fn is_legible(card: &ReadCard) -> bool {
    card.fields.values().any(|field| field.confidence > 0.5)
}

/// The largest downscale factor (log2) that leaves a card of so many pixels per millimetre with sufficient ones.
fn downscale_for(per_mm: f32) -> u32 {
    (per_mm / SUFFICIENT_PIXELS_PER_MM).max(1.0).log2() as u32
}

/// Pixels of the original side per pixel of the downscaled side.
fn scale(downscale_log2: u32) -> f32 {
    (1 << downscale_log2) as f32
}

fn scaled(quad: &Quad, factor: f32) -> Quad {
    quad.map(|corner| corner.map(|at| at * factor))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
