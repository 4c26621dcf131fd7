//! Sealing for recipients and opening again: age files with X25519 recipients, in their binary form.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use age::x25519::Recipient;
use age::{DecryptError, Decryptor, Encryptor};
use thiserror::Error;

use crate::keyring::Keyring;

/// Those who can open what is sealed: any one of them.
#[derive(Clone)]
pub struct Recipients {
    /// Never empty.
    all: Vec<Recipient>,
}

/// Recipients cannot be parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a recipient is age1 and 58 more characters, as `shenfen keyring export-public` and age-keygen print it")]
pub struct RecipientError;

/// Something sealed cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// It is sealed for others.
    #[error("no key of this keyring opens it")]
    NoKey,
    /// It was changed, or cut off, or is not sealed at all.
    #[error("it is not a whole age file")]
    Damaged,
    /// What it holds is larger than allowed.
    #[error("it holds more than {0} bytes")]
    TooLarge(usize),
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({})", self.all.len())
    }
}

impl FromStr for Recipients {
    type Err = RecipientError;

    /// Reads recipients that are separated by commas or white space.
    fn from_str(text: &str) -> Result<Recipients, RecipientError> {
        let names = text.split([',', ' ', '\t', '\r', '\n']).filter(|name| !name.is_empty());
        let all: Vec<Recipient> = names.map(str::parse).collect::<Result<_, _>>().map_err(|_| RecipientError)?;
        if all.is_empty() { Err(RecipientError) } else { Ok(Recipients { all }) }
    }
}

impl Recipients {
    /// Seals bytes. The same bytes give another age file each time.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let recipients = self.all.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = Vec::with_capacity(bytes.len() + 1024);
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(bytes)?;
        writer.finish()?;
        Ok(sealed)
    }
}

impl Keyring {
    /// Opens what was sealed for any version, and holds at most `most` bytes.
    ///
    /// # Errors
    /// When no version opens it, it was changed, or it holds more.
    pub fn open_sealed(&self, sealed: &[u8], most: usize) -> Result<Vec<u8>, OpenError> {
        let opened = Decryptor::new(sealed).and_then(|decryptor| decryptor.decrypt(self.identities()));
        let reader = opened.map_err(|error| match error {
            DecryptError::NoMatchingKeys => OpenError::NoKey,
            _ => OpenError::Damaged,
        })?;
        // One byte over the limit shows that it holds more. The picture is never longer than what it is sealed in.
        let mut bytes = Vec::with_capacity(sealed.len().min(most) + 1);
        reader.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|_| OpenError::Damaged)?;
        if bytes.len() > most { Err(OpenError::TooLarge(most)) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    fn keyring() -> Keyring {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        Keyring::create(&path, datetime!(2026-11-27 0:00 UTC)).unwrap();
        Keyring::rotate(&path, datetime!(2026-11-28 0:00 UTC)).unwrap()
    }

    #[test]
    fn opens_what_was_sealed_for_any_version_and_nothing_else() {
        let (ours, theirs) = (keyring(), keyring());
        let names: Vec<String> = ours.versions().iter().map(|version| version.recipient()).collect();
        for names in
            [&names[0], &names[1], &names.join(","), &format!("{}\n{}\n", names[1], theirs.newest().recipient())]
        {
            let sealed = names.parse::<Recipients>().unwrap().seal(b"picture").unwrap();
            assert!(sealed.starts_with(b"age-encryption.org/v1\n"));
            assert_eq!(ours.open_sealed(&sealed, 7).unwrap(), b"picture");
            assert!(matches!(ours.open_sealed(&sealed, 6), Err(OpenError::TooLarge(6))));
        }
        let sealed = names[0].parse::<Recipients>().unwrap().seal(b"picture").unwrap();
        assert!(matches!(theirs.open_sealed(&sealed, 7), Err(OpenError::NoKey)));
    }

    #[test]
    fn recipients_are_age_recipients() {
        for text in ["", " , ", "age1", "AGE-SECRET-KEY-1", "ssh-ed25519 AAAA"] {
            assert_eq!(text.parse::<Recipients>().err(), Some(RecipientError), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_changed_or_shortened_file_opens(at in 0.0..1.0f64, flip in 1u8..=255) {
            let keyring = keyring();
            let picture = [7u8; 70_000];
            let sealed = keyring.newest().recipient().parse::<Recipients>().unwrap().seal(&picture).unwrap();
            let at = (at * sealed.len() as f64) as usize;
            let mut changed = sealed.clone();
            changed[at] ^= flip;
            prop_assert!(keyring.open_sealed(&changed, picture.len()).is_err());
            prop_assert!(matches!(keyring.open_sealed(&sealed[..at], picture.len()), Err(OpenError::Damaged)));
        }
    }
}
