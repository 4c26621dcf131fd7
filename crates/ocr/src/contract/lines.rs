//! The line detector's config.

use serde::Deserialize;
use shenfen_core::{FieldName, Quad};

use super::{Config, Pixels, Resampling, ensure, is_share, is_stride};
use crate::geometry::rectangle;

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
    /// The first of as many as there are fields: the logit that a character of the field is printed there and cannot be seen.
    pub(crate) hidden: usize,
    pub(crate) count: usize,
}

/// How the brightness of paper is estimated on a card's frame, and divided out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IlluminationRules {
    /// Side of the blocks of a card's frame that share one gain, in pixels.
    pub(crate) block: usize,
    /// Strokes and the gaps between them are narrower than twice this many blocks; larger dark areas are taken for dark paper.
    pub(crate) closing_radius: usize,
    /// Brightness of paper after normalisation.
    pub(crate) target_paper: f32,
    /// Paper is taken to be at least this bright.
    pub(crate) min_paper: f32,
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
    pub(crate) inputs: usize,
    pub(crate) resampling: Resampling,
    pub(crate) pixels: Pixels,
    pub(crate) frame: CardFrame,
    pub(crate) illumination: IlluminationRules,
    pub(crate) output_stage: usize,
    pub(crate) stride: usize,
    pub(crate) channels: LinesChannels,
    pub(crate) distance_unit: f32,
    pub(crate) decoding: LinesDecoding,
}

impl Config for LinesConfig {
    const NETWORK: &'static str = "lines";

    fn check(&self) -> Result<(), &'static str> {
        let LinesChannels { fields, top, bottom, hidden, count } = &self.channels;
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
            [fields.len(), top + 1, bottom + 1, hidden + fields.len()].iter().all(|end| end <= count),
            "channels must lie below channels.count",
        )?;
        let IlluminationRules { block, target_paper, min_paper, .. } = self.illumination;
        ensure(
            self.frame.size.iter().all(|side| block > 0 && side.is_multiple_of(block)),
            "illumination.block must divide frame.size",
        )?;
        ensure(
            0.0 < min_paper && min_paper <= target_paper && target_paper <= 255.0,
            "illumination.min_paper must be positive and no more than target_paper",
        )?;
        ensure(self.distance_unit > 0.0, "distance_unit must be positive")?;
        ensure(rules.max_rows.len() == fields.len(), "decoding.max_rows must have a number for each field")?;
        ensure(is_share(rules.threshold) && is_share(rules.extend_threshold), "decoding thresholds must be 0..1")?;
        ensure(lengths.iter().all(|&length| length >= 0.0), "decoding lengths must not be negative")?;
        ensure(0.0 < rules.min_em && rules.min_em <= rules.max_em, "decoding.min_em must be positive and below max_em")
    }
}
