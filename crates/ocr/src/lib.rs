//! Image bytes to cards. The only crate that names candle and image; see its README for the stages.

pub mod reader;

mod crop;
mod decode;
mod light;
mod locate;
mod rectify;

mod lines;
mod look;
mod quality;
mod recognise;
mod strip;

pub mod geometry;
pub mod net;
mod vectorised;
mod weights;

pub use crop::Pieces;
pub use image::RgbImage;
pub use reader::{CardReader, Limits, ReadError, Reading};
pub use weights::{ModelError, Models};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
