//! 民族.

use std::fmt;

use crate::rule::Rule;

/// The 56 groups of GB/T 3304-1991 in the order of their codes, as cards print them: without 族.
const GROUPS: [&str; 56] = [
    "汉",
    "蒙古",
    "回",
    "藏",
    "维吾尔",
    "苗",
    "彝",
    "壮",
    "布依",
    "朝鲜",
    "满",
    "侗",
    "瑶",
    "白",
    "土家",
    "哈尼",
    "哈萨克",
    "傣",
    "黎",
    "傈僳",
    "佤",
    "畲",
    "高山",
    "拉祜",
    "水",
    "东乡",
    "纳西",
    "景颇",
    "柯尔克孜",
    "土",
    "达斡尔",
    "仫佬",
    "羌",
    "布朗",
    "撒拉",
    "毛南",
    "仡佬",
    "锡伯",
    "阿昌",
    "普米",
    "塔吉克",
    "怒",
    "乌孜别克",
    "俄罗斯",
    "鄂温克",
    "德昂",
    "保安",
    "裕固",
    "京",
    "塔塔尔",
    "独龙",
    "鄂伦春",
    "赫哲",
    "门巴",
    "珞巴",
    "基诺",
];

/// What stands on cards without being one of the 56: unrecognised groups (公安部's replies of 1986 and 2003) and the
/// headings 97 and 98 of official tables.
const OTHERS: [&str; 4] = ["穿青人", "革家人", "其他", "外国血统中国籍人士"];

/// Names that older tables give.
const FORMER: [(&str, &str); 2] = [("毛难", "毛南"), ("崩龙", "德昂")];

/// An ethnic group as cards print it. Sensitive: `Debug` and `Display` mask it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ethnicity(&'static str);

impl Ethnicity {
    /// All that can stand on a card: the 56 groups, then the others.
    pub fn all() -> impl Iterator<Item = Ethnicity> {
        GROUPS.into_iter().chain(OTHERS).map(Ethnicity)
    }

    /// Reads a group. 族 at the end, an annotation in brackets (纳西族(摩梭), notice of 1986) and the former names of two
    /// groups are taken too.
    ///
    /// # Errors
    /// [`Rule::EthnicUnknown`] for what is in no list.
    pub fn parse(text: &str) -> Result<Ethnicity, Rule> {
        let name = without_annotation(text).unwrap_or(text);
        let name = name.strip_suffix('族').filter(|name| !name.is_empty()).unwrap_or(name);
        let name = FORMER.iter().find(|(former, _)| *former == name).map_or(name, |(_, current)| current);
        Ethnicity::all().find(|group| group.0 == name).ok_or(Rule::EthnicUnknown)
    }

    /// The numeric code of GB/T 3304-1991, 1 to 56; 97 for other groups, 98 for foreign-born citizens.
    pub fn code(self) -> u8 {
        match GROUPS.iter().position(|group| *group == self.0) {
            Some(index) => index as u8 + 1,
            None if self.0 == "外国血统中国籍人士" => 98,
            None => 97,
        }
    }

    /// The group as printed, without 族. Sensitive data: not for logs.
    pub fn reveal(self) -> &'static str {
        self.0
    }
}

impl fmt::Debug for Ethnicity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ethnicity(***)")
    }
}

impl fmt::Display for Ethnicity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The text before an annotation in brackets, round ones of either width, at the end.
fn without_annotation(text: &str) -> Option<&str> {
    let inner = text.strip_suffix([')', '）'])?;
    inner.split_once(['(', '（']).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::Ethnicity;
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<(&str, u8), Rule>) {
        assert_eq!(Ethnicity::parse(text).map(|group| (group.reveal(), group.code())), expected);
    }

    #[test]
    fn groups_are_read_with_and_without_their_suffix() {
        check("汉", Ok(("汉", 1)));
        check("维吾尔", Ok(("维吾尔", 5)));
        check("维吾尔族", Ok(("维吾尔", 5)));
        check("基诺", Ok(("基诺", 56)));
        check("纳西族(摩梭)", Ok(("纳西", 27)));
        check("毛难", Ok(("毛南", 36)));
        check("穿青人", Ok(("穿青人", 97)));
        check("其他", Ok(("其他", 97)));
        check("族", Err(Rule::EthnicUnknown));
        check("", Err(Rule::EthnicUnknown));
        check("士家", Err(Rule::EthnicUnknown));
    }
}
