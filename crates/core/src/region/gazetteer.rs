//! The table of codes read the other way: from a name to the codes that have had it.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table;

/// The longest name of a region in characters, such as 双江拉祜族佤族布朗族傣族自治县.
const LONGEST: usize = 15;
/// Headings of statistics, which no address prints.
const HEADINGS: [&str; 4] = ["市辖区", "县", "市", "市区"];

/// Made at the first use: about 6,000 names.
static CODES: LazyLock<HashMap<&'static str, Vec<u32>>> = LazyLock::new(|| {
    let mut codes: HashMap<&'static str, Vec<u32>> = HashMap::new();
    for (code, name) in table::all().filter(|(_, name)| !HEADINGS.contains(name)) {
        codes.entry(name).or_default().push(code);
    }
    codes
});

/// The codes that have had a name, of any level and any year since 1981. Empty for a name that no region has had.
pub(crate) fn codes_of(name: &str) -> &'static [u32] {
    CODES.get(name).map_or(&[], Vec::as_slice)
}

/// The longest name of a region with which a text begins, for which `fits` some of its codes.
pub(crate) fn leading_region(text: &str, fits: impl Fn(u32) -> bool) -> Option<(&str, &'static [u32])> {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8()).take(LONGEST);
    let names = ends.map(|end| &text[..end]).map(|name| (name, codes_of(name)));
    names.filter(|(_, codes)| codes.iter().any(|&code| fits(code))).last()
}

#[cfg(test)]
mod tests {
    use super::{codes_of, leading_region};

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
}
