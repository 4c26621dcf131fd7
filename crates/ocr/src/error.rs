//! Why a picture cannot be read, and why networks cannot be loaded.

use std::path::PathBuf;

use shenfen_core::{ReadOutcome, ReaderFault, Refusal, Rule};
use thiserror::Error;

use crate::engine::Device;
use crate::net::NetworkError;

/// Why a picture could not be read. A picture without a card is no error.
#[derive(Debug, Error)]
pub enum ReadError {
    /// No bytes at all.
    #[error("the picture is empty: 0 bytes")]
    Empty,
    /// The content is no JPEG, PNG, WebP, BMP or TIFF, whatever its name says.
    #[error("unknown picture format: expected JPEG, PNG, WebP, BMP or TIFF")]
    UnknownFormat,
    /// A format, or a kind of one, that is known by name and not decoded.
    #[error("{format} pictures are not supported: convert the picture to JPEG or PNG")]
    Unsupported {
        /// Its name.
        format: String,
    },
    /// The format is known, the content is broken or cut off. Partly decoded pictures are refused, because what is
    /// missing could be a field.
    #[error("damaged {format} picture: {reason}")]
    Damaged {
        /// The format the content claims.
        format: &'static str,
        /// What the decoder met.
        reason: String,
    },
    /// More bytes than `Limits::max_bytes`.
    #[error("the picture has {bytes} bytes, more than the limit of {limit}")]
    TooManyBytes {
        /// The picture's bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More pixels than `Limits::max_pixels`.
    #[error("the picture has {width} x {height} pixels, more than the limit of {limit}")]
    TooManyPixels {
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
        /// The limit on width times height.
        limit: u64,
    },
    /// More memory needed than `Limits::max_memory`: too many pixels for their kind.
    #[error(
        "the picture has {width} x {height} pixels of a kind that takes {needed} bytes of memory to read, more than the limit of {limit}"
    )]
    TooMuchMemory {
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
        /// Bytes that reading it takes.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// A side shorter than `Limits::min_side`.
    #[error("the picture has {width} x {height} pixels, too few to read: each side needs at least {limit}")]
    TooSmall {
        /// The width in the header.
        width: u32,
        /// The height in the header.
        height: u32,
        /// The least pixels of a side.
        limit: u32,
    },
    /// A network failed: a fault of the program or its weights, not of the picture.
    #[error("the networks failed: {0}")]
    Engine(#[from] NetworkError),
}

/// A picture that cannot be read is refused, and a network that fails is a fault of the program.
impl From<ReadError> for ReadOutcome {
    fn from(error: ReadError) -> ReadOutcome {
        let rule = match error {
            ReadError::Empty => Rule::PictureEmpty,
            ReadError::UnknownFormat | ReadError::Unsupported { .. } => Rule::PictureFormat,
            ReadError::Damaged { .. } => Rule::PictureDamaged,
            ReadError::TooManyBytes { .. } => Rule::PictureBytes,
            ReadError::TooManyPixels { .. } | ReadError::TooMuchMemory { .. } => Rule::PicturePixels,
            ReadError::TooSmall { .. } => Rule::PictureSmall,
            ReadError::Engine(_) => return ReadOutcome::Fault(ReaderFault::Engine(error.to_string())),
        };
        ReadOutcome::Refused(Refusal::new(rule, error.to_string()))
    }
}

/// Why the networks could not be loaded.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The binary was built before there were weights under `models/`.
    #[error("this binary was built without networks: no files under models/ at build time")]
    NotEmbedded,
    /// A file is not there.
    #[error("model file {file} is missing")]
    Missing {
        /// Its path below the models' folder.
        file: String,
    },
    /// A file of the folder cannot be read.
    #[error("cannot read model file {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the one whose sum is listed.
    #[error("model file {file} does not have the SHA-256 listed in SHA256SUMS")]
    Sum {
        /// Its path below the models' folder.
        file: String,
    },
    /// A `config.json` that is not understood.
    #[error("cannot understand model file {file}")]
    Config {
        /// Its path below the models' folder.
        file: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A network laid out in a way that this version does not know.
    #[error("network {network} has format {format}, this program knows format {known}")]
    Format {
        /// The network.
        network: &'static str,
        /// Its format.
        format: u32,
        /// The format that this program knows.
        known: u32,
    },
    /// A tensor that the network needs is not among its weights.
    #[error("network {network} lacks tensor {tensor}")]
    Tensor {
        /// The network.
        network: &'static str,
        /// The tensor's name.
        tensor: String,
    },
    /// The parts of a network do not fit each other.
    #[error("network {network} does not fit together: {reason}")]
    Shape {
        /// The network.
        network: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// The reference engine was asked of a program built without it.
    #[error(
        "this program was built without the reference engine; build it with: cargo build --release -p shenfen --features reference"
    )]
    ReferenceNotBuilt,
    /// The reference engine cannot compute on the device.
    #[error("cannot compute on the device {device}: {reason}; a program that can is built with --features {device}")]
    Device {
        /// The device.
        device: Device,
        /// Why, in candle's words.
        reason: String,
    },
}

impl ModelError {
    /// A network whose parts do not fit each other.
    pub(crate) fn shape(network: &'static str, reason: impl ToString) -> ModelError {
        ModelError::Shape { network, reason: reason.to_string() }
    }
}
