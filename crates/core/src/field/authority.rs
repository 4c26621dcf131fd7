//! 签发机关.

use super::is_han;
use crate::mask::masked;
use crate::rule::Rule;

/// The issuing authority: the public security bureau of a county or city, or a branch of a city's (ID Card Law, article 8).
///
/// It tells where the holder is registered, so it masks itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authority(String);

masked!(Authority);

impl Authority {
    /// Reads the forms in use: `X公安局`, `X公安局Y分局`, `X公安分局`.
    ///
    /// # Errors
    /// [`Rule::Character`] for anything but Han characters, [`Rule::AuthorityForm`] for another form.
    pub fn parse(text: &str) -> Result<Authority, Rule> {
        if !text.chars().all(is_han) {
            return Err(Rule::Character);
        }
        match parts(text) {
            Some(_) => Ok(Authority(text.to_owned())),
            None => Err(Rule::AuthorityForm),
        }
    }

    /// Whose bureau it is, and of which branch: `("北京市", "海淀")` of 北京市公安局海淀分局. Personal data: not for logs.
    pub fn reveal_parts(&self) -> (&str, &str) {
        parts(&self.0).unwrap_or_default()
    }

    /// The authority in clear. Personal data: not for logs.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The place before 公安局 or 公安分局, and the branch after 公安局; each of plausible length.
fn parts(text: &str) -> Option<(&str, &str)> {
    const PLACE: std::ops::RangeInclusive<usize> = 2..=24;
    const BRANCH: std::ops::RangeInclusive<usize> = 1..=20;
    let is_place = |place: &str| PLACE.contains(&place.chars().count());
    if let Some(place) = text.strip_suffix("公安局") {
        return is_place(place).then_some((place, ""));
    }
    if let Some((place, branch)) = text.strip_suffix("分局")?.split_once("公安局") {
        let branch_name = branch.strip_suffix("公安").unwrap_or(branch);
        return (is_place(place) && BRANCH.contains(&branch_name.chars().count())).then_some((place, branch_name));
    }
    text.strip_suffix("公安分局").filter(|place| is_place(place)).map(|place| (place, ""))
}

#[cfg(test)]
mod tests {
    use super::Authority;
    use crate::rule::Rule;

    fn check(text: &str, expected: Result<(&str, &str), Rule>) {
        assert_eq!(Authority::parse(text).as_ref().map(Authority::reveal_parts), expected.as_ref().copied());
    }

    #[test]
    fn bureaus_and_branches_are_told_apart() {
        check("龙游县公安局", Ok(("龙游县", "")));
        check("北京市公安局海淀分局", Ok(("北京市", "海淀")));
        check("北京市公安局海淀公安分局", Ok(("北京市", "海淀")));
        check("南京市秦淮区公安分局", Ok(("南京市秦淮区", "")));
        check("公安局", Err(Rule::AuthorityForm));
        check("北京市公安局分局", Err(Rule::AuthorityForm));
        check("北京市公安厅", Err(Rule::AuthorityForm));
        check("龙游县公安局1", Err(Rule::Character));
    }
}
