//! What the trainer and the engine agree on, read from each network's `config.json`.
//!
//! The trainer writes the files from `training/shenfen_training/contract.py`, where each number is explained; the names are the
//! same here. An unknown or missing key is an error, so that neither side can get ahead of the other.

mod lines;
mod locator;
mod recogniser;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::ModelError;

#[cfg(test)]
pub(crate) use lines::LinesChannels;
pub(crate) use lines::{IlluminationRules, LinesConfig, LinesDecoding};
pub(crate) use locator::LocatorConfig;
#[cfg(test)]
pub(crate) use recogniser::HiddenCalibration;
pub(crate) use recogniser::{Calibration, RecogniserConfig, RecogniserDecoding, StripCrop};

/// The only format of configs that this version knows.
const FORMAT: u32 = 2;

/// A network's config, but for what every config says ([`Contract`]).
pub(crate) trait Config: DeserializeOwned {
    /// The network's name, which is that of its folder too.
    const NETWORK: &'static str;

    /// What is wrong with the numbers, if anything.
    fn check(&self) -> Result<(), &'static str>;
}

/// A network's `config.json`.
pub(crate) struct Contract<C> {
    /// The network's version.
    pub(crate) version: String,
    /// The network's own part.
    pub(crate) config: C,
}

/// Reads a network's `config.json`.
///
/// # Errors
/// When it is of another format, has unknown or missing keys, or numbers that the engine cannot work with.
pub(crate) fn parse<C: Config>(json: &[u8]) -> Result<Contract<C>, ModelError> {
    let network = C::NETWORK;
    let unreadable = |source| ModelError::Config { file: format!("{network}/config.json"), source };
    let mut keys: Map<String, Value> = serde_json::from_slice(json).map_err(unreadable)?;
    let format: u32 = take(&mut keys, "format").map_err(unreadable)?;
    if format != FORMAT {
        return Err(ModelError::Format { network, format, known: FORMAT });
    }
    let name: String = take(&mut keys, "name").map_err(unreadable)?;
    if name != network {
        return Err(ModelError::shape(network, format!("its config is that of network {name}")));
    }
    let version = take(&mut keys, "version").map_err(unreadable)?;
    let config: C = serde_json::from_value(Value::Object(keys)).map_err(unreadable)?;
    config.check().map_err(|reason| ModelError::shape(network, format!("its config is wrong: {reason}")))?;
    Ok(Contract { version, config })
}

/// Takes a key that every config has out of its keys.
fn take<T: DeserializeOwned>(keys: &mut Map<String, Value>, key: &'static str) -> serde_json::Result<T> {
    let value = keys.remove(key).ok_or_else(|| serde::de::Error::missing_field(key))?;
    serde_json::from_value(value)
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn is_share(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

/// How a crop is sampled from a picture: bilinearly, averaged where the picture is finer than the crop.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resampling {
    /// The most samples per pixel of the crop and direction. A coarser level of the picture serves where that is not enough, so more
    /// samples mean more sharpness and more time.
    pub(crate) max_samples: u32,
    /// One sample is enough for up to this many picture pixels more than one.
    pub(crate) slack: f32,
    /// The level of what lies outside the picture.
    pub(crate) outside: u8,
}

impl Resampling {
    fn check(&self) -> Result<(), &'static str> {
        ensure((1..=16).contains(&self.max_samples), "resampling.max_samples must be 1..16")?;
        ensure((0.0..1.0).contains(&self.slack), "resampling.slack must be less than a pixel")
    }
}

/// How levels 0..255 become a detector's input: level / scale + offset.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pixels {
    scale: f32,
    offset: f32,
}

impl Pixels {
    /// Levels as a network's input.
    pub(crate) fn normalise(&self, levels: &[u8]) -> Vec<f32> {
        levels.iter().map(|&level| f32::from(level) / self.scale + self.offset).collect()
    }

    fn check(&self) -> Result<(), &'static str> {
        ensure(self.scale > 0.0 && self.offset.is_finite(), "pixels.scale must be positive")
    }
}

fn is_stride(stride: usize, output_stage: usize) -> bool {
    output_stage < 8 && stride == 2 << output_stage
}

#[cfg(test)]
pub(crate) use tests::shipped;

#[cfg(test)]
mod tests;
