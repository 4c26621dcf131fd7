//! From the bytes of weights to networks, by engine.

use super::fpn::Fpn;
use super::network::{DetectorNetwork, RecogniserNetwork};
use super::recogniser::Recogniser;
use super::tensors::Tensors;
use crate::engine::Engine;
use crate::error::ModelError;

/// Builds the networks of one engine from the bytes of their safetensors files.
pub(crate) trait NetworkBuilder {
    /// A feature pyramid network whose map comes out at stage `output_stage`, that is at stride 2^(output_stage + 1).
    ///
    /// # Errors
    /// When a tensor is missing or does not fit.
    fn detector(
        &self,
        network: &'static str,
        bytes: &[u8],
        output_stage: usize,
    ) -> Result<Box<dyn DetectorNetwork>, ModelError>;

    /// The recogniser.
    ///
    /// # Errors
    /// When a tensor is missing or does not fit.
    fn recogniser(&self, network: &'static str, bytes: &[u8]) -> Result<Box<dyn RecogniserNetwork>, ModelError>;
}

/// The builder of an engine.
///
/// # Errors
/// When this build does not have the engine, or this machine not its device.
pub(crate) fn builder(engine: Engine) -> Result<Box<dyn NetworkBuilder>, ModelError> {
    match engine {
        Engine::Quantised => Ok(Box::new(Quantised)),
        #[cfg(feature = "reference")]
        Engine::Reference(device) => Ok(Box::new(super::reference::Reference::open(device)?)),
        #[cfg(not(feature = "reference"))]
        Engine::Reference(_) => Err(ModelError::ReferenceNotBuilt),
    }
}

/// Builds the networks of the int8 kernels.
struct Quantised;

impl NetworkBuilder for Quantised {
    fn detector(
        &self,
        network: &'static str,
        bytes: &[u8],
        output_stage: usize,
    ) -> Result<Box<dyn DetectorNetwork>, ModelError> {
        Ok(Box::new(Fpn::new(&Tensors::open(network, bytes)?, output_stage)?))
    }

    fn recogniser(&self, network: &'static str, bytes: &[u8]) -> Result<Box<dyn RecogniserNetwork>, ModelError> {
        Ok(Box::new(Recogniser::new(&Tensors::open(network, bytes)?)?))
    }
}
