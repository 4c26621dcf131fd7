//! The table of codes read the other way: from a name to the codes that have had it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::table;

/// Headings of statistics, which no address prints.
const HEADINGS: [&str; 4] = ["市辖区", "县", "市", "市区"];

type Entry = (&'static str, Vec<u32>);

/// In the order of their bytes, so that names with the same beginning stand together. Made at the first use: about 6,000.
static NAMES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut names: BTreeMap<&'static str, Vec<u32>> = BTreeMap::new();
    for (code, name) in table::all().filter(|(_, name)| !HEADINGS.contains(name)) {
        names.entry(name).or_default().push(code);
    }
    names.into_iter().collect()
});

/// The beginning of some names of regions: to walk through the names character by character.
#[derive(Clone, Copy)]
pub(crate) struct Beginning {
    /// The names that begin so.
    names: &'static [Entry],
    /// How many bytes of them are the beginning.
    length: usize,
}

impl Beginning {
    /// The empty one, of all names.
    pub(crate) fn of_all() -> Beginning {
        Beginning { names: &NAMES, length: 0 }
    }

    /// One more character, if any name goes on with it.
    pub(crate) fn then(self, character: char) -> Option<Beginning> {
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

    /// The codes that have had just this name, of any level and any year since 1981; none if it is only a beginning.
    pub(crate) fn codes(self) -> &'static [u32] {
        self.names.first().filter(|(name, _)| name.len() == self.length).map_or(&[], |(_, codes)| codes)
    }
}

/// The longest name of a region with which a text begins, for which `fits` some of its codes.
pub(crate) fn leading_region(text: &str, fits: impl Fn(u32) -> bool) -> Option<(&str, &'static [u32])> {
    let mut beginning = Beginning::of_all();
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
    use super::{Beginning, leading_region};

    fn codes_of(name: &str) -> &'static [u32] {
        name.chars().try_fold(Beginning::of_all(), Beginning::then).map_or(&[], Beginning::codes)
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
        let walk = |text: &str| text.chars().try_fold(Beginning::of_all(), Beginning::then);
        assert_eq!(walk("浙江省").map(Beginning::codes), Some(codes_of("浙江省")));
        assert!(walk("浙江").is_some_and(|beginning| beginning.codes().is_empty()));
        assert!(walk("浙汪").is_none() && walk("浙江省县").is_none() && walk("a").is_none());
    }

    #[test]
    fn every_name_can_be_walked_to() {
        for (name, codes) in super::NAMES.iter() {
            let walked = name.chars().try_fold(Beginning::of_all(), Beginning::then);
            assert_eq!(walked.map(Beginning::codes), Some(codes.as_slice()), "{name}");
        }
    }
}
