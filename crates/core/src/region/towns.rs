//! The towns of a county (乡, 镇, 街道 and others of that level): `data/towns.csv`, the list of one year.

use std::sync::LazyLock;

use super::table::{Row, rows_of};

static FILE: &str = include_str!("../../data/towns.csv");

/// Each county's code with its towns, in the order of the codes. Made at the first use: about 40,000 towns.
static COUNTIES: LazyLock<Vec<(u32, Vec<&'static str>)>> = LazyLock::new(|| {
    let county = |line: &'static str| {
        let (code, towns) = line.split_once(',')?;
        // The heading has no code.
        Some((code.parse().ok()?, towns.split(';').collect()))
    };
    FILE.lines().filter_map(county).collect()
});

/// The towns of a county; if the list lacks it, of those that have its area today. None if it lacks these too.
pub(crate) fn of_county(code: u32) -> impl Iterator<Item = &'static str> {
    let own = listed(code);
    let heirs = if own.is_some() { None } else { rows_of(code).last().map(Row::codes_today) };
    let of_heirs = heirs.unwrap_or_default().iter().filter_map(|&heir| listed(heir));
    own.into_iter().chain(of_heirs).flatten().copied()
}

fn listed(code: u32) -> Option<&'static [&'static str]> {
    let at = COUNTIES.binary_search_by_key(&code, |&(county, _)| county).ok()?;
    Some(&COUNTIES[at].1)
}

#[cfg(test)]
mod tests {
    use super::{COUNTIES, of_county};
    use crate::region::gazetteer::{Beginning, Names};
    use crate::region::table::rows_of;

    #[test]
    fn counties_have_their_towns() {
        let has = |code: u32, town: &str| of_county(code).any(|one| one == town);
        assert!(has(140603, "陶村乡") && !has(140602, "陶村乡"));
        assert!([330800, 0, u32::MAX].into_iter().all(|code| of_county(code).next().is_none()));
    }

    #[test]
    fn a_county_of_earlier_years_has_the_towns_of_its_heirs() {
        let towns = |code: u32| of_county(code).collect::<Vec<_>>();
        // 武进市, which is 武进区 today.
        assert!(!COUNTIES.iter().any(|&(code, _)| code == 320483));
        assert!(towns(320483).contains(&"湟里镇") && towns(320412).contains(&"湟里镇"));
    }

    #[test]
    fn the_list_is_in_order_and_of_known_counties() {
        assert!(COUNTIES.is_sorted_by(|one, other| one.0 < other.0) && COUNTIES.len() > 2_800);
        for (code, towns) in COUNTIES.iter() {
            assert!(!rows_of(*code).is_empty(), "{code}");
            assert!(towns.iter().all(|town| town.chars().count() >= 2), "{code}");
            assert!(towns.is_sorted_by(|one, other| one < other), "{code}");
        }
    }

    #[test]
    fn every_town_can_be_walked_to_from_its_county() {
        for (county, names) in COUNTIES.iter() {
            let towns = Names::of_towns(&[*county]);
            for town in names {
                let walked = town.chars().try_fold(towns.beginning(), Beginning::then);
                assert_eq!(walked.map(Beginning::codes), Some(&[*county][..]), "{town}");
            }
        }
    }
}
