//! The feature pyramid network of the locator and the line detector.

use candle_core::{Device, Result, Tensor};
use candle_nn::VarBuilder;

use super::layers::{Conv, Residual, Stride, to_map, to_tensor};
use crate::net::network::DetectorNetwork;
use crate::net::{FeatureMap, NetworkError, Scratch};

/// A stage of the way down: half the height and width, then residual blocks.
struct Stage {
    down: Conv,
    blocks: Vec<Residual>,
}

/// A level of the way up, which blends its stage with the map above.
struct TopDown {
    lateral: Conv,
    smooth: Conv,
}

/// The network.
pub(super) struct Fpn {
    network: &'static str,
    device: Device,
    stages: Vec<Stage>,
    deepest: Conv,
    /// From the deepest but one to the output's level.
    levels: Vec<TopDown>,
    head: Conv,
}

impl Fpn {
    /// Builds it from the trainer's weights; the map comes out at stage `output_stage`.
    pub(super) fn load(network: &'static str, builder: &VarBuilder, output_stage: usize) -> Result<Fpn> {
        let stages: Vec<Stage> = (0..)
            .map(|number: usize| builder.pp("stage").pp(number))
            .take_while(|stage| stage.contains_tensor("down.weight"))
            .map(|stage| {
                let down = Conv::load(network, &stage.pp("down"), Stride::Two)?;
                Ok(Stage { down, blocks: Residual::all(network, &stage.pp("block"))? })
            })
            .collect::<Result<_>>()?;
        let deepest = stages.len().saturating_sub(1);
        let conv = |layer: &str, level: usize| Conv::load(network, &builder.pp(layer).pp(level), Stride::One);
        let level = |level: usize| Ok(TopDown { lateral: conv("lateral", level)?, smooth: conv("smooth", level)? });
        Ok(Fpn {
            network,
            device: builder.device().clone(),
            stages,
            deepest: conv("lateral", deepest)?,
            levels: (output_stage..deepest).rev().map(level).collect::<Result<_>>()?,
            head: Conv::load(network, &builder.pp("head"), Stride::One)?,
        })
    }

    fn map(&self, picture: &FeatureMap, scratch: &Scratch) -> Result<FeatureMap> {
        let mut x = to_tensor(picture, &self.device)?;
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = Residual::chain(&stage.blocks, stage.down.relu(&x, scratch)?, scratch)?;
            maps.push(x.clone());
        }
        let mut top = self.deepest.relu(&x, scratch)?;
        for (level, map) in self.levels.iter().zip(maps.iter().rev().skip(1)) {
            let (_, _, height, width) = map.dims4()?;
            let above: Tensor = top.upsample_nearest2d(height, width)?;
            top = level.smooth.relu(&level.lateral.plus(map, &above, scratch)?, scratch)?;
        }
        to_map(&self.head.plain(&top, scratch)?)
    }
}

impl DetectorNetwork for Fpn {
    fn forward(&self, picture: &FeatureMap, scratch: &Scratch) -> std::result::Result<FeatureMap, NetworkError> {
        scratch.observe_input(self.network, picture);
        self.map(picture, scratch).map_err(|error| NetworkError::new(self.network, error))
    }
}
