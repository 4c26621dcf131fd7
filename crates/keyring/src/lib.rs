#![doc = include_str!("../README.md")]

mod keyring;
mod sealed;
mod shared;

pub use keyring::{KeyVersion, Keyring, KeyringError};
pub use sealed::{OpenError, RecipientError, Recipients};
pub use shared::SharedKeyring;
