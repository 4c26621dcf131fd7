//! The locator's config.

use serde::Deserialize;
use shenfen_core::Quad;

use super::{Config, Pixels, Resampling, ensure, is_share, is_stride};
use crate::geometry::rectangle;

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
