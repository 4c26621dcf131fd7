//! 住址.

use super::is_han;
use crate::mask::masked;
use crate::rule::Rule;

/// The registered address: Han characters, digits, and a few letters and marks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

masked!(Address);

impl Address {
    /// The shortest address: a county and something in it.
    pub const SHORTEST: usize = 6;
    /// Four lines of 16 characters, more than any card holds.
    pub const LONGEST: usize = 64;

    /// The standard form of one character of an address: full-width digits and letters become ASCII. `None` for what
    /// cannot stand in an address.
    pub fn standard_character(character: char) -> Option<char> {
        match character {
            full_width @ ('０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ') => {
                char::from_u32(u32::from(full_width) - 0xfee0)
            }
            '—' | '－' | '–' | '～' => Some('-'),
            '＃' => Some('#'),
            '(' => Some('（'),
            ')' => Some('）'),
            mark @ ('-' | '#' | '（' | '）' | '·' | '、' | '.' | ',' | '，' | '/' | '○' | '：') => Some(mark),
            letter if letter.is_ascii_alphanumeric() || is_han(letter) => Some(letter),
            _ => None,
        }
    }

    /// An address; apply [`Address::standard_character`] first to what was read.
    ///
    /// # Errors
    /// [`Rule::Length`] for less than 6 or more than 64 characters, [`Rule::Character`] for what is not in its standard
    /// form, or does not begin with a Han character.
    pub fn parse(text: &str) -> Result<Address, Rule> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.chars().count()) {
            return Err(Rule::Length);
        }
        let is_standard = |character| Self::standard_character(character) == Some(character);
        if !text.starts_with(is_han) || !text.chars().all(is_standard) {
            return Err(Rule::Character);
        }
        Ok(Address(text.to_owned()))
    }

    /// The address in clear. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Address;
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<&str, Rule>) {
        assert_eq!(Address::parse(text).as_ref().map(Address::reveal), expected.as_ref().copied());
    }

    #[test]
    fn addresses_begin_with_a_region() {
        check("浙江省龙游县某某路12号A座2-301室", Ok("浙江省龙游县某某路12号A座2-301室"));
        check("12号某某路某某村", Err(Rule::Character));
        check("某某路１２号某", Err(Rule::Character));
        check("某某路", Err(Rule::Length));
    }
}
