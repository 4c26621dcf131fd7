//! Why a network cannot be built or applied.

use thiserror::Error;

/// A layer of a network does not fit its weights or its input: a fault of the program or its weights, not of a picture.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{layer}: {reason}")]
pub struct NetworkError {
    /// The network and the layer in it, as in `recogniser.down1`; the network alone where no layer is to blame.
    pub layer: String,
    /// What does not fit.
    pub reason: String,
}

impl NetworkError {
    pub(crate) fn new(layer: impl Into<String>, reason: impl ToString) -> NetworkError {
        NetworkError { layer: layer.into(), reason: reason.to_string() }
    }
}
