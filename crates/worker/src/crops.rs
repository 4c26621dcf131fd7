//! The cards of a picture set upright, and the portraits on them, for people to look at.

use shenfen_core::{CardResult, PictureResult, Side};
use shenfen_ocr::{Cropper, Limits, ReadError};

/// Height of a card's crop in pixels: about 12 pixels per millimetre, at which print is easy to read.
const CARD_HEIGHT: u32 = 640;
/// Height of a portrait's crop in pixels, at the same scale.
const PORTRAIT_HEIGHT: u32 = 384;

/// One card, as JPEG files. Personal data.
pub struct CardCrops {
    /// The card set upright.
    pub card: Vec<u8>,
    /// The portrait; only fronts have one.
    pub portrait: Option<Vec<u8>>,
}

/// The crops of every card of `result`, which was read from these bytes. `None` for a card whose corners enclose no area.
///
/// # Errors
/// When the picture is refused or damaged.
pub fn crops(bytes: &[u8], limits: &Limits, result: &PictureResult) -> Result<Vec<Option<CardCrops>>, ReadError> {
    if result.cards.is_empty() {
        return Ok(Vec::new());
    }
    let cropper = Cropper::decode(bytes, limits)?;
    let of_card = |card: &CardResult| {
        let portrait = Cropper::portrait_quad(&card.quad).filter(|_| card.side == Side::Front);
        Some(CardCrops {
            card: cropper.jpeg(&card.quad, 0.0, CARD_HEIGHT)?,
            portrait: portrait.and_then(|portrait| cropper.jpeg(&portrait, 0.0, PORTRAIT_HEIGHT)),
        })
    };
    Ok(result.cards.iter().map(of_card).collect())
}
