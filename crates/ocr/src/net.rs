//! The networks' arithmetic. Activations are channels-last tensors [height, width, channels].
//!
//! Everything runs on the calling thread, so the same picture gives the same bits however many readers work beside it. Public for the
//! parity test, which holds the networks to what the trainer exported, and for the benchmark.

mod kernel;
mod quantised;

pub mod conv;
pub mod fpn;
pub mod recogniser;
pub(crate) mod tensors;

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};

use conv::{Conv, Scratch, Step};

/// Multiplications a second on this thread in a layer that suits the kernel best: what the networks could reach at the
/// most. Measured for `time`.
///
/// # Errors
/// Never, in a build whose kernel works.
pub fn fastest_rate(time: Duration) -> candle_core::Result<f64> {
    let some = |shape: &[usize]| Tensor::rand(-1.0_f32, 1.0, shape, &Device::Cpu);
    let conv = Conv::new(&some(&[128, 128, 3, 3])?, &some(&[128])?)?;
    let map = some(&[8, 80, 128])?;
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
