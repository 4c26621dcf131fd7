//! Whose jobs, results and dead letters these are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name in bytes.
const LONGEST: usize = 32;

/// The name of a tenant: 1 to 32 of `a-z 0-9 - _`. What belongs to one tenant is never shown to another, and the same batch or job
/// identifier may be used by several. An installation that names none has one, [`Tenant::DEFAULT`].
///
/// Kept by value, since every job in hand carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant {
    /// The name, followed by zeros.
    bytes: [u8; LONGEST],
    length: u8,
}

/// The text is not the name of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tenant's name must be 1 to 32 of a-z, 0-9, - and _")]
pub struct InvalidTenant;

impl Tenant {
    /// The name of [`Tenant::DEFAULT`].
    pub const DEFAULT_NAME: &str = "default";

    /// The tenant of everything that names none.
    pub const DEFAULT: Tenant = {
        let mut bytes = [0; LONGEST];
        let name = Tenant::DEFAULT_NAME.as_bytes();
        let mut index = 0;
        while index < name.len() {
            bytes[index] = name[index];
            index += 1;
        }
        Tenant { bytes, length: name.len() as u8 }
    };

    /// The name.
    pub fn as_str(&self) -> &str {
        // Only ASCII is let in.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl Default for Tenant {
    fn default() -> Tenant {
        Tenant::DEFAULT
    }
}

impl FromStr for Tenant {
    type Err = InvalidTenant;

    fn from_str(text: &str) -> Result<Tenant, InvalidTenant> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !(1..=LONGEST).contains(&text.len()) || !text.bytes().all(fits) {
            return Err(InvalidTenant);
        }
        let mut bytes = [0; LONGEST];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Tenant { bytes, length: u8::try_from(text.len()).map_err(|_| InvalidTenant)? })
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tenant, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn default_tenant_has_its_name() {
        assert_eq!("default".parse(), Ok(Tenant::DEFAULT));
        assert_eq!(Tenant::default().to_string(), "default");
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in ["", "Acme", "a b", "a/b", "a=b", "*", "身份", "a.b", &"x".repeat(33)] {
            assert_eq!(text.parse::<Tenant>(), Err(InvalidTenant), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_survives_text_and_json(text in "[a-z0-9_-]{1,32}") {
            let tenant: Tenant = text.parse().unwrap();
            prop_assert_eq!(tenant.as_str(), &text);
            prop_assert_eq!(serde_json::from_str::<Tenant>(&serde_json::to_string(&tenant).unwrap()).unwrap(), tenant);
        }

        #[test]
        fn names_are_ordered_as_text(one in "[a-z0-9_-]{1,8}", other in "[a-z0-9_-]{1,8}") {
            let tenant = |text: &str| text.parse::<Tenant>().unwrap();
            prop_assert_eq!(tenant(&one).cmp(&tenant(&other)), one.cmp(&other));
        }
    }
}
