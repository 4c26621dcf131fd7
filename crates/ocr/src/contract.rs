//! What the trainer and the engine agree on, read from each network's `config.json`.
//!
//! The trainer writes the files from `training/shenfen_training/contract.py`, where each number is explained; the names are the
//! same here. An unknown or missing key is an error, so that neither side can get ahead of the other.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shenfen_core::{FieldName, Quad};

use crate::error::ModelError;
use crate::geometry::rectangle;

/// The only format of configs that this version knows.
const FORMAT: u32 = 2;

/// A network's config.
pub(crate) trait Config: DeserializeOwned {
    /// The network's name, which is that of its folder too.
    const NETWORK: &'static str;

    /// The name in the config.
    fn name(&self) -> &str;

    /// The network's version.
    fn version(&self) -> &str;

    /// What is wrong with the numbers, if anything.
    fn check(&self) -> Result<(), &'static str>;
}

/// The part that every format has.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// Reads a network's `config.json`.
///
/// # Errors
/// When it is of another format, has unknown or missing keys, or numbers that the engine cannot work with.
pub(crate) fn parse<C: Config>(json: &[u8]) -> Result<C, ModelError> {
    let network = C::NETWORK;
    let unreadable = |source| ModelError::Config { file: format!("{network}/config.json"), source };
    let Header { format } = serde_json::from_slice(json).map_err(unreadable)?;
    if format != FORMAT {
        return Err(ModelError::Format { network, format, known: FORMAT });
    }
    let config: C = serde_json::from_slice(json).map_err(unreadable)?;
    if config.name() != network {
        return Err(ModelError::shape(network, format!("its config is that of network {}", config.name())));
    }
    config.check().map_err(|reason| ModelError::shape(network, format!("its config is wrong: {reason}")))?;
    Ok(config)
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

/// Channels of the locator's output: the first one of each quantity.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocatorChannels {
    pub(crate) centre: usize,
    pub(crate) side: usize,
    pub(crate) corner_offsets: usize,
    pub(crate) corner_logits: usize,
    pub(crate) near_offset: usize,
    pub(crate) count: usize,
}

/// The refinement pass: where a card's rough corners go (left, top, right, bottom) in an input of `size` (width, height).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefinementPass {
    pub(crate) size: [usize; 2],
    card: [f32; 4],
}

impl RefinementPass {
    /// Where the rough corners go.
    pub(crate) fn card(&self) -> Quad {
        let [left, top, right, bottom] = self.card;
        rectangle(left, top, right, bottom)
    }
}

/// From the locator's output to cards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocatorDecoding {
    pub(crate) threshold: f32,
    pub(crate) neighbour_share: f32,
    pub(crate) corner_reach: f32,
    pub(crate) corner_threshold: f32,
    pub(crate) duplicate_iou: f32,
}

/// The locator's config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LocatorConfig {
    #[expect(dead_code, reason = "checked before the rest is read")]
    format: u32,
    name: String,
    version: String,
    pub(crate) inputs: usize,
    pub(crate) resampling: Resampling,
    pub(crate) pixels: Pixels,
    pub(crate) coarse_side: usize,
    pub(crate) refinement: RefinementPass,
    pub(crate) output_stage: usize,
    pub(crate) stride: usize,
    pub(crate) channels: LocatorChannels,
    pub(crate) offset_unit: f32,
    pub(crate) decoding: LocatorDecoding,
}

impl Config for LocatorConfig {
    const NETWORK: &'static str = "locator";

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn check(&self) -> Result<(), &'static str> {
        let LocatorChannels { centre, side, corner_offsets, corner_logits, near_offset, count } = self.channels;
        let ends = [centre + 1, side + 1, corner_offsets + 8, corner_logits + 4, near_offset + 2];
        let [left, top, right, bottom] = self.refinement.card;
        let rules = &self.decoding;
        let shares = [rules.threshold, rules.neighbour_share, rules.corner_threshold, rules.duplicate_iou];
        self.resampling.check()?;
        self.pixels.check()?;
        ensure(self.inputs == 3, "inputs must be 3, for RGB")?;
        ensure(is_stride(self.stride, self.output_stage), "stride must be 2^(output_stage + 1)")?;
        ensure(ends.iter().all(|&end| end <= count), "channels must lie below channels.count")?;
        ensure(self.offset_unit > 0.0, "offset_unit must be positive")?;
        ensure(self.coarse_side > 0 && !self.refinement.size.contains(&0), "inputs must have pixels")?;
        ensure(left < right && top < bottom, "refinement.card must be a rectangle")?;
        ensure(shares.into_iter().all(is_share) && rules.corner_reach >= 0.0, "decoding rules must be shares, 0..1")
    }
}

/// The frame into which an upright card is warped, the card in its middle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardFrame {
    /// Width and height in pixels.
    pub(crate) size: [usize; 2],
    width_in_cards: f32,
    /// Width and height of a card in millimetres.
    pub(crate) card_mm: [f32; 2],
}

impl CardFrame {
    /// Where the card's corners go.
    pub(crate) fn card(&self) -> Quad {
        let scale = self.size[0] as f32 / (self.width_in_cards * self.card_mm[0]);
        let [width, height] = self.card_mm.map(|side| side * scale);
        let [x, y] = self.size.map(|side| side as f32 / 2.0);
        rectangle(x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0)
    }
}

/// Channels of the line detector's output: a logit for each field, then the distances to the em box's top and bottom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesChannels {
    pub(crate) fields: Vec<FieldName>,
    pub(crate) top: usize,
    pub(crate) bottom: usize,
    pub(crate) count: usize,
}

/// From the line detector's output to lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesDecoding {
    pub(crate) threshold: f32,
    pub(crate) extend_threshold: f32,
    pub(crate) min_cells: usize,
    pub(crate) max_gap: f32,
    pub(crate) same_row: f32,
    pub(crate) max_indent: f32,
    pub(crate) min_slope_length: f32,
    pub(crate) min_em: f32,
    pub(crate) max_em: f32,
    pub(crate) max_rows: Vec<usize>,
}

/// The line detector's config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesConfig {
    #[expect(dead_code, reason = "checked before the rest is read")]
    format: u32,
    name: String,
    version: String,
    pub(crate) inputs: usize,
    pub(crate) resampling: Resampling,
    pub(crate) pixels: Pixels,
    pub(crate) frame: CardFrame,
    pub(crate) output_stage: usize,
    pub(crate) stride: usize,
    pub(crate) channels: LinesChannels,
    pub(crate) distance_unit: f32,
    pub(crate) decoding: LinesDecoding,
}

impl Config for LinesConfig {
    const NETWORK: &'static str = "lines";

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn check(&self) -> Result<(), &'static str> {
        let LinesChannels { fields, top, bottom, count } = &self.channels;
        let rules = &self.decoding;
        let lengths = [rules.max_gap, rules.same_row, rules.max_indent, rules.min_slope_length];
        let all_fields = FieldName::FRONT.iter().chain(&FieldName::BACK);
        self.resampling.check()?;
        self.pixels.check()?;
        ensure(self.inputs == 1, "inputs must be 1, for grey")?;
        ensure(is_stride(self.stride, self.output_stage), "stride must be 2^(output_stage + 1)")?;
        ensure(
            self.frame.size.iter().all(|side| *side > 0 && side.is_multiple_of(32)),
            "frame.size must be multiples of 32",
        )?;
        ensure(
            self.frame.width_in_cards >= 1.0 && self.frame.card_mm.iter().all(|&side| side > 0.0),
            "frame must hold the card",
        )?;
        ensure(
            all_fields.clone().count() == fields.len() && all_fields.clone().all(|field| fields.contains(field)),
            "channels.fields must be all fields",
        )?;
        ensure(
            [fields.len(), top + 1, bottom + 1].iter().all(|end| end <= count),
            "channels must lie below channels.count",
        )?;
        ensure(self.distance_unit > 0.0, "distance_unit must be positive")?;
        ensure(rules.max_rows.len() == fields.len(), "decoding.max_rows must have a number for each field")?;
        ensure(is_share(rules.threshold) && is_share(rules.extend_threshold), "decoding thresholds must be 0..1")?;
        ensure(lengths.iter().all(|&length| length >= 0.0), "decoding lengths must not be negative")?;
        ensure(0.0 < rules.min_em && rules.min_em <= rules.max_em, "decoding.min_em must be positive and below max_em")
    }
}

fn is_stride(stride: usize, output_stage: usize) -> bool {
    output_stage < 8 && stride == 2 << output_stage
}

/// How a line is cut for the recogniser.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StripCrop {
    pub(crate) height: usize,
    pub(crate) em: f32,
    pub(crate) side_margin: f32,
    pub(crate) width_multiple: usize,
    pub(crate) min_width: usize,
    pub(crate) max_width: usize,
    pub(crate) min_deviation: f32,
}

/// From centre logits to characters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecogniserDecoding {
    pub(crate) centre_threshold: f32,
    pub(crate) missed_threshold: f32,
}

/// A field's confidence is sigmoid(scale * logit(product of its probabilities) + bias).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Calibration {
    pub(crate) scale: f32,
    pub(crate) bias: f32,
    /// The product is kept this far from 0 and 1 before its logit is taken.
    pub(crate) floor: f32,
}

/// The recogniser's config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecogniserConfig {
    #[expect(dead_code, reason = "checked before the rest is read")]
    format: u32,
    name: String,
    version: String,
    pub(crate) inputs: usize,
    pub(crate) strip: StripCrop,
    pub(crate) resampling: Resampling,
    pub(crate) step: usize,
    pub(crate) classes: usize,
    pub(crate) decoding: RecogniserDecoding,
    pub(crate) temperature: f32,
    pub(crate) calibration: Calibration,
}

impl Config for RecogniserConfig {
    const NETWORK: &'static str = "recogniser";

    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn check(&self) -> Result<(), &'static str> {
        let StripCrop { height, em, width_multiple, min_width, max_width, .. } = self.strip;
        let rules = &self.decoding;
        ensure(self.inputs == 1, "inputs must be 1, for grey")?;
        ensure(0.0 < em && em <= height as f32, "strip.em must be positive and no more than strip.height")?;
        ensure(
            self.step > 0 && width_multiple.is_multiple_of(self.step),
            "strip.width_multiple must be a multiple of step",
        )?;
        ensure(
            [min_width, max_width].iter().all(|width| width.is_multiple_of(width_multiple)),
            "strip widths must be multiples of strip.width_multiple",
        )?;
        ensure(0 < min_width && min_width <= max_width, "strip.min_width must be positive and no more than max_width")?;
        self.resampling.check()?;
        ensure(
            self.strip.min_deviation > 0.0 && self.strip.side_margin >= 0.0,
            "strip.min_deviation must be positive",
        )?;
        ensure(
            is_share(rules.missed_threshold)
                && rules.missed_threshold <= rules.centre_threshold
                && rules.centre_threshold < 1.0,
            "decoding thresholds must be 0..1, missed_threshold the smaller one",
        )?;
        ensure(
            self.temperature > 0.0 && self.calibration.scale > 0.0 && self.calibration.bias.is_finite(),
            "temperature and calibration.scale must be positive",
        )?;
        ensure(
            0.0 < self.calibration.floor && self.calibration.floor < 0.5,
            "calibration.floor must be more than 0 and less than 0.5",
        )
    }
}

#[cfg(test)]
pub(crate) use tests::shipped;

#[cfg(test)]
mod tests;
