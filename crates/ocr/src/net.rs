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

/// The probability of the N-th surest of some logits; 0 where there are fewer.
pub(crate) fn nth_surest<const N: usize>(logits: impl Iterator<Item = f32>) -> f32 {
    let mut surest = [f32::NEG_INFINITY; N];
    for logit in logits {
        if surest.last().is_some_and(|&least| logit > least) {
            surest[N - 1] = logit;
            surest.sort_by(|a, b| b.total_cmp(a));
        }
    }
    surest.last().copied().map_or(0.0, sigmoid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nth_surest_passes_over_the_surer_ones() {
        let logits = [-1.0, 4.0, 0.5, 2.0];
        let nth = |n: usize| match n {
            1 => nth_surest::<1>(logits.into_iter()),
            2 => nth_surest::<2>(logits.into_iter()),
            3 => nth_surest::<3>(logits.into_iter()),
            _ => nth_surest::<5>(logits.into_iter()),
        };
        assert_eq!([nth(1), nth(2), nth(3)], [4.0, 2.0, 0.5].map(sigmoid));
        assert_eq!(nth(5), 0.0);
    }
}
