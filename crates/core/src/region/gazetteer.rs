//! The tables of codes read the other way: from a name to the codes that have had it, character by character.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{table, towns};

/// Headings of statistics, which no address prints.
const HEADINGS: [&str; 4] = ["市辖区", "县", "市", "市区"];

/// Made at the first use: about 6,000.
static REGIONS: LazyLock<Names> =
    LazyLock::new(|| Names::of(table::all().filter(|(_, name)| !HEADINGS.contains(name))));

/// A name with the codes that have had it: a region's own ones, those of a town's counties.
type Entry = (&'static str, Vec<u32>);

/// Names in the order of their bytes, so that those with the same beginning stand together.
pub(crate) struct Names(Vec<Entry>);

impl Names {
    fn of(all: impl Iterator<Item = (u32, &'static str)>) -> Names {
        let mut names: BTreeMap<&'static str, Vec<u32>> = BTreeMap::new();
        for (code, name) in all {
            names.entry(name).or_default().push(code);
        }
        Names(names.into_iter().collect())
    }

    /// The towns of some counties; none if no list has them.
    pub(crate) fn of_towns(counties: &[u32]) -> Names {
        let towns_of = |&county: &u32| towns::of_county(county).map(move |town| (county, town));
        Names::of(counties.iter().flat_map(towns_of))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The empty beginning, of all these names.
    pub(crate) fn beginning(&self) -> Beginning<'_> {
        Beginning { names: &self.0, length: 0 }
    }
}

/// The beginning of some names: to walk through the names character by character.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    /// The names that begin so.
    names: &'a [Entry],
    /// How many bytes of them are the beginning.
    length: usize,
}

impl Beginning<'static> {
    /// The empty one, of all names of regions.
    pub(crate) fn of_regions() -> Beginning<'static> {
        REGIONS.beginning()
    }
}

impl<'a> Beginning<'a> {
    /// One more character, if any name goes on with it.
    pub(crate) fn then(self, character: char) -> Option<Beginning<'a>> {
        let mut bytes = [0; 4];
        let character = character.encode_utf8(&mut bytes).as_bytes();
        let next = |entry: &Entry| {
            let rest = &entry.0.as_bytes()[self.length..];
            rest[..rest.len().min(character.len())].cmp(character)
        };
        let from = self.names.partition_point(|entry| next(entry).is_lt());
        let names = &self.names[from..];
        let names = &names[..names.partition_point(|entry| next(entry).is_eq())];
        (!names.is_empty()).then_some(Beginning { names, length: self.length + character.len() })
    }

    /// The codes that have had just this name, regions' of any level and any year since 1981; none if it is only a beginning.
    pub(crate) fn codes(self) -> &'a [u32] {
        self.names.first().filter(|(name, _)| name.len() == self.length).map_or(&[], |(_, codes)| codes)
    }
}

/// The longest name of a region with which a text begins, for which `fits` some of its codes.
pub(crate) fn leading_region(text: &str, fits: impl Fn(u32) -> bool) -> Option<(&str, &'static [u32])> {
    let mut beginning = Beginning::of_regions();
    let mut longest = None;
    for character in text.chars() {
        let Some(longer) = beginning.then(character) else { break };
        beginning = longer;
        if beginning.codes().iter().any(|&code| fits(code)) {
            longest = Some((&text[..beginning.length], beginning.codes()));
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::{Beginning, Names, leading_region};

    fn codes_of(name: &str) -> &'static [u32] {
        name.chars().try_fold(Beginning::of_regions(), Beginning::then).map_or(&[], Beginning::codes)
    }

    #[test]
    fn names_lead_to_their_codes() {
        assert_eq!(codes_of("浙江省"), [330000]);
        assert!(codes_of("龙游县").contains(&330825));
        assert!(codes_of("市辖区").is_empty() && codes_of("帻州市").is_empty() && codes_of("").is_empty());
    }

    #[test]
    fn the_longest_name_that_fits_is_found() {
        let name = |text| leading_region(text, |_| true).map(|(name, _)| name);
        assert_eq!(name("双江拉祜族佤族布朗族傣族自治县某某镇"), Some("双江拉祜族佤族布朗族傣族自治县"));
        assert_eq!(name("赣州市全南县"), Some("赣州市"));
        assert_eq!(name("某某路"), None);
        assert_eq!(leading_region("赣州市", |code| code / 10_000 == 33), None);
    }

    #[test]
    fn names_are_walked_through_character_by_character() {
        let walk = |text: &str| text.chars().try_fold(Beginning::of_regions(), Beginning::then);
        assert_eq!(walk("浙江省").map(Beginning::codes), Some(codes_of("浙江省")));
        assert!(walk("浙江").is_some_and(|beginning| beginning.codes().is_empty()));
        assert!(walk("浙汪").is_none() && walk("浙江省县").is_none() && walk("a").is_none());
    }

    #[test]
    fn every_name_can_be_walked_to() {
        for (name, codes) in super::REGIONS.0.iter() {
            let walked = name.chars().try_fold(Beginning::of_regions(), Beginning::then);
            assert_eq!(walked.map(Beginning::codes), Some(codes.as_slice()), "{name}");
        }
    }

    #[test]
    fn towns_of_several_counties_are_walked_through_once_each() {
        let towns = Names::of_towns(&[330825, 320106, 0]);
        let walk = |text: &str| text.chars().try_fold(towns.beginning(), Beginning::then).map(Beginning::codes);
        assert_eq!(walk("湖镇镇"), Some(&[330825][..]));
        assert_eq!(walk("湖南路街道"), Some(&[320106][..]));
        assert!(walk("湖").is_some_and(<[u32]>::is_empty) && walk("陶村乡").is_none());
        assert!(Names::of_towns(&[0, 330827]).is_empty());
    }
}
