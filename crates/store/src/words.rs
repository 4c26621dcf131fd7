//! Statuses, decisions and sides by their names in the tables, which are those of the JSON.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

/// The variant of a name.
pub(crate) fn value<T: DeserializeOwned>(word: &str) -> Option<T> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).ok()
}

#[cfg(test)]
mod tests {
    use shenfen_core::{Decision, Status};

    use super::*;
    use crate::batch::BatchState;
    use crate::result::Sides;

    #[test]
    fn names_are_those_of_the_json() {
        for status in [Status::Ok, Status::ImageInvalidSize] {
            assert_eq!(value(status.as_str()), Some(status));
        }
        for decision in [Decision::Accept, Decision::Review, Decision::Reject] {
            assert_eq!(value(decision.as_str()), Some(decision));
        }
        for sides in [Sides::Front, Sides::Back, Sides::Both] {
            assert_eq!(value(sides.as_str()), Some(sides));
        }
        for state in [BatchState::Active, BatchState::Paused, BatchState::Cancelled] {
            assert_eq!(value(state.as_str()), Some(state));
        }
        assert_eq!(value::<Sides>("left"), None);
    }
}
