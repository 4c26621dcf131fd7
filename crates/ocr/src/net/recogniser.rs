//! The line recogniser: where a character's centre is, and which one it is.
//!
//! Twin of `training/shenfen_training/nets/recogniser.py`. Widths and numbers of blocks come from the weights.

use candle_core::{Result, Tensor};

use super::conv::{Conv, Scratch, Step};
use super::fpn::Residual;
use super::tensors::Tensors;
use crate::error::ModelError;
use crate::multiversioned::multiversioned;

/// The network.
pub struct Recogniser {
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

/// The network's output for a strip, by step.
pub struct StripOutput {
    /// [steps, width of the model]: what the classifier works on.
    pub features: Vec<f32>,
    /// For each step, the logit that a character's centre lies in it.
    pub centres: Vec<f32>,
}

impl Recogniser {
    pub(crate) fn new(tensors: &Tensors) -> std::result::Result<Recogniser, ModelError> {
        Ok(Recogniser {
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
        })
    }

    /// Strip [height, W, 1] -> features and centre logits of its steps.
    ///
    /// # Errors
    /// When the strip does not fit.
    pub fn forward(&self, strip: &Tensor, scratch: &Scratch) -> Result<StripOutput> {
        let through = |mut x: Tensor, blocks: &[Residual]| {
            for block in blocks {
                x = block.apply(&x, scratch)?;
            }
            Result::Ok(x)
        };
        let x = through(self.stem.apply(strip, Step::HALVE, scratch)?, &self.blocks0)?;
        let x = through(self.down1.apply(&x, Step::HALVE, scratch)?, &self.blocks1)?;
        let x = through(self.down2.apply(&x, Step { stride: [2, 1], relu: true }, scratch)?, &self.blocks2)?;
        let x = through(self.collapse.apply(&x, Step::RELU, scratch)?, &self.context)?;
        let centres = self.centre.apply(&x, Step::PLAIN, scratch)?.flatten_all()?.to_vec1()?;
        Ok(StripOutput { features: x.flatten_all()?.to_vec1()?, centres })
    }

    /// The layer that names the characters.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The width of the model: how many features a step has.
    pub(crate) fn width(&self) -> usize {
        self.collapse.outputs()
    }
}

/// Features of a step -> a logit for each character of the charset.
pub struct Classifier {
    all: Conv,
    /// [classes, features], for the few logits that have to be exact.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Classifier {
    /// Re-lays `weight` [classes, features] and `bias` [classes].
    pub(crate) fn new(weight: &Tensor, bias: &Tensor) -> Result<Classifier> {
        let (classes, features) = weight.dims2()?;
        let all = Conv::new(&weight.reshape((classes, features, 1, 1))?, bias)?;
        Ok(Classifier { all, weights: weight.flatten_all()?.to_vec1()?, bias: bias.to_vec1()? })
    }

    /// How many characters it knows.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn features(&self) -> usize {
        self.all.inputs()
    }

    /// Features [steps, width] -> `logits` [steps, classes], whatever was in there before; computed in bytes, which is
    /// near enough to tell which characters come into question.
    pub fn classify(&self, features: &[f32], scratch: &Scratch, logits: &mut Vec<f32>) {
        self.all.apply_to_pixels(features, scratch, logits);
    }

    /// The logit of one character for the features `[width]` of one step, exactly: look-alikes differ by little.
    pub fn exact(&self, features: &[f32], class: usize) -> f32 {
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
