//! Encryption of the stored secrets. They are encrypted and not hashed, since checking an HMAC needs the secret itself.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::KeyError;
use crate::encoding::from_hex;

/// The key that all secrets are encrypted with (ChaCha20-Poly1305, RFC 8439). It is not kept in the key file.
#[derive(Clone)]
pub struct MasterKey(LessSafeKey);

impl MasterKey {
    /// A master key of 64 hexadecimal digits; whitespace around them is ignored.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<MasterKey, KeyError> {
        let bytes: [u8; 32] = from_hex(text.trim()).ok_or(KeyError::MasterKey)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| KeyError::MasterKey)?;
        Ok(MasterKey(LessSafeKey::new(key)))
    }

    /// Encrypts a secret; returns the random nonce and the ciphertext. `owner` is the associated data: not encrypted, but
    /// decryption needs the same.
    pub(super) fn seal(&self, secret: &[u8], owner: &str) -> Result<Vec<u8>, KeyError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = secret.to_vec();
        let bound = Aad::from(owner.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)
            .map_err(|_| KeyError::Random)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts a secret; `None` if it was encrypted with another key, for another owner, or changed.
    pub(super) fn open(&self, sealed: &[u8], owner: &str) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let secret = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut sealed).ok()?;
        Some(secret.to_vec())
    }
}

/// Does not show the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Random)?;
    Ok(bytes)
}
