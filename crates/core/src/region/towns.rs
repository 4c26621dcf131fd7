//! The towns of a county (乡, 镇, 街道 and others of that level): `data/towns.csv`, the list of one year.

use std::sync::LazyLock;

static FILE: &str = include_str!("../../data/towns.csv");

/// Each county's code with its towns, parted by `;`, in the order of the codes. The first use only finds the lines; names are
/// parted when their county is asked for.
static COUNTIES: LazyLock<Vec<(u32, &'static str)>> = LazyLock::new(|| {
    let county = |line: &'static str| {
        let (code, towns) = line.split_once(',')?;
        // The heading has no code.
        Some((code.parse().ok()?, towns))
    };
    FILE.lines().filter_map(county).collect()
});

/// The towns of a county; none if the list lacks the county.
pub(crate) fn of_county(code: u32) -> impl Iterator<Item = &'static str> {
    let found = COUNTIES.binary_search_by_key(&code, |&(county, _)| county).ok();
    found.into_iter().flat_map(|at| COUNTIES[at].1.split(';'))
}

#[cfg(test)]
mod tests {
    use super::{COUNTIES, of_county};
    use crate::region::gazetteer::{Beginning, Names};
    use crate::region::table;

    #[test]
    fn counties_have_their_towns() {
        assert!(of_county(140603).any(|town| town == "陶村乡"));
        assert!(!of_county(140602).any(|town| town == "陶村乡"));
        assert_eq!(of_county(330800).chain(of_county(0)).chain(of_county(u32::MAX)).count(), 0);
    }

    #[test]
    fn the_list_is_in_order_and_of_known_counties() {
        assert!(COUNTIES.is_sorted_by(|one, other| one.0 < other.0) && COUNTIES.len() > 2_800);
        for &(code, _) in COUNTIES.iter() {
            assert!(!table::rows_of(code).is_empty(), "{code}");
            assert!(of_county(code).all(|town| town.chars().count() >= 2), "{code}");
            assert!(of_county(code).is_sorted_by(|one, other| one < other), "{code}");
        }
    }

    #[test]
    fn every_town_can_be_walked_to_from_its_county() {
        for &(county, _) in COUNTIES.iter() {
            let towns = Names::of_towns(&[county]);
            for town in of_county(county) {
                let walked = town.chars().try_fold(towns.beginning(), Beginning::then);
                assert_eq!(walked.map(Beginning::codes), Some(&[county][..]), "{town}");
            }
        }
    }
}
