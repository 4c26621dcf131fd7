//! Each stage by itself, as the parity tests need it: the crop that a network is given, the network's output, and what is decoded from
//! that. [`CardReader`](crate::CardReader) runs the same functions one after another.

use image::{GrayImage, RgbImage};
use shenfen_core::{Quad, Side};

pub use crate::lines::TextLine;
pub use crate::locate::Located;

use crate::line_hypothesis::{Buffers, LineHypothesis, classify};
use crate::lines::{self, card_frame};
use crate::locate::{self, coarse_frame, refinement_frame, whole_picture};
use crate::net::{FeatureMap, NetworkError, StripOutput};
use crate::rectify::Picture;
use crate::strip::{self, CropVariant, Strip};
use crate::weights::Models;

/// A character read on a strip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StripCharacter {
    /// Its centre from the strip's left, in pixels of the strip.
    pub position: f32,
    /// The most probable character.
    pub character: char,
    /// Its probability.
    pub probability: f32,
}

/// The stages of some networks.
pub struct Stages<'a>(pub &'a Models);

impl Stages<'_> {
    /// The locator's coarse pass: the whole picture letterboxed.
    pub fn coarse_crop(&self, picture: &RgbImage) -> RgbImage {
        let whole = whole_picture([picture.width(), picture.height()].map(f64::from));
        Picture::new(picture).cut(&coarse_frame(&self.0.locator.config, whole))
    }

    /// The locator's refinement pass around a card's rough corners; `None` when they are no convex quad.
    pub fn refinement_crop(&self, picture: &RgbImage, rough: &Quad) -> Option<RgbImage> {
        Some(Picture::new(picture).cut(&refinement_frame(&self.0.locator.config, rough)?))
    }

    /// A crop of either pass as the locator takes it.
    ///
    /// # Errors
    /// Never, of an image.
    pub fn locator_input(&self, crop: &RgbImage) -> Result<FeatureMap, NetworkError> {
        locate::network_input(&self.0.locator.config, crop)
    }

    /// The cards in a locator's output without duplicates, in the crop's pixels, most confident first.
    pub fn decode_cards(&self, output: FeatureMap) -> Vec<Located> {
        let config = &self.0.locator.config;
        let [height, width, _] = output.shape();
        let output = locate::output::Output { config, values: output.into_values(), height, width };
        locate::suppress_duplicates(output.decode(config.decoding.threshold), config, usize::MAX)
    }

    /// The line detector's frame of a card, before its illumination is normalised; `None` when its corners are no convex quad.
    pub fn card_crop(&self, picture: &RgbImage, quad: &Quad) -> Option<GrayImage> {
        Some(Picture::new(picture).cut_grey(&card_frame(&self.0.lines.config, quad)?))
    }

    /// A card's frame as the line detector takes it.
    ///
    /// # Errors
    /// Never, of an image.
    pub fn lines_input(&self, frame: &GrayImage) -> Result<FeatureMap, NetworkError> {
        lines::network_input(&self.0.lines.config, frame)
    }

    /// The lines in a line detector's output, in the frame's pixels.
    pub fn decode_lines(&self, output: FeatureMap, side: Side) -> Vec<TextLine> {
        let [height, width, _] = output.shape();
        lines::Output { config: &self.0.lines.config, values: output.into_values(), height, width }.decode(side)
    }

    /// The strip of a line in a card's frame, before its illumination is normalised; `None` when the card's corners are no convex
    /// quad.
    pub fn strip_crop(&self, picture: &RgbImage, quad: &Quad, line: &TextLine) -> Option<GrayImage> {
        let frame = card_frame(&self.0.lines.config, quad)?;
        let config = &self.0.recogniser.config;
        let strip = Strip::new(config, line, &frame.to_picture, CropVariant::trained(&config.strip));
        Some(strip.cut(&mut Picture::new(picture)))
    }

    /// A strip as the recogniser takes it.
    ///
    /// # Errors
    /// Never, of an image.
    pub fn strip_input(&self, strip: &GrayImage) -> Result<FeatureMap, NetworkError> {
        strip::network_input(strip, self.0.recogniser.config.strip.min_deviation)
    }

    /// The characters in a recogniser's output.
    ///
    /// # Errors
    /// When the classifier fails.
    pub fn decode_characters(&self, output: &StripOutput) -> Result<Vec<StripCharacter>, NetworkError> {
        let model = &self.0.recogniser;
        let mut line = LineHypothesis::of_output(model, output, 0.0, |x| x);
        classify(model, std::iter::once(&mut line), &mut Buffers::default())?;
        let threshold = model.config.decoding.centre_threshold;
        let sure = line.detections.iter().filter(|detection| detection.centre > threshold);
        let read = sure.filter_map(|detection| {
            let best = detection.candidates.first()?;
            Some(StripCharacter { position: detection.along, character: best.character, probability: best.probability })
        });
        Ok(read.collect())
    }
}
