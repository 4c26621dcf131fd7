//! What `Debug` and `Display` show in the place of personal text.

use std::fmt;

/// Stands for a text: shows how long it is, and nothing of it.
pub(crate) struct Masked<'a>(pub(crate) &'a str);

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} characters>", self.0.chars().count())
    }
}

/// Stands for the values of a map or list: shows how many there are.
pub(crate) struct Count(pub(crate) usize);

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} values>", self.0)
    }
}

/// Implements `Debug` and `Display` for a type that holds personal data, so that both show only the type's name.
macro_rules! masked {
    ($($type:ident),+) => {
        $(
            impl std::fmt::Debug for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!(stringify!($type), "(***)"))
                }
            }

            impl std::fmt::Display for $type {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("***")
                }
            }
        )+
    };
}

pub(crate) use masked;
