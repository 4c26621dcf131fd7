//! 出生.

use time::{Date, Month};

use crate::mask::masked;
use crate::rule::Rule;

/// A birth date, printed `1993年3月3日`: a civil date without time zone, and no leading zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BirthDate(Date);

masked!(BirthDate);

impl BirthDate {
    /// A date as a birth date.
    pub fn new(date: Date) -> BirthDate {
        BirthDate(date)
    }

    /// Reads `1993年3月3日`; leading zeros are taken too.
    ///
    /// # Errors
    /// [`Rule::BirthDateForm`] for another form, [`Rule::Date`] for a day that does not exist.
    pub fn parse(text: &str) -> Result<BirthDate, Rule> {
        let split = || {
            let (year, rest) = text.split_once('年')?;
            let (month, rest) = rest.split_once('月')?;
            Some([year, month, rest.strip_suffix('日')?])
        };
        let [year, month, day] = split().ok_or(Rule::BirthDateForm)?;
        if year.len() != 4 || !(1..=2).contains(&month.len()) || !(1..=2).contains(&day.len()) {
            return Err(Rule::BirthDateForm);
        }
        let numbers = || Some([number(year)?, number(month)?, number(day)?]);
        let [year, month, day] = numbers().ok_or(Rule::BirthDateForm)?;
        civil_date(year, month, day).map(BirthDate).ok_or(Rule::Date)
    }

    /// The date in clear. Personal data: not for logs.
    pub fn reveal(self) -> Date {
        self.0
    }

    /// The date as cards print it. Personal data: not for logs.
    pub fn reveal_printed(self) -> String {
        format!("{}年{}月{}日", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

/// Full years of age on a day: a year older on the birthday itself. Negative before birth.
pub fn age_on(born: Date, day: Date) -> i32 {
    let before_birthday = (u8::from(day.month()), day.day()) < (u8::from(born.month()), born.day());
    day.year() - born.year() - i32::from(before_birthday)
}

/// A date that exists.
pub(super) fn civil_date(year: u16, month: u16, day: u16) -> Option<Date> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

/// The value of ASCII digits and nothing else.
pub(super) fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use time::Date;
    use time::macros::date;

    use super::{BirthDate, age_on};
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<Date, Rule>) {
        assert_eq!(BirthDate::parse(text).map(BirthDate::reveal), expected);
    }

    #[test]
    fn dates_are_read_as_printed() {
        check("1993年3月3日", Ok(date!(1993 - 03 - 03)));
        check("1993年03月03日", Ok(date!(1993 - 03 - 03)));
        check("2000年2月29日", Ok(date!(2000 - 02 - 29)));
        check("1999年2月29日", Err(Rule::Date));
        check("1999年13月1日", Err(Rule::Date));
        check("93年3月3日", Err(Rule::BirthDateForm));
        check("1993年3月日", Err(Rule::BirthDateForm));
        check("1993年３月3日", Err(Rule::BirthDateForm));
        check("19930303", Err(Rule::BirthDateForm));
    }

    #[test]
    fn age_increases_on_the_birthday() {
        assert_eq!(age_on(date!(2000 - 03 - 02), date!(2016 - 03 - 01)), 15);
        assert_eq!(age_on(date!(2000 - 03 - 02), date!(2016 - 03 - 02)), 16);
        assert_eq!(age_on(date!(2000 - 02 - 29), date!(2001 - 02 - 28)), 0);
    }
}
