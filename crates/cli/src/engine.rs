//! Which engine computes the networks, for the commands that measure or try out.

use anyhow::bail;
use clap::{Args, ValueEnum};
use shenfen_ocr::{Device, Engine};

/// How the networks are computed.
#[derive(Args)]
pub(crate) struct EngineArgs {
    /// What computes the networks: the int8 kernels, or the same networks in 32-bit floating point, for comparison; that is
    /// slow and needs a build with `--features reference`
    #[arg(long, env = "SHENFEN_ENGINE", value_enum, default_value_t = EngineName::Quantised)]
    engine: EngineName,

    /// Where the reference computes; a GPU needs a build with `--features cuda` or `--features metal` [default: cpu]
    #[arg(long, env = "SHENFEN_DEVICE", value_enum)]
    device: Option<DeviceName>,
}

#[derive(Clone, Copy, ValueEnum)]
enum EngineName {
    Quantised,
    Reference,
}

#[derive(Clone, Copy, ValueEnum)]
enum DeviceName {
    Cpu,
    Cuda,
    Metal,
}

impl EngineArgs {
    /// The engine that was asked for.
    ///
    /// # Errors
    /// When a device is named for the engine that has no choice of it.
    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        match (self.engine, self.device) {
            (EngineName::Quantised, Some(_)) => bail!("--device is for --engine reference"),
            (EngineName::Quantised, None) => Ok(Engine::Quantised),
            (EngineName::Reference, None | Some(DeviceName::Cpu)) => Ok(Engine::Reference(Device::Cpu)),
            (EngineName::Reference, Some(DeviceName::Cuda)) => Ok(Engine::Reference(Device::Cuda)),
            (EngineName::Reference, Some(DeviceName::Metal)) => Ok(Engine::Reference(Device::Metal)),
        }
    }
}
