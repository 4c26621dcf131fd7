//! The keys of clients: a name that they send and a secret that they sign with.
//!
//! A client may have several, so that a new one is handed out before the old one is revoked. They stand in a file (see
//! [`KeyFile`]) that a running service looks at every second: no restart is needed.

mod file;
mod seal;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;

pub use file::{KeyFile, Listed, NewKey};
pub use seal::MasterKey;

use file::Version;

/// How often the file is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// A key that is in force.
pub struct Key {
    /// Its name, which is sent with each request.
    pub ak: String,
    /// Whose it is.
    pub client: String,
    /// Requests a second; `None` for the service's usual rate.
    pub rate: Option<f64>,
    secret: Vec<u8>,
}

impl Key {
    /// What the client signs with.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }

    #[cfg(test)]
    pub(crate) fn with_secret(ak: &str, secret: &[u8]) -> Key {
        Key { ak: ak.to_owned(), client: "test".to_owned(), rate: None, secret: secret.to_vec() }
    }
}

/// Shows no secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} of {:?})", self.ak, self.client)
    }
}

/// Why keys cannot be had. Never a secret.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot {operation} the key file {path}")]
    File {
        /// What was being done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is none that this program wrote.
    #[error("line {line} of the key file {path} is not understood")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A secret was encrypted with another master key, or its line was changed.
    #[error("the master key does not open the key {ak} in {path}")]
    WrongMasterKey {
        /// The file.
        path: PathBuf,
        /// The key's name.
        ak: String,
    },
    /// The master key has another form.
    #[error("the master key must be 64 hexadecimal digits, such as `openssl rand -hex 32` makes")]
    MasterKey,
    /// There is no such key.
    #[error("there is no key {ak} in force in {path}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        ak: String,
    },
    /// A client's name that a log line could not hold.
    #[error("a client's name must be 1 to 100 bytes of text without control characters")]
    Client,
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// The keys in force.
#[derive(Debug)]
pub struct Keys {
    known: Arc<RwLock<HashMap<String, Arc<Key>>>>,
}

impl Keys {
    /// The keys of a file, and a task that follows its changes. A change that cannot be read is reported in the log, and
    /// the keys from before stay in force.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(file: KeyFile) -> Result<(Keys, impl Future<Output = ()> + Send + 'static), KeyError> {
        // In this order a change in between is seen later, not never.
        let version = file.version();
        let keys = Keys::of(file.load()?);
        let known = Arc::clone(&keys.known);
        Ok((keys, follow(file, version, known)))
    }

    /// These keys, until a task changes them.
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
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let now = file.version();
        if now == version {
            continue;
        }
        version = now;
        match file.load() {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the key file has changed");
                *known.write().unwrap_or_else(PoisonError::into_inner) = by_name(keys);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the key file cannot be read; the keys from before stay in force");
            }
        }
    }
}

fn by_name(keys: Vec<Key>) -> HashMap<String, Arc<Key>> {
    keys.into_iter().map(|key| (key.ak.clone(), Arc::new(key))).collect()
}

#[cfg(test)]
mod tests;
