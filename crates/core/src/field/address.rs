//! 住址.

use super::is_han;
use crate::mask::masked;
use crate::region::province_name;
use crate::rule::Rule;

/// 新疆维吾尔自治区.
const LONGEST_PROVINCE: usize = 8;

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

    /// Whether the address begins with something that calls itself a province or an autonomous region, and is none.
    pub fn has_unknown_province(&self) -> bool {
        let head: String = self.0.chars().take(LONGEST_PROVINCE).collect();
        // 省 stands third in 浙江省 and fourth in 黑龙江省; further back it belongs to something else.
        let calls_itself_so = head.contains("自治区") || head.chars().take(4).any(|character| character == '省');
        let is_known = || (11..=71).filter_map(province_name).any(|name| head.starts_with(name));
        calls_itself_so && !is_known()
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
    fn provinces_are_known() {
        for (text, unknown) in [
            ("浙江省龙游县某某路", false),
            ("淅江省龙游县某某路", true),
            ("新疆维吾尔自治区和田市", false),
            ("广西壮族目治区南宁市", false),
            ("广酉壮族自治区南宁市", true),
            ("北京市海淀区某某路", false),
            ("龙游县某某路省直小区", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().has_unknown_province(), unknown, "{text}");
        }
    }

    #[test]
    fn addresses_begin_with_a_region() {
        check("浙江省龙游县某某路12号A座2-301室", Ok("浙江省龙游县某某路12号A座2-301室"));
        check("12号某某路某某村", Err(Rule::Character));
        check("某某路１２号某", Err(Rule::Character));
        check("某某路", Err(Rule::Length));
    }
}
