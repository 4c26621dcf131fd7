//! The weights of a network by name.

use std::collections::HashMap;

use candle_core::{DType, Tensor};

use super::conv::Conv;
use super::recogniser::Classifier;
use crate::error::ModelError;

/// The tensors of one network by name.
pub(crate) struct Tensors {
    network: &'static str,
    tensors: HashMap<String, Tensor>,
}

impl Tensors {
    /// The tensors of `network`, as its weights name them.
    pub(crate) fn new(network: &'static str, tensors: HashMap<String, Tensor>) -> Tensors {
        Tensors { network, tensors }
    }

    /// Whether there are weights for this layer.
    pub(crate) fn has(&self, layer: &str) -> bool {
        self.tensors.contains_key(&format!("{layer}.weight"))
    }

    /// The convolution `layer.weight`, `layer.bias`.
    pub(crate) fn conv(&self, layer: &str) -> Result<Conv, ModelError> {
        Conv::new(&self.get(layer, "weight")?, &self.get(layer, "bias")?)
            .map_err(|e| ModelError::shape(self.network, e))
    }

    /// The linear layer `layer.weight`, `layer.bias`.
    pub(crate) fn classifier(&self, layer: &str) -> Result<Classifier, ModelError> {
        Classifier::new(&self.get(layer, "weight")?, &self.get(layer, "bias")?)
            .map_err(|e| ModelError::shape(self.network, e))
    }

    fn get(&self, layer: &str, part: &str) -> Result<Tensor, ModelError> {
        let tensor = format!("{layer}.{part}");
        match self.tensors.get(&tensor) {
            Some(found) => found.to_dtype(DType::F32).map_err(|e| ModelError::shape(self.network, e)),
            None => Err(ModelError::Tensor { network: self.network, tensor }),
        }
    }
}
