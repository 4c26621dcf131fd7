//! A feature pyramid network: strided stages bottom-up, laterals top-down to one map. The locator and the line detector.
//!
//! Twin of `training/shenfen_training/nets/fpn.py`. Widths and numbers of blocks come from the weights.

use candle_core::{Result, Tensor};

use super::conv::{Conv, Scratch, Step};
use super::tensors::Tensors;
use crate::error::ModelError;

/// y = relu(x + conv2(relu(conv1(x)))).
pub(crate) struct Residual {
    conv1: Conv,
    conv2: Conv,
}

impl Residual {
    /// The blocks `prefix.0`, `prefix.1`, ... as far as there are any.
    pub(crate) fn all(tensors: &Tensors, prefix: &str) -> std::result::Result<Vec<Residual>, ModelError> {
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

    pub(crate) fn apply(&self, x: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        let inner = self.conv1.apply(x, Step::RELU, scratch)?;
        self.conv2.apply_and_add(&inner, x, Step::RELU, scratch)
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
pub struct Fpn {
    stages: Vec<Stage>,
    top: Conv,
    /// From the deepest to the output's level.
    top_down: Vec<TopDown>,
    head: Conv,
}

impl Fpn {
    /// Builds it from its tensors; the map comes out at stage `output_stage`, that is at stride 2^(output_stage + 1).
    pub(crate) fn new(tensors: &Tensors, output_stage: usize) -> std::result::Result<Fpn, ModelError> {
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
            stages,
            top: tensors.conv(&format!("lateral.{deepest}"))?,
            top_down: (output_stage..deepest).rev().map(level).collect::<std::result::Result<_, ModelError>>()?,
            head: tensors.conv("head")?,
        })
    }

    /// Picture [H, W, inputs] -> map [H / stride, W / stride, outputs], without activation. H and W are multiples of
    /// the deepest stride.
    ///
    /// # Errors
    /// When the picture does not fit.
    pub fn forward(&self, picture: &Tensor, scratch: &Scratch) -> Result<Tensor> {
        let mut maps = vec![picture.clone()];
        for stage in &self.stages {
            let mut x = stage.down.apply(&maps[maps.len() - 1], Step::HALVE, scratch)?;
            for block in &stage.blocks {
                x = block.apply(&x, scratch)?;
            }
            maps.push(x);
        }
        let mut maps = maps.iter().rev();
        let mut top = match maps.next() {
            Some(deepest) => self.top.apply(deepest, Step::RELU, scratch)?,
            None => picture.clone(),
        };
        for (level, map) in self.top_down.iter().zip(maps) {
            let both = level.lateral.apply_and_add(map, &top, Step::PLAIN, scratch)?;
            top = level.smooth.apply(&both, Step::RELU, scratch)?;
        }
        self.head.apply(&top, Step::PLAIN, scratch)
    }
}
