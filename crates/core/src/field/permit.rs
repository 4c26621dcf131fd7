//! 通行证号码 and 签发次数 on residence permits of Hong Kong, Macao and Taiwan residents.

use crate::id_number::Holder;
use crate::mask::masked;
use crate::rule::Rule;

/// The number of the travel permit with which the holder enters the mainland: H (Hong Kong) or M (Macao) and eight digits, of older
/// permits ten; eight digits (Taiwan).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PermitNumber(String);

/// How many residence permits the holder has had, this one included: 1 to 99, printed with one or two digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IssueCount(String);

masked!(PermitNumber, IssueCount);

impl PermitNumber {
    /// Reads the forms in use.
    ///
    /// # Errors
    /// [`Rule::PermitNumberForm`] for another form.
    pub fn parse(text: &str) -> Result<PermitNumber, Rule> {
        let digits = text.strip_prefix(['H', 'M']).unwrap_or(text);
        let is_long = digits.len() == 10 && digits.len() < text.len();
        match digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 8 || is_long) {
            true => Ok(PermitNumber(text.to_owned())),
            false => Err(Rule::PermitNumberForm),
        }
    }

    /// Whose permit it is, by its first character.
    pub fn holder(&self) -> Holder {
        match self.0.as_bytes().first() {
            Some(b'H') => Holder::HongKong,
            Some(b'M') => Holder::Macau,
            _ => Holder::Taiwan,
        }
    }

    /// The number in clear. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl IssueCount {
    /// Reads one or two digits.
    ///
    /// # Errors
    /// [`Rule::IssueCountForm`] for anything else, and for zero.
    pub fn parse(text: &str) -> Result<IssueCount, Rule> {
        let is_count = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        match is_count && text.bytes().any(|digit| digit != b'0') {
            true => Ok(IssueCount(text.to_owned())),
            false => Err(Rule::IssueCountForm),
        }
    }

    /// The count as printed. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_permit_numbers() {
        for (text, holder) in [
            ("H12345678", Holder::HongKong),
            ("M1234567801", Holder::Macau),
            ("M00000000", Holder::Macau),
            ("12345678", Holder::Taiwan),
        ] {
            let number = PermitNumber::parse(text).unwrap();
            assert_eq!((number.reveal(), number.holder()), (text, holder));
        }
        for text in
            ["", "H", "H1234567", "H123456789", "1234567890", "K12345678", "HM1234567", "H1234567８", "h12345678"]
        {
            assert_eq!(PermitNumber::parse(text), Err(Rule::PermitNumberForm), "{text}");
        }
    }

    #[test]
    fn counts_are_of_one_or_two_digits_and_not_zero() {
        for text in ["1", "01", "12", "99"] {
            assert_eq!(IssueCount::parse(text).unwrap().reveal(), text);
        }
        for text in ["", "0", "00", "001", "1次", "-1"] {
            assert_eq!(IssueCount::parse(text), Err(Rule::IssueCountForm), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", PermitNumber::parse("H12345678").unwrap()), "PermitNumber(***)");
    }
}
