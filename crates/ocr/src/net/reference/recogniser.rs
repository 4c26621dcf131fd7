//! The recogniser.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::layers::{Conv, Residual, Stride, to_tensor};
use crate::net::network::{RecogniserNetwork, StripOutput};
use crate::net::{FeatureMap, NetworkError, Scratch};

/// The network.
pub(super) struct Recogniser {
    network: &'static str,
    device: Device,
    stem: Conv,
    blocks0: Vec<Residual>,
    down1: Conv,
    blocks1: Vec<Residual>,
    down2: Conv,
    blocks2: Vec<Residual>,
    collapse: Conv,
    context: Vec<Residual>,
    centre: Conv,
    classifier: Linear,
}

impl Recogniser {
    /// Builds it from the trainer's weights.
    pub(super) fn load(network: &'static str, builder: &VarBuilder) -> Result<Recogniser> {
        let conv = |layer: &str, stride| Conv::load(network, &builder.pp(layer), stride);
        let blocks = |layer: &str| Residual::all(network, &builder.pp(layer));
        let classifier = builder.pp("classifier");
        let (weight, bias) = (classifier.get_unchecked("weight")?, classifier.get_unchecked("bias")?);
        Ok(Recogniser {
            network,
            device: builder.device().clone(),
            stem: conv("stem", Stride::Two)?,
            blocks0: blocks("blocks0")?,
            down1: conv("down1", Stride::Two)?,
            blocks1: blocks("blocks1")?,
            down2: conv("down2", Stride::Rows)?,
            blocks2: blocks("blocks2")?,
            collapse: conv("collapse", Stride::One)?,
            context: blocks("context")?,
            centre: conv("centre", Stride::One)?,
            classifier: Linear::new(weight, Some(bias)),
        })
    }

    fn features(&self, strip: &FeatureMap, scratch: &Scratch) -> Result<StripOutput> {
        let x = self.stem.relu(&to_tensor(strip, &self.device)?, scratch)?;
        let x = self.down1.relu(&Residual::chain(&self.blocks0, x, scratch)?, scratch)?;
        let x = self.down2.relu(&Residual::chain(&self.blocks1, x, scratch)?, scratch)?;
        let x = self.collapse.relu(&Residual::chain(&self.blocks2, x, scratch)?, scratch)?;
        let x = Residual::chain(&self.context, x, scratch)?;
        let steps_first = |map: Tensor| map.squeeze(0)?.squeeze(1)?.t()?.contiguous()?.flatten_all()?.to_vec1();
        let channels = steps_first(self.centre.plain(&x, scratch)?)?;
        Ok(StripOutput { features: steps_first(x)?, channels })
    }

    fn logits(&self, features: &[f32], scratch: &Scratch) -> Result<Vec<f32>> {
        let steps = features.len() / self.width();
        let features = Tensor::from_slice(features, (steps, self.width()), &self.device)?;
        scratch.count_products(features.elem_count() * self.classes());
        self.classifier.forward(&features)?.flatten_all()?.to_vec1()
    }
}

impl RecogniserNetwork for Recogniser {
    fn forward(&self, strip: &FeatureMap, scratch: &Scratch) -> std::result::Result<StripOutput, NetworkError> {
        scratch.observe_input(self.network, strip);
        self.features(strip, scratch).map_err(|error| NetworkError::new(self.network, error))
    }

    fn width(&self) -> usize {
        self.collapse.outputs()
    }

    fn classes(&self) -> usize {
        self.classifier.weight().dims()[0]
    }

    fn classify(
        &self,
        features: &[f32],
        scratch: &Scratch,
        logits: &mut Vec<f32>,
    ) -> std::result::Result<(), NetworkError> {
        logits.clear();
        if !features.is_empty() {
            *logits = self.logits(features, scratch).map_err(|error| NetworkError::new(self.network, error))?;
        }
        Ok(())
    }

    /// They are exact already.
    fn refine(&self, _features: &[f32], _classes: &[usize], _logits: &mut [f32]) {}
}
