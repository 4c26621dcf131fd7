//! Statuses, decisions and sides as the words in the tables: the same as in the JSON.

use serde::Serialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// The word for a value of an enum without content.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The value that a word stands for.
pub(crate) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

#[cfg(test)]
mod tests {
    use shenfen_core::{Decision, Side, Status};

    use super::*;

    #[test]
    fn words_are_those_of_the_json() {
        assert_eq!(word(&Status::ImageInvalidSize), "IMAGE_INVALID_SIZE");
        assert_eq!(value(&word(&Decision::Review)), Some(Decision::Review));
        assert_eq!(value::<Side>("left"), None);
    }
}
