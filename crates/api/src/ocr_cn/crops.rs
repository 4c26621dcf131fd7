//! `?crops=1`: the cards set upright and the portraits, in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use shenfen_core::PictureResult;
use shenfen_ocr::Limits;
use tokio::task::spawn_blocking;

/// The crops of one card as JPEG files in base64; a card whose corners enclose no area has none.
#[derive(Default, Serialize)]
pub(super) struct EncodedCrops {
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    portrait: Option<String>,
}

/// The crops of the cards in a picture, in the order of the cards.
pub(super) async fn of(picture: Vec<u8>, limits: Limits, result: &PictureResult) -> Vec<EncodedCrops> {
    let result = result.clone();
    let cut = spawn_blocking(move || shenfen_worker::crops(&picture, &limits, &result)).await;
    let crops = match cut {
        Ok(Ok(crops)) => crops,
        // It has been read a moment ago, so this is no picture's fault. The answer is worth more than its crops.
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot cut the cards out of a picture");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(%error, "cannot cut the cards out of a picture");
            Vec::new()
        }
    };
    let encode = |jpeg: Vec<u8>| STANDARD.encode(jpeg);
    let of_card = |crop: Option<shenfen_worker::CardCrops>| {
        crop.map_or_else(EncodedCrops::default, |crop| EncodedCrops {
            card: Some(encode(crop.card)),
            portrait: crop.portrait.map(encode),
        })
    };
    crops.into_iter().map(of_card).collect()
}
