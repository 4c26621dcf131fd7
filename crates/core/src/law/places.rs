//! How usual an address or an authority is, by the regions that it names.
//!
//! These are priors, not laws: regions are renamed, and a text without a listed one stays possible. They decide only between
//! readings that the characters leave open, as between 长治市 and 长洽市.

use crate::field::{Address, Authority};
use crate::region::gazetteer::{Beginning, leading_region};

/// Addresses in provinces that do not exist are so rare.
const NO_SUCH_PROVINCE: f64 = 1e-3;
/// The first region after the province is in no list: newer than the list, or left out.
const NO_REGION: f64 = 0.01;
/// What follows calls itself a county and is none of that prefecture.
const NO_SUCH_COUNTY: f64 = 0.02;
/// What follows the prefecture is a town or a road, as in cities without districts.
pub(super) const NO_COUNTY: f64 = 0.3;
/// The name of a county ends within so many characters.
const COUNTY_WITHIN: usize = 5;

/// Codes of one province agree in the first two digits; its own ends in four zeros.
const IN_PROVINCE: u32 = 10_000;
/// Codes of one prefecture agree in the first four digits; its own ends in two zeros.
const IN_PREFECTURE: u32 = 100;

/// The prior of an address, up to 1.
pub(crate) fn usual_address(address: &Address) -> f64 {
    if address.has_unknown_province() {
        return NO_SUCH_PROVINCE;
    }
    let text = address.reveal();
    let Some((first, codes)) = leading_region(text, |_| true) else { return NO_REGION };
    let rest = &text[first.len()..];
    let provinces: Vec<u32> = codes.iter().filter(|&&code| code % IN_PROVINCE == 0).copied().collect();
    if provinces.is_empty() {
        return below(rest, codes);
    }
    let in_province = |code: u32| provinces.iter().any(|province| province / IN_PROVINCE == code / IN_PROVINCE);
    match leading_region(rest, in_province) {
        Some((second, codes)) => below(&rest[second.len()..], codes),
        None => NO_REGION,
    }
}

/// The prior of what follows a region that has `codes`.
fn below(rest: &str, codes: &[u32]) -> f64 {
    let prefectures: Vec<u32> = codes.iter().filter(|&&code| code % IN_PREFECTURE == 0).copied().collect();
    if prefectures.is_empty() {
        return 1.0;
    }
    let inside = |code: u32| {
        prefectures.iter().any(|prefecture| prefecture / IN_PREFECTURE == code / IN_PREFECTURE)
            // County-level cities are governed by a prefecture whose digits they share only by province.
            || prefectures.iter().any(|prefecture| prefecture / IN_PROVINCE == code / IN_PROVINCE)
    };
    if leading_region(rest, inside).is_some() {
        return 1.0;
    }
    let calls_itself_county = rest.chars().take(COUNTY_WITHIN).skip(1).any(|c| matches!(c, '县' | '区' | '旗' | '市'));
    if calls_itself_county { NO_SUCH_COUNTY } else { NO_COUNTY }
}

/// Whether a region lies in another one. County-level cities share only the province with the prefecture that governs them.
pub(super) fn governs(above: u32, code: u32) -> bool {
    above != code && above.is_multiple_of(IN_PREFECTURE) && above / IN_PROVINCE == code / IN_PROVINCE
}

/// The prior of an authority, up to 1.
pub(crate) fn usual_authority(authority: &Authority) -> f64 {
    let text = authority.reveal();
    let (place, branch) = match (text.strip_suffix("公安分局"), text.split_once("公安局")) {
        (_, Some((place, branch))) => (place, branch.trim_end_matches("分局").trim_end_matches("公安")),
        (Some(place), None) => (place, ""),
        (None, None) => return NO_COUNTY,
    };
    let Some(codes) = place_of_bureau(place) else { return NO_REGION };
    let is_listed = branch.is_empty()
        || branch.chars().try_fold(Beginning::of_all(), Beginning::then).is_some_and(|stem| is_branch_of(&codes, stem));
    if is_listed { 1.0 } else { NO_COUNTY }
}

/// The codes of a bureau's place, if it is listed: of one region, or of one inside of another.
fn place_of_bureau(place: &str) -> Option<Vec<u32>> {
    let (first, codes) = leading_region(place, |_| true)?;
    if first.len() == place.len() {
        return Some(codes.to_vec());
    }
    let (second, inner) =
        leading_region(&place[first.len()..], |code| codes.iter().any(|&above| governs(above, code)))?;
    (first.len() + second.len() == place.len()).then(|| inner.to_vec())
}

/// Whether a region of this name, or with 区, 县 or 市 after it, lies in a bureau's place.
pub(super) fn is_branch_of(codes: &[u32], stem: Beginning) -> bool {
    let names = ['区', '县', '市'].map(|end| stem.then(end)).into_iter().flatten().chain([stem]);
    let mut inside = names.flat_map(|name| name.codes().iter());
    inside.any(|&code| codes.iter().any(|&above| governs(above, code)))
}

#[cfg(test)]
mod tests {
    use super::{usual_address, usual_authority};
    use crate::field::{Address, Authority};

    fn address(text: &str) -> f64 {
        usual_address(&Address::parse(text).unwrap())
    }

    fn authority(text: &str) -> f64 {
        usual_authority(&Authority::parse(text).unwrap())
    }

    #[test]
    fn addresses_with_listed_regions_are_usual() {
        for text in [
            "浙江省衢州市龙游县某某路1号",
            "江西省赣州市全南县某某路1号",
            "安徽省颍上县慎城镇某村",
            "北京市海淀区某某路1号",
            "荆门市沙洋县五里铺镇某村",
            "新疆维吾尔自治区和田地区和田县某乡",
        ] {
            assert_eq!(address(text), 1.0, "{text}");
        }
    }

    #[test]
    fn look_alikes_of_regions_are_rare() {
        for (text, than) in [
            ("江西省帻州市全南县某某路1号", "江西省赣州市全南县某某路1号"),
            ("安徽省颖上县慎城镇某村", "安徽省颍上县慎城镇某村"),
            ("山西省长治市濤州区某街道", "山西省长治市潞州区某街道"),
            ("淅江省衢州市龙游县某路", "浙江省衢州市龙游县某路"),
        ] {
            assert!(address(text) < 0.1 * address(than), "{text}");
        }
    }

    #[test]
    fn authorities_are_those_of_listed_regions() {
        assert_eq!(authority("桂林市公安局叠彩分局"), 1.0);
        assert_eq!(authority("龙游县公安局"), 1.0);
        assert!(authority("柱林市公安局叠彩分局") < 0.1);
        assert!(authority("桂林市公安局叠影分局") < 1.0);
    }
}
