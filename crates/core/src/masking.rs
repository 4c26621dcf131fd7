//! What of a stored result is shown to whoever need not know whose card it is: enough to tell two customers apart, not enough to use.
//!
//! Of a number the first three and the last four characters are left, of a name the first one, of an address the first six (about the
//! district), of a date of birth the year; nothing of the ethnicity, which the law counts as sensitive by itself, and nothing of other
//! readings. Sex, authority and period of validity are shown: many people share them.

use crate::columns::CardColumns;
use crate::reading::FieldName;
use crate::result::{CardResult, FieldResult, PictureResult};

/// In the place of a character that is not shown.
const HIDDEN: char = '*';

impl PictureResult {
    /// The result as it is shown without a reason to see more.
    pub fn masked(mut self) -> PictureResult {
        for (name, text) in &mut self.message {
            *text = masked_field(name, text);
        }
        self.cards = self.cards.into_iter().map(CardResult::masked).collect();
        self
    }
}

impl CardResult {
    fn masked(mut self) -> CardResult {
        for (name, field) in &mut self.fields {
            let FieldResult { text, raw, alternatives, .. } = field;
            *text = masked_field(name.as_str(), text);
            // They show where they differ, and so what is hidden.
            *raw = None;
            alternatives.clear();
        }
        self
    }
}

impl CardColumns {
    /// The columns as they are shown without a reason to see more; without the date of birth, of which no part is a date.
    pub fn masked(self) -> CardColumns {
        let field = |name: FieldName, text: &str| masked_field(name.as_str(), text);
        CardColumns {
            name: field(FieldName::Name, &self.name),
            ethnic: field(FieldName::Ethnic, &self.ethnic),
            birth_date: None,
            address: field(FieldName::Address, &self.address),
            identity_no: field(FieldName::IdentityNo, &self.identity_no),
            ..self
        }
    }
}

/// The text of a field, by its name in JSON. What is not known here is not shown.
fn masked_field(name: &str, text: &str) -> String {
    let field = FieldName::FRONT.into_iter().chain(FieldName::BACK).find(|field| field.as_str() == name);
    match field {
        Some(FieldName::Name) => masked(text, 1, 0),
        Some(FieldName::Address) => masked(text, 6, 0),
        Some(FieldName::BirthDate) => masked(text, 4, 0),
        Some(FieldName::IdentityNo) => masked(text, 3, 4),
        Some(FieldName::PermitNumber) => masked(text, 1, 2),
        Some(FieldName::Gender | FieldName::Authority | FieldName::EffectiveDate | FieldName::IssueCount) => {
            text.to_owned()
        }
        Some(FieldName::Ethnic) | None => masked(text, 0, 0),
    }
}

/// A text of which so many characters at its start and its end are shown: never more than half of it, so that a short one is not shown
/// whole, and of one character none.
fn masked(text: &str, start: usize, end: usize) -> String {
    let count = text.chars().count();
    let (start, end) = if start + end <= count / 2 { (start, end) } else { ((count / 2).min(start), 0) };
    let shown = |index: usize| index < start || index >= count - end;
    text.chars().enumerate().map(|(index, character)| if shown(index) { character } else { HIDDEN }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_what_the_documentation_says() {
        let shown = |field: FieldName, text: &str| masked_field(field.as_str(), text);
        assert_eq!(shown(FieldName::Name, "张三"), "张*");
        assert_eq!(shown(FieldName::Name, "阿卜杜拉·买买提"), "阿*******");
        assert_eq!(shown(FieldName::Name, "张"), "*");
        assert_eq!(shown(FieldName::IdentityNo, "11010519491231002X"), "110***********002X");
        assert_eq!(shown(FieldName::Address, "北京市朝阳区某某路1号院2号楼"), "北京市朝阳区*********");
        assert_eq!(shown(FieldName::BirthDate, "1949年12月31日"), "1949*******");
        assert_eq!(shown(FieldName::Ethnic, "汉"), "*");
        assert_eq!(shown(FieldName::PermitNumber, "H12345678"), "H******78");
        assert_eq!(shown(FieldName::Gender, "女"), "女");
        assert_eq!(masked_field("later", "what a later version stores"), "*".repeat(27));
    }

    proptest! {
        #[test]
        fn hides_at_least_half(text in "\\PC{0,30}", start in 0usize..8, end in 0usize..8) {
            let (masked, count) = (masked(&text, start, end), text.chars().count());
            prop_assert_eq!(masked.chars().count(), count);
            let kept = masked.chars().zip(text.chars()).filter(|(shown, real)| shown == real && *real != HIDDEN).count();
            prop_assert!(kept <= count / 2);
        }
    }
}
