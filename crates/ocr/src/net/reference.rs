//! The same networks as layers of candle-nn, in 32-bit floating point: the reference that the int8 kernels are held to.
//! Runs on the processor or on a GPU.

mod fpn;
mod layers;
mod recogniser;

use candle_core::DType;
use candle_nn::VarBuilder;

use super::builder::NetworkBuilder;
use super::network::{DetectorNetwork, RecogniserNetwork};
use crate::engine::Device;
use crate::error::ModelError;

/// Builds the networks of the reference on one device.
pub(super) struct Reference {
    device: candle_core::Device,
}

impl Reference {
    /// Opens the device.
    ///
    /// # Errors
    /// When this build cannot use it, or this machine has none.
    pub(super) fn open(device: Device) -> Result<Reference, ModelError> {
        let opened = match device {
            Device::Cpu => Ok(candle_core::Device::Cpu),
            Device::Cuda => candle_core::Device::new_cuda(0),
            Device::Metal => candle_core::Device::new_metal(0),
        };
        match opened {
            Ok(device) => Ok(Reference { device }),
            Err(error) => Err(ModelError::Device { device, reason: error.to_string() }),
        }
    }

    fn weights<'a>(&self, bytes: &'a [u8]) -> candle_core::Result<VarBuilder<'a>> {
        VarBuilder::from_slice_safetensors(bytes, DType::F32, &self.device)
    }
}

impl NetworkBuilder for Reference {
    fn detector(
        &self,
        network: &'static str,
        bytes: &[u8],
        output_stage: usize,
    ) -> Result<Box<dyn DetectorNetwork>, ModelError> {
        let fpn = self.weights(bytes).and_then(|weights| fpn::Fpn::load(network, &weights, output_stage));
        Ok(Box::new(fpn.map_err(|error| ModelError::shape(network, error))?))
    }

    fn recogniser(&self, network: &'static str, bytes: &[u8]) -> Result<Box<dyn RecogniserNetwork>, ModelError> {
        let recogniser = self.weights(bytes).and_then(|weights| recogniser::Recogniser::load(network, &weights));
        Ok(Box::new(recogniser.map_err(|error| ModelError::shape(network, error))?))
    }
}
