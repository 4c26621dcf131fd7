//! Image bytes to cards. The only crate that names image and candle; see its README for the stages.

#[doc(hidden)]
pub mod fuzzing;
pub mod reader;
pub mod stages;

mod contract;
mod cover;
mod engine;
mod error;
mod limits;
mod parameters;

mod crop;
mod decode;
mod details;
mod illumination;
mod locate;
mod rectify;

mod line_hypothesis;
mod lines;
mod quality;
mod recognise;
mod strip;

pub mod geometry;
mod multiversioned;
pub mod net;
mod weights;

pub use cover::{Cover, Material, Random};
pub use crop::Cropper;
pub use decode::memory_to_read;
pub use details::{CardDetails, DetailedReading, DetectionDetails, FieldDetails, LineDetails, Round};
pub use engine::{Device, Engine};
pub use error::{ModelError, ReadError};
pub use image::{ImageFormat, RgbImage};
pub use limits::Limits;
pub use reader::{CardReader, Reading};
pub use weights::Models;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
