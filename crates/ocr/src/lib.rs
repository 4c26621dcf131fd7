//! Image bytes to cards: decode, locate, rectify, lines, recognise. The only crate that names candle and image.

pub mod reader;
pub mod weights;

pub use image::RgbImage;
pub use reader::{CardReader, Limits, ReadError, Reading};
pub use weights::{ModelError, Models};
