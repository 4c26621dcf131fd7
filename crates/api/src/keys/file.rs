//! The key file: append-only JSON Lines, so that a reader never sees half of a change.
//!
//! ```text
//! {"ak":"...","client":"acme","created_at":"2026-11-23T20:00:00Z","rate":20.0,"secret":"..."}
//! {"ak":"...","revoked_at":"2026-12-01T08:00:00Z"}
//! ```
//! A key of another tenant than the default one has `"tenant":"..."` as well, and one that shows stored results in clear
//! `"reveals":true`. `secret` is the base64 of the nonce and the secret, encrypted with the master key and bound to name, client, tenant and
//! `reveals`, so that lines cannot be forged and no key can be given more than it was. `rate` may be omitted or edited by hand, and a line may
//! be deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use shenfen_core::Tenant;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::seal::random;
use super::{Key, KeyError, MasterKey};

/// A key file with the master key to its secrets.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    master: MasterKey,
}

/// Whom a new key is for, and what it may do.
#[derive(Clone, Copy, Debug)]
pub struct KeyHolder<'a> {
    /// The client's name.
    pub client: &'a str,
    /// The tenant whose jobs and results it may use.
    pub tenant: Tenant,
    /// Whether it shows stored results in clear.
    pub reveals: bool,
}

impl<'a> KeyHolder<'a> {
    /// A client of the default tenant, to whom stored results are shown masked.
    pub fn new(client: &'a str) -> KeyHolder<'a> {
        KeyHolder { client, tenant: Tenant::DEFAULT, reveals: false }
    }
}

/// A new key. Its secret is shown only once. No `Debug`.
pub struct NewKey {
    /// Its name.
    pub ak: String,
    /// Its secret.
    pub sk: String,
}

/// A key as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its name.
    pub ak: String,
    /// The client it belongs to.
    pub client: String,
    /// Its tenant.
    pub tenant: Tenant,
    /// Whether it shows stored results in clear.
    pub reveals: bool,
    /// Requests per second; `None` for the service's default rate.
    pub rate: Option<f64>,
    /// When it was created, as RFC 3339 in UTC.
    pub created_at: String,
    /// When it was revoked; `None` while it is in force.
    pub revoked_at: Option<String>,
}

/// Changes whenever the file does.
pub(super) type Version = Option<(u64, u64, Option<SystemTime>)>;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Added {
        ak: String,
        client: String,
        #[serde(skip_serializing_if = "is_default", default)]
        tenant: Tenant,
        #[serde(skip_serializing_if = "std::ops::Not::not", default)]
        reveals: bool,
        created_at: String,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        rate: Option<f64>,
        secret: String,
    },
    Revoked {
        ak: String,
        revoked_at: String,
    },
}

impl KeyFile {
    /// The file at `path`, which need not exist before a key is added.
    pub fn new(path: impl Into<PathBuf>, master: MasterKey) -> KeyFile {
        KeyFile { path: path.into(), master }
    }

    /// Adds a key. The file is created with mode 0600.
    ///
    /// # Errors
    /// When the client's name is invalid, the file holds keys of another master key, or it cannot be written.
    pub fn add(&self, holder: KeyHolder<'_>, rate: Option<f64>) -> Result<NewKey, KeyError> {
        let KeyHolder { client, tenant, reveals } = holder;
        if !(1..=100).contains(&client.len()) || client.contains(char::is_control) {
            return Err(KeyError::Client);
        }
        if self.version().is_some() {
            // Fails unless the existing keys have the same master key.
            self.load()?;
        }
        let (ak, sk) = (hex::encode(random::<16>()?), hex::encode(random::<32>()?));
        let secret = STANDARD.encode(self.master.seal(sk.as_bytes(), &owner(&ak, holder))?);
        let client = client.to_owned();
        self.append(&Line::Added { ak: ak.clone(), client, tenant, reveals, created_at: now(), rate, secret })?;
        Ok(NewKey { ak, sk })
    }

    /// Revokes a key.
    ///
    /// # Errors
    /// When there is no such key in force, or the file cannot be read or written.
    pub fn revoke(&self, ak: &str) -> Result<(), KeyError> {
        if !self.list()?.iter().any(|key| key.ak == ak && key.revoked_at.is_none()) {
            return Err(KeyError::Unknown { path: self.path.clone(), ak: ak.to_owned() });
        }
        self.append(&Line::Revoked { ak: ak.to_owned(), revoked_at: now() })
    }

    /// All keys including revoked ones, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, KeyError> {
        let mut keys: Vec<Listed> = Vec::new();
        for line in self.lines()? {
            match line {
                Line::Added { ak, client, tenant, reveals, created_at, rate, .. } => {
                    keys.push(Listed { ak, client, tenant, reveals, rate, created_at, revoked_at: None });
                }
                Line::Revoked { ak, revoked_at } => {
                    keys.iter_mut()
                        .filter(|key| key.ak == ak)
                        .for_each(|key| key.revoked_at = Some(revoked_at.clone()));
                }
            }
        }
        Ok(keys)
    }

    /// The keys in force.
    pub(super) fn load(&self) -> Result<Vec<Key>, KeyError> {
        let mut keys: Vec<Key> = Vec::new();
        for line in self.lines()? {
            match line {
                Line::Added { ak, client, tenant, reveals, rate, secret, .. } => {
                    let holder = KeyHolder { client: &client, tenant, reveals };
                    let sealed = STANDARD.decode(secret).ok();
                    let secret = sealed.and_then(|sealed| self.master.open(&sealed, &owner(&ak, holder)));
                    let Some(secret) = secret else {
                        return Err(KeyError::WrongMasterKey { path: self.path.clone(), ak });
                    };
                    // An invalid rate, edited by hand, would allow everything or nothing.
                    let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
                    keys.push(Key { ak, client, tenant, reveals, rate, secret });
                }
                Line::Revoked { ak, .. } => keys.retain(|key| key.ak != ak),
            }
        }
        Ok(keys)
    }

    pub(super) fn version(&self) -> Version {
        let metadata = fs::metadata(&self.path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
    }

    fn lines(&self) -> Result<Vec<Line>, KeyError> {
        let text = fs::read_to_string(&self.path).map_err(self.failed("read"))?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let parsed = lines.map(|(number, line)| {
            serde_json::from_str(line).map_err(|_| KeyError::Line { path: self.path.clone(), line: number + 1 })
        });
        parsed.collect()
    }

    fn append(&self, line: &Line) -> Result<(), KeyError> {
        let failed = self.failed("write");
        let mut bytes = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        let mut options = OpenOptions::new();
        let mut file = options.create(true).read(true).append(true).mode(0o600).open(&self.path).map_err(&failed)?;
        file.lock().map_err(&failed)?;
        if !ends_with_line_break(&mut file).map_err(&failed)? {
            bytes.insert(0, b'\n');
        }
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(&failed)
    }

    fn failed(&self, operation: &'static str) -> impl Fn(io::Error) -> KeyError {
        let path = self.path.clone();
        move |source| KeyError::File { operation, path: path.clone(), source }
    }
}

/// The associated data that a secret is bound to.
fn owner(ak: &str, holder: KeyHolder<'_>) -> String {
    let KeyHolder { client, tenant, reveals } = holder;
    // No client's name has a control character. Keys of earlier versions have the name only.
    let tenant = if tenant == Tenant::DEFAULT { String::new() } else { format!("\ntenant {tenant}") };
    let reveals = if reveals { "\nreveals" } else { "" };
    format!("{ak} {client}{tenant}{reveals}")
}

fn is_default(tenant: &Tenant) -> bool {
    *tenant == Tenant::DEFAULT
}

fn now() -> String {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    now.format(&Rfc3339).unwrap_or_default()
}

/// Whether the file ends with a line break; an editor may have left it out.
fn ends_with_line_break(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}
