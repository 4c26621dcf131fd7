//! The networks' arithmetic. Activations are channels-last tensors [height, width, channels].
//!
//! Everything runs on the calling thread, so the same picture gives the same bits however many readers work beside it. Public for the
//! parity test, which holds the networks to what the trainer exported, and for the benchmark.

mod kernel;
mod quantised;

pub mod conv;
pub mod pyramid;
pub mod recogniser;
