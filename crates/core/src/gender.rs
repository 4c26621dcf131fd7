//! Gender as cards print it and as ID numbers encode it.

use serde::{Deserialize, Serialize};

/// 性别. Cards and numbers know these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// 男; an odd sequence number.
    Male,
    /// 女; an even sequence number.
    Female,
}

impl Gender {
    /// 男 or 女, as printed on the card.
    pub fn as_chinese(self) -> &'static str {
        match self {
            Gender::Male => "男",
            Gender::Female => "女",
        }
    }

    /// `male` or `female`, as in the documented HTTP service.
    pub fn as_english(self) -> &'static str {
        match self {
            Gender::Male => "male",
            Gender::Female => "female",
        }
    }

    /// The gender of exactly 男 or 女; nothing else.
    pub fn from_chinese(text: &str) -> Option<Gender> {
        match text {
            "男" => Some(Gender::Male),
            "女" => Some(Gender::Female),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gender;

    #[test]
    fn chinese_text_and_back_is_the_same_gender() {
        for gender in [Gender::Male, Gender::Female] {
            assert_eq!(Gender::from_chinese(gender.as_chinese()), Some(gender));
        }
        assert_eq!(Gender::from_chinese("男 "), None);
    }
}
