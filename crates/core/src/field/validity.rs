//! 有效期限.

use time::macros::date;
use time::{Date, Duration, Month};

use super::birth_date::{age_on, civil_date, number};
use crate::mask::masked;
use crate::rule::Rule;

/// The first day on which second-generation cards were issued.
pub const FIRST_ISSUE: Date = date!(2004 - 03 - 29);

/// How far the age at issue may lie back: the form is filed some weeks before the card is dated.
const FILING: Duration = Duration::days(60);

/// From when until when a card is valid, printed `2014.09.25-2034.09.25` or `2014.09.25-长期`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Validity {
    from: Date,
    until: Option<Date>,
}

masked!(Validity);

/// How long a card is valid, by the holder's age at issue (ID Card Law, article 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Term {
    /// Under 16.
    FiveYears,
    /// 16 to 25.
    TenYears,
    /// 26 to 45.
    TwentyYears,
    /// 长期: 46 and over.
    LongTerm,
}

impl Term {
    /// The term for an age in full years.
    pub fn for_age(age: i32) -> Term {
        match age {
            ..16 => Term::FiveYears,
            16..26 => Term::TenYears,
            26..46 => Term::TwentyYears,
            46.. => Term::LongTerm,
        }
    }
}

impl Validity {
    /// Reads `YYYY.MM.DD-YYYY.MM.DD` or `YYYY.MM.DD-长期`.
    ///
    /// # Errors
    /// [`Rule::ValidityForm`] for another form, [`Rule::Date`] for a day that does not exist.
    pub fn parse(text: &str) -> Result<Validity, Rule> {
        let (from, until) = text.split_once('-').ok_or(Rule::ValidityForm)?;
        let from = dotted_date(from)?;
        let until = if until == "长期" { None } else { Some(dotted_date(until)?) };
        Ok(Validity { from, until })
    }

    /// First day.
    pub fn from(self) -> Date {
        self.from
    }

    /// Last day; `None` for 长期.
    pub fn until(self) -> Option<Date> {
        self.until
    }

    /// The term, if it is one that the law knows: the last day has the first one's month and day, 5, 10 or 20 years later. For
    /// 29 February, 28 February and 1 March are taken too.
    pub fn term(self) -> Option<Term> {
        let Some(until) = self.until else { return Some(Term::LongTerm) };
        let day = |date: Date| (date.month(), date.day());
        let leap_day = day(self.from) == (Month::February, 29);
        let beside = matches!(day(until), (Month::February, 28) | (Month::March, 1));
        if day(until) != day(self.from) && !(leap_day && beside) {
            return None;
        }
        match until.year() - self.from.year() {
            5 => Some(Term::FiveYears),
            10 => Some(Term::TenYears),
            20 => Some(Term::TwentyYears),
            _ => None,
        }
    }

    /// Whether the term is the one for the holder's age at issue, or for the age some weeks before, when the form was
    /// filed.
    pub fn term_fits(self, born: Date) -> bool {
        let filed = self.from.checked_sub(FILING).unwrap_or(self.from);
        let terms = [filed, self.from].map(|day| Some(Term::for_age(age_on(born, day))));
        terms.contains(&self.term())
    }

    /// Whether the last day lies before `today`.
    pub fn is_expired(self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }
}

/// `2014.09.25`.
fn dotted_date(text: &str) -> Result<Date, Rule> {
    let parts: Vec<&str> = text.split('.').collect();
    let &[year, month, day] = parts.as_slice() else { return Err(Rule::ValidityForm) };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return Err(Rule::ValidityForm);
    }
    let numbers = || Some([number(year)?, number(month)?, number(day)?]);
    let [year, month, day] = numbers().ok_or(Rule::ValidityForm)?;
    civil_date(year, month, day).ok_or(Rule::Date)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::{Term, Validity};
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<Option<Term>, Rule>) {
        assert_eq!(Validity::parse(text).map(Validity::term), expected);
    }

    #[test]
    fn terms_are_whole_years_or_unlimited() {
        check("2014.09.25-2034.09.25", Ok(Some(Term::TwentyYears)));
        check("2014.09.25-2024.09.25", Ok(Some(Term::TenYears)));
        check("2014.09.25-长期", Ok(Some(Term::LongTerm)));
        check("2008.02.29-2013.03.01", Ok(Some(Term::FiveYears)));
        check("2008.02.29-2013.02.28", Ok(Some(Term::FiveYears)));
        check("2014.09.25-2034.09.24", Ok(None));
        check("2014.09.25-2029.09.25", Ok(None));
        check("2014.9.25-2034.9.25", Err(Rule::ValidityForm));
        check("2014.09.31-2034.09.25", Err(Rule::Date));
        check("2014.09.25", Err(Rule::ValidityForm));
        check("2014.09.25-长", Err(Rule::ValidityForm));
    }

    #[test]
    fn term_fits_the_age_at_issue_within_the_filing_period() {
        let ten_years = Validity::parse("2014.09.25-2024.09.25").unwrap();
        assert!(ten_years.term_fits(date!(1990 - 01 - 01)));
        assert!(!ten_years.term_fits(date!(1980 - 01 - 01)));
        assert!(ten_years.term_fits(date!(1988 - 09 - 01)), "26 at issue, 25 when the form was filed");
        assert!(!ten_years.term_fits(date!(1988 - 06 - 01)));
    }

    #[test]
    fn card_is_valid_on_its_last_day() {
        let validity = Validity::parse("2014.09.25-2024.09.25").unwrap();
        assert!(!validity.is_expired(date!(2024 - 09 - 25)));
        assert!(validity.is_expired(date!(2024 - 09 - 26)));
    }
}
