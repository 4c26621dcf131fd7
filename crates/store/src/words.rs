//! Statuses, decisions and sides by their names in the tables, which are those of the JSON.

use serde::Serialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// The name of a variant without content.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The variant of a name.
pub(crate) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

#[cfg(test)]
mod tests {
    use shenfen_core::{Decision, Side, Status};

    use super::*;

    #[test]
    fn converts_enums_to_and_from_their_json_names() {
        assert_eq!(word(&Status::ImageInvalidSize), "IMAGE_INVALID_SIZE");
        assert_eq!(value(&word(&Decision::Review)), Some(Decision::Review));
        assert_eq!(value::<Side>("left"), None);
    }
}
