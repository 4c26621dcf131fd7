//! How usual an address or an authority is, by the regions that it names.
//!
//! These are priors, not constraints: regions are renamed, and a text without a listed one stays possible. They decide only between
//! readings that the characters leave open, as between 长治市 and 长洽市.

use super::parameters::Parameters;
use crate::field::{Address, Authority};
use crate::region::gazetteer::{Beginning, leading_region};
use crate::region::towns;

/// The name of a county ends within so many characters.
const COUNTY_WITHIN: usize = 5;
/// The name of a town ends within so many characters.
const TOWN_WITHIN: usize = 7;

/// Codes of one province agree in the first two digits; its own ends in four zeros.
const IN_PROVINCE: u32 = 10_000;
/// Codes of one prefecture agree in the first four digits; its own ends in two zeros.
const IN_PREFECTURE: u32 = 100;

/// The prior of an address, up to 1.
pub(crate) fn address_prior(address: &Address, parameters: &Parameters) -> f64 {
    let paired = if has_paired_brackets(address.reveal()) { 1.0 } else { parameters.unpaired_bracket_prior };
    paired * regions_prior(address, parameters)
}

/// Whether every bracket that opens closes.
fn has_paired_brackets(text: &str) -> bool {
    let count = |kind: [char; 2]| text.chars().filter(|character| kind.contains(character)).count();
    count(['（', '(']) == count(['）', ')'])
}

/// The prior of the regions and the town that an address names.
fn regions_prior(address: &Address, parameters: &Parameters) -> f64 {
    if address.has_unknown_province() {
        return parameters.no_such_province_prior;
    }
    let text = address.reveal();
    let Some((first, codes)) = leading_region(text, |_| true) else { return parameters.no_region_prior };
    let rest = &text[first.len()..];
    if !codes.iter().any(|code| code.is_multiple_of(IN_PROVINCE)) {
        return below(rest, codes, parameters);
    }
    let in_province = |code: u32| {
        codes.iter().any(|above| above.is_multiple_of(IN_PROVINCE) && above / IN_PROVINCE == code / IN_PROVINCE)
    };
    match leading_region(rest, in_province) {
        Some((second, codes)) => below(&rest[second.len()..], &fitting(codes, in_province), parameters),
        None => parameters.no_region_prior,
    }
}

/// The prior of what follows a region that has `codes`.
fn below(rest: &str, codes: &[u32], parameters: &Parameters) -> f64 {
    if !codes.iter().any(|code| code.is_multiple_of(IN_PREFECTURE)) {
        return in_county(rest, codes, parameters);
    }
    let inside = |code: u32| codes.iter().any(|&above| governs(above, code));
    if let Some((county, codes)) = leading_region(rest, inside) {
        return in_county(&rest[county.len()..], &fitting(codes, inside), parameters);
    }
    let calls_itself_county = rest.chars().take(COUNTY_WITHIN).skip(1).any(|c| matches!(c, '县' | '区' | '旗' | '市'));
    if calls_itself_county { parameters.no_such_county_prior } else { parameters.no_county_prior }
}

/// The prior of what follows a county that has `codes`. Where its towns are in no list, any is as usual as a listed one.
fn in_county(rest: &str, codes: &[u32], parameters: &Parameters) -> f64 {
    let mut towns = codes.iter().flat_map(|&code| towns::of_county(code)).peekable();
    if towns.peek().is_none() || towns.any(|town| rest.starts_with(town)) {
        return 1.0;
    }
    let ends = rest.chars().take(TOWN_WITHIN).skip(1);
    let calls_itself_town = ends.clone().any(|end| matches!(end, '镇' | '乡'))
        || ends.clone().zip(ends.skip(1)).any(|end| end == ('街', '道'));
    if calls_itself_town { parameters.no_such_town_prior } else { parameters.no_town_prior }
}

/// Those of some codes that fit.
fn fitting(codes: &[u32], fits: impl Fn(u32) -> bool) -> Vec<u32> {
    codes.iter().copied().filter(|&code| fits(code)).collect()
}

/// Whether a region lies in another one: a county in a prefecture, either in a province. County-level cities share only the
/// province with the prefecture that governs them.
pub(super) fn governs(above: u32, code: u32) -> bool {
    let is_higher = if above.is_multiple_of(IN_PROVINCE) {
        above != code
    } else {
        above.is_multiple_of(IN_PREFECTURE) && !code.is_multiple_of(IN_PREFECTURE)
    };
    is_higher && above / IN_PROVINCE == code / IN_PROVINCE
}

/// The prior of an authority, up to 1.
pub(crate) fn authority_prior(authority: &Authority, parameters: &Parameters) -> f64 {
    let text = authority.reveal();
    let (place, branch) = match (text.strip_suffix("公安分局"), text.split_once("公安局")) {
        (_, Some((place, branch))) => (place, branch.trim_end_matches("分局").trim_end_matches("公安")),
        (Some(place), None) => (place, ""),
        (None, None) => return parameters.no_county_prior,
    };
    let Some(codes) = place_of_bureau(place) else { return parameters.no_region_prior };
    let is_listed = branch.is_empty()
        || branch
            .chars()
            .try_fold(Beginning::of_regions(), Beginning::then)
            .is_some_and(|stem| is_branch_of(&codes, stem));
    if is_listed { 1.0 } else { parameters.no_county_prior }
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
    use super::{address_prior, authority_prior, governs};
    use crate::constraint::parameters::Parameters;
    use crate::field::{Address, Authority};

    const FITTED: Parameters = Parameters::FITTED;

    fn address(text: &str) -> f64 {
        address_prior(&Address::parse(text).unwrap(), &FITTED)
    }

    fn authority(text: &str) -> f64 {
        authority_prior(&Authority::parse(text).unwrap(), &FITTED)
    }

    #[test]
    fn prior_is_one_for_listed_regions_and_towns() {
        for text in [
            "浙江省衢州市龙游县湖镇镇某村1号",
            "江西省赣州市全南县城厢镇某某路1号",
            "安徽省颍上县慎城镇某村",
            "北京市海淀区学院路街道某某路1号",
            "荆门市沙洋县五里铺镇某村",
            "龙游县龙洲街道某某路1号",
            "新疆维吾尔自治区和田地区和田县拉依喀乡",
        ] {
            assert_eq!(address(text), 1.0, "{text}");
        }
    }

    #[test]
    fn prior_is_lower_where_no_listed_town_follows_the_county() {
        for (text, prior) in [
            ("浙江省衢州市龙游县某某路1号", FITTED.no_town_prior),
            ("浙江省衢州市龙游县某村1号", FITTED.no_town_prior),
            ("浙江省衢州市龙游县", FITTED.no_town_prior),
            ("浙江省衢州市龙游县湖填镇某村1号", FITTED.no_such_town_prior),
            ("浙江省衢州市龙游县某某街道1号", FITTED.no_such_town_prior),
            // Of another county.
            ("山西省朔州市朔城区陶村乡某村", FITTED.no_such_town_prior),
            ("山西省朔州市平鲁区陶村乡某村", 1.0),
            // Too far to be a town's name.
            ("浙江省衢州市龙游县某某路123号某镇", FITTED.no_town_prior),
            // A county until 2001, now of two districts.
            ("浙江省衢州市衢县某某路1号", FITTED.no_town_prior),
            ("浙江省衢州市衢县大洲镇某村1号", 1.0),
            // Of a namesake in another province.
            ("江苏省南京市鼓楼区鼓东街道1号", FITTED.no_such_town_prior),
            // Its towns are in no list.
            ("福建省泉州市金门县某某路1号", 1.0),
            ("广东省东莞市虎门镇某村1号", FITTED.no_county_prior),
        ] {
            assert_eq!(address(text), prior, "{text}");
        }
    }

    #[test]
    fn prior_is_low_for_unpaired_brackets() {
        assert_eq!(address("浙江省衢州市龙游县湖镇镇某村1号（集体户）"), 1.0);
        for text in ["浙江省衢州市龙游县湖镇镇某村1号（集体户", "浙江省衢州市龙游县湖镇镇某村1号集体户）"]
        {
            assert_eq!(address(text), FITTED.unpaired_bracket_prior, "{text}");
        }
    }

    #[test]
    fn prior_is_low_for_look_alikes_of_regions() {
        for (text, than) in [
            ("江西省帻州市全南县某某路1号", "江西省赣州市全南县某某路1号"),
            ("安徽省颖上县慎城镇某村", "安徽省颍上县慎城镇某村"),
            ("山西省长治市濤州区东街街道", "山西省长治市潞州区东街街道"),
            ("淅江省衢州市龙游县某路", "浙江省衢州市龙游县某路"),
        ] {
            assert!(address(text) < 0.1 * address(than), "{text}");
        }
    }

    #[test]
    fn prefectures_lie_in_provinces_and_counties_in_either() {
        assert!(governs(330000, 330800) && governs(330000, 330825) && governs(330800, 330825));
        // County-level cities of other prefectures' digits.
        assert!(governs(429000, 429004) && governs(420800, 429004));
        assert!(!governs(330800, 330700) && !governs(330800, 330800) && !governs(330825, 330826));
        assert!(!governs(330000, 340100) && !governs(330800, 340102));
    }

    #[test]
    fn prior_is_lower_for_authorities_of_unlisted_regions() {
        assert_eq!(authority("桂林市公安局叠彩分局"), 1.0);
        assert_eq!(authority("龙游县公安局"), 1.0);
        assert!(authority("柱林市公安局叠彩分局") < 0.1);
        assert!(authority("桂林市公安局叠影分局") < 1.0);
    }
}
