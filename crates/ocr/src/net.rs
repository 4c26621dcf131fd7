//! The networks' arithmetic, by engine. Public for the parity tests and for the benchmark.
//!
//! The kernels compute on the calling thread, so the same picture gives the same bits however many readers work beside it.

mod builder;
pub mod conv;
mod error;
mod feature_map;
mod fpn;
mod kernel;
mod network;
mod quantised;
mod recogniser;
#[cfg(feature = "reference")]
mod reference;
mod scratch;
mod tensors;

pub(crate) use builder::{NetworkBuilder, builder};
pub use error::NetworkError;
pub use feature_map::FeatureMap;
pub use network::{DetectorNetwork, RecogniserNetwork, StripOutput};
pub use scratch::{Observer, Scratch};

use std::time::{Duration, Instant};

use conv::{Conv, Step};

/// Multiplications a second on this thread in a layer that suits the kernel best: what the networks could reach at the
/// most. Measured for `time`.
///
/// # Errors
/// Never, in a build whose kernel works.
pub fn fastest_rate(time: Duration) -> Result<f64, NetworkError> {
    // The kernel takes as long whatever the numbers are; these are not all alike.
    let numbers = |count: usize| -> Vec<f32> { (0..count).map(|i| (i % 251) as f32 / 125.0 - 1.0).collect() };
    let conv = Conv::new("rate", [128, 128, 3, 3], &numbers(128 * 128 * 9), &numbers(128))?;
    let map = FeatureMap::new([8, 80, 128], numbers(8 * 80 * 128))?;
    let scratch = Scratch::default();
    conv.apply(&map, Step::RELU, &scratch)?;
    let (begin, before) = (Instant::now(), scratch.products());
    while begin.elapsed() < time {
        conv.apply(&map, Step::RELU, &scratch)?;
    }
    Ok((scratch.products() - before) as f64 / begin.elapsed().as_secs_f64())
}

/// Logit to probability.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
