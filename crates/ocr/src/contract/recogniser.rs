//! The recogniser's config.

use serde::Deserialize;

use super::{Config, Resampling, ensure, is_share};

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

/// Channels of the recogniser's output for each step: the logit of a character's centre, and that of a character that is there and
/// cannot be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecogniserChannels {
    pub(crate) centre: usize,
    pub(crate) hidden: usize,
    pub(crate) count: usize,
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
    /// Probabilities are kept this far from 0 and 1 before their logit is taken.
    pub(crate) floor: f32,
    /// The same for what is hidden.
    pub(crate) hidden: HiddenCalibration,
}

/// The probability that a character of a field is hidden is sigmoid(frame * logit(what the line detector says) + strips * logit(what the
/// recogniser says of the strip that says most) + bias).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HiddenCalibration {
    pub(crate) frame: f32,
    pub(crate) strips: f32,
    pub(crate) bias: f32,
}

/// The recogniser's config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecogniserConfig {
    pub(crate) inputs: usize,
    pub(crate) strip: StripCrop,
    pub(crate) resampling: Resampling,
    pub(crate) step: usize,
    pub(crate) channels: RecogniserChannels,
    pub(crate) classes: usize,
    pub(crate) decoding: RecogniserDecoding,
    pub(crate) temperature: f32,
    pub(crate) calibration: Calibration,
}

impl Config for RecogniserConfig {
    const NETWORK: &'static str = "recogniser";

    fn check(&self) -> Result<(), &'static str> {
        let StripCrop { height, em, width_multiple, min_width, max_width, .. } = self.strip;
        let rules = &self.decoding;
        let RecogniserChannels { centre, hidden, count } = self.channels;
        ensure(self.inputs == 1, "inputs must be 1, for grey")?;
        ensure(centre.max(hidden) < count, "channels must lie below channels.count")?;
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
        let HiddenCalibration { frame, strips, bias } = self.calibration.hidden;
        ensure(
            frame >= 0.0 && strips >= 0.0 && bias.is_finite(),
            "calibration.hidden must not take less for hidden what looks more so",
        )?;
        ensure(
            0.0 < self.calibration.floor && self.calibration.floor < 0.5,
            "calibration.floor must be more than 0 and less than 0.5",
        )
    }
}
