//! A feature pyramid network: strided stages bottom-up, laterals top-down to one map. The locator and the line detector.
//!
//! Twin of `training/shenfen_training/nets/fpn.py`. Widths and numbers of blocks come from the weights.

use super::conv::{Conv, Step};
use super::network::DetectorNetwork;
use super::tensors::Tensors;
use super::{FeatureMap, NetworkError, Scratch};
use crate::error::ModelError;

/// y = relu(x + conv2(relu(conv1(x)))).
pub(super) struct Residual {
    conv1: Conv,
    conv2: Conv,
}

impl Residual {
    /// The blocks `prefix.0`, `prefix.1`, ... as far as there are any.
    pub(super) fn all(tensors: &Tensors, prefix: &str) -> Result<Vec<Residual>, ModelError> {
        let mut blocks = Vec::new();
        while tensors.has(&format!("{prefix}.{}.conv1", blocks.len())) {
            let name = format!("{prefix}.{}", blocks.len());
            blocks.push(Residual {
                conv1: tensors.conv(&format!("{name}.conv1"))?,
                conv2: tensors.conv(&format!("{name}.conv2"))?,
            });
        }
        Ok(blocks)
    }

    /// All `blocks`, one after another.
    pub(super) fn chain(blocks: &[Residual], x: FeatureMap, scratch: &Scratch) -> Result<FeatureMap, NetworkError> {
        blocks.iter().try_fold(x, |x, block| {
            let inner = block.conv1.apply(&x, Step::RELU, scratch)?;
            block.conv2.apply_and_add(&inner, &x, Step::RELU, scratch)
        })
    }
}

struct Stage {
    down: Conv,
    blocks: Vec<Residual>,
}

/// One level of the top-down path: a lateral convolution, and a smoothing one over the sum with the map above.
struct TopDown {
    lateral: Conv,
    smooth: Conv,
}

/// The network.
pub(super) struct Fpn {
    network: &'static str,
    stages: Vec<Stage>,
    top: Conv,
    /// From the deepest to the output's level.
    top_down: Vec<TopDown>,
    head: Conv,
}

impl Fpn {
    /// Builds it from its tensors; the map comes out at stage `output_stage`, that is at stride 2^(output_stage + 1).
    pub(super) fn new(tensors: &Tensors, output_stage: usize) -> Result<Fpn, ModelError> {
        let mut stages = Vec::new();
        while tensors.has(&format!("stage.{}.down", stages.len())) {
            let name = format!("stage.{}", stages.len());
            let down = tensors.conv(&format!("{name}.down"))?;
            stages.push(Stage { down, blocks: Residual::all(tensors, &format!("{name}.block"))? });
        }
        let deepest = stages.len().saturating_sub(1);
        let level = |level: usize| {
            Ok(TopDown {
                lateral: tensors.conv(&format!("lateral.{level}"))?,
                smooth: tensors.conv(&format!("smooth.{level}"))?,
            })
        };
        Ok(Fpn {
            network: tensors.network(),
            stages,
            top: tensors.conv(&format!("lateral.{deepest}"))?,
            top_down: (output_stage..deepest).rev().map(level).collect::<Result<_, ModelError>>()?,
            head: tensors.conv("head")?,
        })
    }
}

impl DetectorNetwork for Fpn {
    fn forward(&self, picture: &FeatureMap, scratch: &Scratch) -> Result<FeatureMap, NetworkError> {
        scratch.observe_input(self.network, picture);
        let mut maps: Vec<FeatureMap> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let x = stage.down.apply(maps.last().unwrap_or(picture), Step::HALVE, scratch)?;
            maps.push(Residual::chain(&stage.blocks, x, scratch)?);
        }
        let mut top = self.top.apply(maps.last().unwrap_or(picture), Step::RELU, scratch)?;
        for (level, map) in self.top_down.iter().zip(maps.iter().rev().skip(1)) {
            let both = level.lateral.apply_and_add(map, &top, Step::PLAIN, scratch)?;
            top = level.smooth.apply(&both, Step::RELU, scratch)?;
        }
        self.head.apply(&top, Step::PLAIN, scratch)
    }
}
