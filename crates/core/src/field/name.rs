//! 姓名.

use super::is_han;
use crate::mask::masked;
use crate::rule::Rule;

/// A person's name in Han characters; the parts of some minorities' names are joined by · (U+00B7).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonName(String);

masked!(PersonName);

impl PersonName {
    /// The standard separator, GB 18030 A1A4 (民委发〔2016〕33号).
    pub const SEPARATOR: char = '\u{b7}';
    /// The longest name. The notice asks systems to hold at least 25 characters; nobody is known to need twice that.
    pub const LONGEST: usize = 50;
    /// The longest part of a name.
    pub const LONGEST_PART: usize = 6;

    /// The standard form of one character of a name: a look-alike of the separator becomes the separator. `None` for what
    /// cannot stand in a name.
    pub fn standard_character(character: char) -> Option<char> {
        match character {
            // Middle dots of other scripts and widths, bullets, and full stops.
            '·' | '・' | '･' | '•' | '‧' | '∙' | '⋅' | '.' | '．' => Some(Self::SEPARATOR),
            han if is_han(han) => Some(han),
            _ => None,
        }
    }

    /// A name in its standard form; apply [`PersonName::standard_character`] first to what was read.
    ///
    /// # Errors
    /// [`Rule::Length`] for less than 2 or more than 50 characters, [`Rule::Character`] for anything but Han characters
    /// with single separators between them.
    pub fn parse(text: &str) -> Result<PersonName, Rule> {
        if !(2..=Self::LONGEST).contains(&text.chars().count()) {
            return Err(Rule::Length);
        }
        let is_part = |part: &str| !part.is_empty() && part.chars().all(is_han);
        if !text.split(Self::SEPARATOR).all(is_part) {
            return Err(Rule::Character);
        }
        Ok(PersonName(text.to_owned()))
    }

    /// Whether a part is longer than names in one part are: 阿拉腾其其格 has six characters, and those of several parts have a
    /// separator between them.
    pub fn lacks_separator(&self) -> bool {
        self.0.split(Self::SEPARATOR).any(|part| part.chars().count() > Self::LONGEST_PART)
    }

    /// The name in clear. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::PersonName;
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<&str, Rule>) {
        assert_eq!(PersonName::parse(text).as_ref().map(PersonName::reveal), expected.as_ref().copied());
    }

    #[test]
    fn names_are_han_characters_with_single_separators() {
        check("张三", Ok("张三"));
        check("阿卜杜·麦麦提", Ok("阿卜杜·麦麦提"));
        check("㛃玥", Ok("㛃玥"));
        check("张", Err(Rule::Length));
        check("张3", Err(Rule::Character));
        check("·张三", Err(Rule::Character));
        check("张··三", Err(Rule::Character));
        check(&"张".repeat(51), Err(Rule::Length));
    }

    #[test]
    fn normalizes_look_alikes_of_the_separator() {
        for dot in "·・•.".chars() {
            assert_eq!(PersonName::standard_character(dot), Some('·'));
        }
        assert_eq!(PersonName::standard_character('1'), None);
    }
}
