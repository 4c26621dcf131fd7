//! The keyring's file: versions of an identity, the newest last.
//!
//! ```json
//! {"format": 1, "identities": [{"version": 1, "created_at": "2026-11-27T00:00:00Z", "secret": "AGE-SECRET-KEY-1..."}]}
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;
use time::OffsetDateTime;

const FORMAT: u32 = 1;
/// More bytes than any keyring has.
const LARGEST: u64 = 1 << 20;

/// The keys of a keyring file. The keys are wiped from memory when it is dropped; the text of the file, which is read and written as
/// JSON, is not. No `Debug`.
#[derive(Clone)]
pub struct Keyring {
    /// Never empty; versions rise.
    versions: Vec<KeyVersion>,
}

/// One version of the identity. No `Debug`.
#[derive(Clone)]
pub struct KeyVersion {
    version: u32,
    created_at: OffsetDateTime,
    identity: Identity,
}

/// A keyring cannot be used. No text shows a secret.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The file cannot be opened, read or written.
    #[error("cannot {doing} the keyring {}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read or change it.
    #[error("the keyring {} can be read or changed by others than its owner; run chmod 600 on it", .0.display())]
    Permissions(PathBuf),
    /// There is a file already.
    #[error("{} exists already; add a version to it with `shenfen keyring rotate`", .0.display())]
    Exists(PathBuf),
    /// It has another format, or was damaged.
    #[error("{} is no keyring of this version of the program", .0.display())]
    Malformed(PathBuf),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: u32,
    identities: Vec<StoredVersion>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredVersion {
    version: u32,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    secret: String,
}

impl Keyring {
    /// Creates a file with a first version that nobody else has.
    ///
    /// # Errors
    /// When there is a file already, or it cannot be written.
    pub fn create(path: &Path, now: OffsetDateTime) -> Result<Keyring, KeyringError> {
        let keyring = Keyring { versions: vec![KeyVersion::new(1, now)] };
        let written = keyring.temporary(path)?.persist_noclobber(path);
        written.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => KeyringError::Exists(path.to_owned()),
            _ => failed("write", path)(error.error),
        })?;
        Ok(keyring)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, may be read by others, or is no keyring.
    pub fn read(path: &Path) -> Result<Keyring, KeyringError> {
        let file = File::open(path).map_err(failed("open", path))?;
        let mode = file.metadata().map_err(failed("open", path))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyringError::Permissions(path.to_owned()));
        }
        let mut text = String::new();
        file.take(LARGEST).read_to_string(&mut text).map_err(failed("read", path))?;
        let content: Option<Content> = serde_json::from_str(&text).ok();
        let versions = content.filter(|content| content.format == FORMAT).and_then(Content::into_versions);
        Ok(Keyring { versions: versions.ok_or_else(|| KeyringError::Malformed(path.to_owned()))? })
    }

    /// Adds a version to the file. What was sealed for former ones still opens.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn rotate(path: &Path, now: OffsetDateTime) -> Result<Keyring, KeyringError> {
        let mut keyring = Keyring::read(path)?;
        let version = KeyVersion::new(keyring.newest().version + 1, now);
        keyring.versions.push(version);
        // Replaced in one step, so that no reader sees half of it and an interruption leaves the former file.
        keyring.temporary(path)?.persist(path).map_err(|error| failed("write", path)(error.error))?;
        Ok(keyring)
    }

    /// All versions, the oldest first.
    pub fn versions(&self) -> &[KeyVersion] {
        &self.versions
    }

    /// The version to seal for.
    pub fn newest(&self) -> &KeyVersion {
        &self.versions[self.versions.len() - 1]
    }

    pub(crate) fn identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.versions.iter().map(|version| &version.identity as &dyn age::Identity)
    }

    /// The content in a file beside `path` that only its owner can read.
    fn temporary(&self, path: &Path) -> Result<NamedTempFile, KeyringError> {
        let stored = |version: &KeyVersion| StoredVersion {
            version: version.version,
            created_at: version.created_at,
            secret: version.identity.to_string().expose_secret().to_owned(),
        };
        let content = Content { format: FORMAT, identities: self.versions.iter().map(stored).collect() };
        let text = serde_json::to_string_pretty(&content).map_err(|error| failed("write", path)(error.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = |mut file: NamedTempFile| {
            file.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        NamedTempFile::new_in(folder).and_then(write).map_err(failed("write", path))
    }
}

impl Content {
    /// `None` unless there are versions, each later than the one before it.
    fn into_versions(self) -> Option<Vec<KeyVersion>> {
        let parsed = self.identities.into_iter().map(|stored| {
            let identity = stored.secret.parse().ok()?;
            Some(KeyVersion { version: stored.version, created_at: stored.created_at, identity })
        });
        let versions: Vec<KeyVersion> = parsed.collect::<Option<_>>()?;
        let rise = versions.windows(2).all(|pair| pair[0].version < pair[1].version);
        (rise && !versions.is_empty()).then_some(versions)
    }
}

impl KeyVersion {
    fn new(version: u32, created_at: OffsetDateTime) -> KeyVersion {
        KeyVersion { version, created_at, identity: Identity::generate() }
    }

    /// Its number, from 1.
    pub fn number(&self) -> u32 {
        self.version
    }

    /// When it was added.
    pub fn created_at(&self) -> OffsetDateTime {
        self.created_at
    }

    /// What publishers seal pictures for: `age1...`. No secret.
    pub fn recipient(&self) -> String {
        self.identity.to_public().to_string()
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyringError {
    let path = path.to_owned();
    move |source| KeyringError::File { doing, path, source }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-27 0:00 UTC);

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        (folder, path)
    }

    fn recipients(keyring: &Keyring) -> Vec<String> {
        keyring.versions().iter().map(KeyVersion::recipient).collect()
    }

    #[test]
    fn file_is_its_owners_alone_and_reads_back() {
        let (_folder, path) = folder();
        let created = Keyring::create(&path, NOW).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(recipients(&Keyring::read(&path).unwrap()), recipients(&created));
        assert!(matches!(Keyring::create(&path, NOW), Err(KeyringError::Exists(_))));
        assert_eq!(recipients(&Keyring::read(&path).unwrap()), recipients(&created), "the file that was there is kept");
    }

    #[test]
    fn rotation_adds_a_version_and_keeps_the_others() {
        let (_folder, path) = folder();
        let first = Keyring::create(&path, NOW).unwrap();
        let rotated = Keyring::rotate(&path, NOW).unwrap();
        assert_eq!(rotated.versions().iter().map(KeyVersion::number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(recipients(&rotated)[0], recipients(&first)[0]);
        assert_ne!(recipients(&rotated)[1], recipients(&first)[0]);
        assert_eq!(recipients(&Keyring::read(&path).unwrap()), recipients(&rotated));
    }

    #[test]
    fn keyring_that_others_can_read_is_refused() {
        let (_folder, path) = folder();
        Keyring::create(&path, NOW).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(Keyring::read(&path), Err(KeyringError::Permissions(_))), "{mode:o}");
        }
    }

    #[test]
    fn anything_else_is_no_keyring_and_no_secret_is_quoted() {
        let (_folder, path) = folder();
        let secret = Identity::generate().to_string().expose_secret().to_owned();
        let one = |version: u32, secret: &str| {
            format!(r#"{{"version": {version}, "created_at": "2026-11-27T00:00:00Z", "secret": "{secret}"}}"#)
        };
        for text in [
            String::new(),
            "{}".to_owned(),
            r#"{"format": 1, "identities": []}"#.to_owned(),
            format!(r#"{{"format": 2, "identities": [{}]}}"#, one(1, &secret)),
            format!(r#"{{"format": 1, "identities": [{}, {}]}}"#, one(2, &secret), one(2, &secret)),
            format!(r#"{{"format": 1, "identities": [{}]}}"#, one(1, &secret[..30])),
        ] {
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let Err(error @ KeyringError::Malformed(_)) = Keyring::read(&path) else { panic!("{text}") };
            assert!(!format!("{error} {error:?}").contains(&secret[..20]));
        }
    }
}
