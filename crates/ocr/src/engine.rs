//! Which arithmetic the networks are computed with.

use std::fmt;

/// Which arithmetic the networks are computed with. Both engines take the same weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Activations and weights as 8-bit whole numbers, by the kernels of this crate, on the calling thread: what the
    /// product runs.
    #[default]
    Quantised,
    /// 32-bit floating point, by layers of candle-nn: what the kernels are measured against. Needs the cargo feature
    /// `reference`.
    Reference(Device),
}

/// Where the reference engine computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor, on candle's own threads.
    #[default]
    Cpu,
    /// The first CUDA GPU. Needs the cargo feature `cuda`.
    Cuda,
    /// The first GPU of an Apple machine. Needs the cargo feature `metal`.
    Metal,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
            Device::Metal => "metal",
        })
    }
}
