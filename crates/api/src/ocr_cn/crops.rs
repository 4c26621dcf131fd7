//! `?crops=1`: the cards set upright and the portraits, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use shenfen_worker::CardCrops;

/// The crops of one card as JPEG files in base64; a card whose corners enclose no area has none.
#[derive(Default, Serialize)]
pub(super) struct EncodedCrops {
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portrait: Option<String>,
}

/// The crops of the cards in a picture, in the order of the cards.
pub(super) fn encoded(crops: Vec<Option<CardCrops>>) -> Vec<EncodedCrops> {
    let encode = |jpeg: Vec<u8>| STANDARD.encode(jpeg);
    let of_card = |crop: Option<CardCrops>| {
        crop.map_or_else(EncodedCrops::default, |crop| EncodedCrops {
            card: Some(encode(crop.card)),
            portrait: crop.portrait.map(encode),
        })
    };
    crops.into_iter().map(of_card).collect()
}
