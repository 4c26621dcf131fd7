//! A keyring that several threads use while its file may be rotated.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::keyring::{Keyring, KeyringError};
use crate::sealed::OpenError;

/// A keyring that reads its file again when it lacks a key and the file has changed.
pub struct SharedKeyring {
    path: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    stamp: Option<Stamp>,
    keyring: Arc<Keyring>,
}

/// Changes whenever the file is replaced.
type Stamp = (u64, u64, i64, i64);

impl SharedKeyring {
    /// Reads the file.
    ///
    /// # Errors
    /// As [`Keyring::read`].
    pub fn read(path: &Path) -> Result<SharedKeyring, KeyringError> {
        let current = Current { stamp: stamp(path), keyring: Arc::new(Keyring::read(path)?) };
        Ok(SharedKeyring { path: path.to_owned(), current: Mutex::new(current) })
    }

    /// As [`Keyring::open_sealed`], also with versions that the file has had since it was read.
    ///
    /// # Errors
    /// As [`Keyring::open_sealed`].
    pub fn open_sealed(&self, sealed: &[u8], most: usize) -> Result<Vec<u8>, OpenError> {
        let keyring = self.keyring();
        match keyring.open_sealed(sealed, most) {
            Err(OpenError::NoKey) => match self.renewed(&keyring) {
                Some(renewed) => renewed.open_sealed(sealed, most),
                None => Err(OpenError::NoKey),
            },
            opened => opened,
        }
    }

    fn keyring(&self) -> Arc<Keyring> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).keyring.clone()
    }

    /// The keyring as its file has it now; `None` if that is the `known` one, or is no keyring at the moment.
    fn renewed(&self, known: &Arc<Keyring>) -> Option<Arc<Keyring>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current.keyring, known) {
            return Some(current.keyring.clone());
        }
        let stamp = stamp(&self.path);
        if stamp == current.stamp {
            return None;
        }
        let keyring = Arc::new(Keyring::read(&self.path).ok()?);
        *current = Current { stamp, keyring: keyring.clone() };
        Some(keyring)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = path.metadata().ok()?;
    Some((file.dev(), file.ino(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::sealed::Recipients;

    #[test]
    fn version_that_the_file_got_later_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let now = datetime!(2026-11-27 0:00 UTC);
        Keyring::create(&path, now).unwrap();
        let shared = SharedKeyring::read(&path).unwrap();
        let rotated = Keyring::rotate(&path, now).unwrap();
        let sealed = rotated.newest().recipient().parse::<Recipients>().unwrap().seal(b"picture").unwrap();
        assert_eq!(shared.open_sealed(&sealed, 100).unwrap(), b"picture");

        std::fs::remove_file(&path).unwrap();
        assert_eq!(shared.open_sealed(&sealed, 100).unwrap(), b"picture", "what was read stays");
        let others = Keyring::create(&path, now).unwrap();
        let sealed = others.newest().recipient().parse::<Recipients>().unwrap().seal(b"picture").unwrap();
        std::fs::write(&path, "half").unwrap();
        assert!(matches!(shared.open_sealed(&sealed, 100), Err(OpenError::NoKey)));
    }
}
