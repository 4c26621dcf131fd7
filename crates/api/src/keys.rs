//! Client keys: a name that is sent with each request and a secret that signs it.
//!
//! A client may have several keys, so that a new one can be issued before the old one is revoked. They are kept in a file
//! (see [`KeyFile`]) that a running service checks every second, so no restart is needed.

mod file;
mod seal;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use shenfen_core::Tenant;
use thiserror::Error;

pub use file::{KeyFile, KeyHolder, Listed, NewKey};
pub use seal::MasterKey;

use file::Version;

/// How often the file is checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A key that is in force.
pub struct Key {
    /// Its name, which is sent with each request.
    pub ak: String,
    /// The client it belongs to.
    pub client: String,
    /// The tenant whose jobs and results the client may use.
    pub tenant: Tenant,
    /// Whether it shows stored results in clear.
    pub reveals: bool,
    /// Requests per second; `None` for the service's default rate.
    pub rate: Option<f64>,
    secret: Vec<u8>,
}

impl Key {
    /// The secret that the client signs with.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    #[cfg(test)]
    pub(crate) fn with_secret(ak: &str, secret: &[u8]) -> Key {
        Key {
            ak: ak.to_owned(),
            client: "test".to_owned(),
            tenant: Tenant::DEFAULT,
            reveals: false,
            rate: None,
            secret: secret.to_vec(),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} of {:?})", self.ak, self.client)
    }
}

/// Why keys cannot be read or changed. Contains no secret.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {operation} the key file {path}")]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A line is invalid.
    #[error("line {line} of the key file {path} is invalid")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A secret was encrypted with another master key, or its line was changed.
    #[error("the master key does not decrypt the key {ak} in {path}")]
    WrongMasterKey {
        /// The file.
        path: PathBuf,
        /// The key's name.
        ak: String,
    },
    /// The master key is malformed.
    #[error("the master key must be 64 hexadecimal digits, such as `openssl rand -hex 32` prints")]
    MasterKey,
    /// There is no such key.
    #[error("there is no key {ak} in force in {path}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name given.
        ak: String,
    },
    /// A client's name that is empty, too long or has control characters.
    #[error("a client's name must be 1 to 100 bytes of text without control characters")]
    Client,
    /// The operating system provides no random numbers.
    #[error("the operating system provides no random numbers")]
    Random,
}

/// The keys in force.
#[derive(Debug)]
pub struct Keys {
    known: Arc<RwLock<HashMap<String, Arc<Key>>>>,
}

impl Keys {
    /// The keys of a file, and a future that reloads them when the file changes. If a change cannot be read, the error is
    /// logged and the previous keys stay in force.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(file: KeyFile) -> Result<(Keys, impl Future<Output = ()> + Send + 'static), KeyError> {
        // In this order a change in between is noticed later and not missed.
        let version = file.version();
        let keys = Keys::of(file.load()?);
        let known = Arc::clone(&keys.known);
        Ok((keys, follow(file, version, known)))
    }

    /// These keys.
    pub(crate) fn of(keys: Vec<Key>) -> Keys {
        Keys { known: Arc::new(RwLock::new(by_name(keys))) }
    }

    /// How many are in force.
    pub fn count(&self) -> usize {
        self.known.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(crate) fn get(&self, ak: &str) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(ak).cloned()
    }
}

async fn follow(file: KeyFile, mut version: Version, known: Arc<RwLock<HashMap<String, Arc<Key>>>>) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let now = file.version();
        if now == version {
            continue;
        }
        version = now;
        match file.load() {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "reloaded the key file");
                *known.write().unwrap_or_else(PoisonError::into_inner) = by_name(keys);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "cannot read the key file; the previous keys stay in force");
            }
        }
    }
}

fn by_name(keys: Vec<Key>) -> HashMap<String, Arc<Key>> {
    keys.into_iter().map(|key| (key.ak.clone(), Arc::new(key))).collect()
}

#[cfg(test)]
mod tests;
