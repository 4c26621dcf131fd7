//! The line recogniser: where a character's centre is, and which one it is.
//!
//! Twin of `training/shenfen_training/nets/recogniser.py`. Widths and numbers of blocks come from the weights.

use super::conv::{Conv, Step};
use super::fpn::Residual;
use super::network::{RecogniserNetwork, StripOutput};
use super::tensors::Tensors;
use super::{FeatureMap, NetworkError, Scratch};
use crate::error::ModelError;
use crate::multiversioned::multiversioned;

/// The network.
pub(super) struct Recogniser {
    network: &'static str,
    stem: Conv,
    blocks0: Vec<Residual>,
    down1: Conv,
    blocks1: Vec<Residual>,
    down2: Conv,
    blocks2: Vec<Residual>,
    collapse: Conv,
    context: Vec<Residual>,
    centre: Conv,
    classifier: Classifier,
}

impl Recogniser {
    pub(super) fn new(tensors: &Tensors) -> Result<Recogniser, ModelError> {
        let recogniser = Recogniser {
            network: tensors.network(),
            stem: tensors.conv("stem")?,
            blocks0: Residual::all(tensors, "blocks0")?,
            down1: tensors.conv("down1")?,
            blocks1: Residual::all(tensors, "blocks1")?,
            down2: tensors.conv("down2")?,
            blocks2: Residual::all(tensors, "blocks2")?,
            collapse: tensors.conv("collapse")?,
            context: Residual::all(tensors, "context")?,
            centre: tensors.conv("centre")?,
            classifier: tensors.classifier("classifier")?,
        };
        if recogniser.width() != recogniser.classifier.features() {
            return Err(ModelError::shape(tensors.network(), "features and classifier differ"));
        }
        Ok(recogniser)
    }
}

impl RecogniserNetwork for Recogniser {
    fn forward(&self, strip: &FeatureMap, scratch: &Scratch) -> Result<StripOutput, NetworkError> {
        scratch.observe_input(self.network, strip);
        let x = Residual::chain(&self.blocks0, self.stem.apply(strip, Step::HALVE, scratch)?, scratch)?;
        let x = Residual::chain(&self.blocks1, self.down1.apply(&x, Step::HALVE, scratch)?, scratch)?;
        let x = self.down2.apply(&x, Step { stride: [2, 1], relu: true }, scratch)?;
        let x = Residual::chain(&self.blocks2, x, scratch)?;
        let x = Residual::chain(&self.context, self.collapse.apply(&x, Step::RELU, scratch)?, scratch)?;
        let channels = self.centre.apply(&x, Step::PLAIN, scratch)?.into_values();
        Ok(StripOutput { features: x.into_values(), channels })
    }

    fn width(&self) -> usize {
        self.collapse.outputs()
    }

    fn classes(&self) -> usize {
        self.classifier.bias.len()
    }

    /// In bytes.
    fn classify(&self, features: &[f32], scratch: &Scratch, logits: &mut Vec<f32>) -> Result<(), NetworkError> {
        self.classifier.all.apply_to_pixels(features, scratch, logits);
        Ok(())
    }

    fn refine(&self, features: &[f32], classes: &[usize], logits: &mut [f32]) {
        classes.iter().for_each(|&class| logits[class] = self.classifier.exact(features, class));
    }
}

/// The linear layer from the features of a step to a logit for each character of the charset.
pub(super) struct Classifier {
    all: Conv,
    /// [classes, features], for the few logits that have to be exact: look-alikes differ by little.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Classifier {
    /// Lays out `weights`, of the shape [classes, features], and `bias` `[classes]`.
    ///
    /// # Errors
    /// When shape, weights and bias do not fit each other.
    pub(super) fn new(
        name: String,
        [classes, features]: [usize; 2],
        weights: Vec<f32>,
        bias: Vec<f32>,
    ) -> Result<Classifier, NetworkError> {
        let all = Conv::new(name, [classes, features, 1, 1], &weights, &bias)?;
        Ok(Classifier { all, weights, bias })
    }

    fn features(&self) -> usize {
        self.all.inputs()
    }

    fn exact(&self, features: &[f32], class: usize) -> f32 {
        let weights = &self.weights[class * features.len()..][..features.len()];
        dot(features, weights) + self.bias[class]
    }
}

multiversioned! {
    /// The sum of products. In sixteen parts, so that it can be computed in vectors.
    fn dot(a: &[f32], b: &[f32]) -> f32 {
        let mut parts = [0.0_f32; 16];
        let (a, a_rest) = a.as_chunks::<16>();
        let (b, b_rest) = b.as_chunks::<16>();
        for (a, b) in a.iter().zip(b) {
            for i in 0..16 {
                parts[i] += a[i] * b[i];
            }
        }
        parts.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
    }
}
