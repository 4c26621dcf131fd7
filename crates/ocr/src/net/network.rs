//! What a network is to the stages of reading, whichever engine computes it.

use super::{FeatureMap, NetworkError, Scratch};

/// A network that tells for each cell of a picture what is there: the locator and the line detector.
pub trait DetectorNetwork: Send + Sync {
    /// Picture [H, W, inputs] -> map [H / stride, W / stride, outputs], without activation. H and W are multiples of the
    /// deepest stride.
    ///
    /// # Errors
    /// When the picture does not fit.
    fn forward(&self, picture: &FeatureMap, scratch: &Scratch) -> Result<FeatureMap, NetworkError>;
}

/// The recogniser's output for a strip, by step.
pub struct StripOutput {
    /// [steps, width of the model]: what the classifier works on.
    pub features: Vec<f32>,
    /// [steps, channels]: what the channels of the recogniser's config say of each step.
    pub channels: Vec<f32>,
}

/// The network that reads a line.
pub trait RecogniserNetwork: Send + Sync {
    /// Strip [32, W, 1] -> features and channels of its W / 4 steps.
    ///
    /// # Errors
    /// When the strip does not fit.
    fn forward(&self, strip: &FeatureMap, scratch: &Scratch) -> Result<StripOutput, NetworkError>;

    /// The width of the model: how many features a step has.
    fn width(&self) -> usize;

    /// How many characters it tells apart.
    fn classes(&self) -> usize;

    /// Features [steps, width] -> `logits` [steps, classes], whatever was in there before: near enough to tell which
    /// characters come into question.
    ///
    /// # Errors
    /// When the features are not of the model's width.
    fn classify(&self, features: &[f32], scratch: &Scratch, logits: &mut Vec<f32>) -> Result<(), NetworkError>;

    /// Computes the logits of some `classes` again, exactly, from the features `[width]` of one step.
    fn refine(&self, features: &[f32], classes: &[usize], logits: &mut [f32]);
}
