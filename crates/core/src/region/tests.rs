//! Tests of region names: the rule's own table of checks, and the codes that libraries get wrong.

use super::{Fit, Place, Region, province_name};

fn written(place: Place) -> String {
    [place.province, place.city, place.county].map(Option::unwrap_or_default).join("/")
}

fn check(code: u32, birth_year: i32, at_issue: &str, fit: Fit, today: &str) {
    let region = Region::of_code(code, birth_year);
    assert_eq!(written(region.at_issue()), at_issue, "{code} of {birth_year} at issue");
    assert_eq!(region.fit(), fit, "{code} of {birth_year}");
    assert_eq!(written(region.today()), today, "{code} of {birth_year} today");
}

#[test]
fn the_documented_example_is_in_longyou() {
    check(330825, 1978, "浙江省/衢州市/龙游县", Fit::Later, "浙江省/衢州市/龙游县");
    check(332430, 1984, "浙江省/金华地区/龙游县", Fit::Exact, "浙江省/衢州市/龙游县");
}

#[test]
fn a_municipality_repeats_the_province() {
    check(110101, 1990, "北京市/北京市/东城区", Fit::Exact, "北京市/北京市/东城区");
    check(500103, 1999, "重庆市/重庆市/渝中区", Fit::Exact, "重庆市/重庆市/渝中区");
}

#[test]
fn retired_codes_keep_the_province_of_their_time() {
    check(510202, 1980, "四川省/重庆市/市中区", Fit::Exact, "重庆市/重庆市/渝中区");
    check(442121, 1970, "广东省/海南行政区/琼山县", Fit::Exact, "海南省/海口市/");
    assert_eq!(Region::of_code(442121, 1970).codes_today(), [460105, 460106, 460107, 460108]);
    check(362324, 1980, "江西省/上饶地区/铅山县", Fit::Exact, "江西省/上饶市/铅山县");
}

#[test]
fn a_county_that_the_province_governs_is_its_own_city() {
    check(429004, 1985, "湖北省/仙桃市/仙桃市", Fit::Later, "湖北省/仙桃市/仙桃市");
    check(460001, 1975, "海南省/通什市/通什市", Fit::Later, "海南省/五指山市/五指山市");
    check(460001, 1995, "海南省/通什市/通什市", Fit::Exact, "海南省/五指山市/五指山市");
}

#[test]
fn a_city_without_districts_has_no_county() {
    check(441900, 1990, "广东省/东莞市/", Fit::Exact, "广东省/东莞市/");
    check(460400, 2016, "海南省/儋州市/", Fit::Exact, "海南省/儋州市/");
}

#[test]
fn all_districts_together_are_named_as_such() {
    check(440301, 1990, "广东省/深圳市/市辖区", Fit::Exact, "广东省/深圳市/市辖区");
}

#[test]
fn codes_of_the_field_are_known_without_years() {
    check(321119, 1973, "江苏省/镇江市/丹阳市", Fit::Exact, "江苏省/镇江市/丹阳市");
}

#[test]
fn a_reused_code_goes_by_the_birth_year() {
    check(419001, 1987, "河南省/义马市/义马市", Fit::Exact, "河南省/三门峡市/义马市");
    check(419001, 1996, "河南省/济源市/济源市", Fit::Exact, "河南省/济源市/济源市");
    check(511421, 1995, "四川省/涪陵市/垫江县", Fit::Exact, "重庆市/重庆市/垫江县");
    check(511421, 2003, "四川省/眉山市/仁寿县", Fit::Exact, "四川省/眉山市/仁寿县");
}

#[test]
fn the_year_after_the_last_one_still_counts() {
    check(442121, 1988, "广东省/海南行政区/琼山县", Fit::Exact, "海南省/海口市/");
    check(442121, 1989, "广东省/海南行政区/琼山县", Fit::Earlier, "海南省/海口市/");
}

#[test]
fn an_unlisted_code_keeps_the_levels_above_it() {
    check(330899, 1990, "浙江省/衢州市/", Fit::Unlisted, "//");
    check(339999, 1990, "浙江省//", Fit::Unlisted, "//");
    check(110100, 1990, "北京市/北京市/", Fit::Unlisted, "//");
    check(460099, 1990, "海南省//", Fit::Unlisted, "//");
    check(990101, 1990, "//", Fit::Unlisted, "//");
    check(u32::MAX, i32::MIN, "//", Fit::Unlisted, "//");
}

#[test]
fn permits_of_hong_kong_macau_and_taiwan_have_a_province_only() {
    check(810000, 2000, "香港特别行政区//", Fit::Exact, "香港特别行政区//");
    check(820000, 2000, "澳门特别行政区//", Fit::Exact, "澳门特别行政区//");
    check(830000, 2000, "台湾省//", Fit::Exact, "台湾省//");
}

#[test]
fn there_are_35_province_codes() {
    let names = (0..100).filter_map(province_name);
    assert_eq!(names.count(), 35);
    assert_eq!(province_name(91), None);
    assert_eq!(province_name(u32::MAX / 10_000), None);
}

#[test]
fn no_code_names_a_heading_as_its_city() {
    for code in 0..1_000_000 {
        for year in [1950, 1984, 1990, 1996, 2001, 2026] {
            let region = Region::of_code(code, year);
            for place in [region.at_issue(), region.today()] {
                let city = place.city.unwrap_or_default();
                assert!(!matches!(city, "市辖区" | "县" | "市") && !city.contains("直辖"), "{code} {year}: {city}");
                assert!(place.province.is_some() || place == Place::default(), "{code} {year}");
            }
        }
    }
}
