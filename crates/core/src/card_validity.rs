//! Whether a card is valid on a day: another question than whether it was read rightly.

use serde::{Deserialize, Serialize};
use time::Date;

use crate::field::Validity;

/// Whether the card in a picture is valid on the day of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardValidity {
    /// Its period includes the day.
    Valid,
    /// Its last day has passed.
    Expired,
    /// Its first day is still to come.
    NotYetValid,
    /// The picture shows no period of validity, or it was not read surely.
    #[default]
    Unknown,
}

impl CardValidity {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            CardValidity::Valid => "valid",
            CardValidity::Expired => "expired",
            CardValidity::NotYetValid => "not_yet_valid",
            CardValidity::Unknown => "unknown",
        }
    }

    /// Of a period as it was read. One that no card has was misread, and says nothing.
    pub(crate) fn on(today: Date, period: Option<Validity>) -> CardValidity {
        match period.filter(|period| period.term().is_some()) {
            None => CardValidity::Unknown,
            Some(period) if period.from() > today => CardValidity::NotYetValid,
            Some(period) if period.is_expired(today) => CardValidity::Expired,
            Some(_) => CardValidity::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn tells_whether_the_period_includes_the_day() {
        let on = |today, period| CardValidity::on(today, Validity::parse(period).ok());
        let period = "2010.09.25-2020.09.25";
        assert_eq!(on(date!(2010 - 09 - 24), period), CardValidity::NotYetValid);
        assert_eq!(on(date!(2020 - 09 - 25), period), CardValidity::Valid);
        assert_eq!(on(date!(2020 - 09 - 26), period), CardValidity::Expired);
        assert_eq!(on(date!(2099 - 09 - 26), "2010.09.25-长期"), CardValidity::Valid);
        assert_eq!(on(date!(2020 - 09 - 26), "2010.09.25-2020.09.24"), CardValidity::Unknown);
    }

    #[test]
    fn has_one_name_in_text_and_json() {
        for validity in [CardValidity::Valid, CardValidity::Expired, CardValidity::NotYetValid, CardValidity::Unknown] {
            assert_eq!(serde_json::to_value(validity).unwrap(), validity.as_str());
        }
    }
}
