//! Names of regions for address codes (GB/T 2260): when a number was assigned, and today.
//!
//! A number carries the code that was valid when it was assigned, not at birth. Numbers were first given with the cards
//! of 1984, and at birth registration only since about 1999; so a code is looked up for the year of birth, 1984 at the
//! earliest, and a code that came later is normal. Codes were renamed, split, moved to other provinces, and some were
//! given to another place years later: `data/regions.md` tells where the table comes from.

pub(crate) mod gazetteer;
mod table;
pub(crate) mod towns;

#[cfg(test)]
mod tests;

use table::{Row, rows_of};

/// First year in which numbers were assigned (trial rules of 6 April 1984).
const FIRST_ASSIGNED: u16 = 1984;

/// First year of residence permits, and so of numbers, for people of Hong Kong, Macau and Taiwan (国办发〔2018〕81号).
const FIRST_PERMITS: u16 = 2018;

/// Later than any row; asks for the names in force.
const TODAY: u16 = u16::MAX;

/// A place in up to three levels. A level that a code does not name is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Province, autonomous region or municipality.
    pub province: Option<&'static str>,
    /// Prefecture or prefecture-level city. A municipality repeats the province's name, a county that the province governs
    /// its own; the statistical headings 市辖区, 县 and 省直辖县级行政区划 never stand here.
    pub city: Option<&'static str>,
    /// County, district or county-level city. 市辖区 if the code names all districts of a city together.
    pub county: Option<&'static str>,
}

/// How an address code fits the time in which its holder got the number. Every case occurs on real cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// In use in the year of birth, or in 1984 for those born before: the first cards.
    Exact,
    /// Came into use later: normal for whoever got the number late.
    Later,
    /// Ended before: happens for some years after a change.
    Earlier,
    /// In no table; the levels above it may still be known.
    Unlisted,
}

/// The region of an address code for someone born in some year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    at_issue: Place,
    fit: Fit,
    codes_today: &'static [u32],
}

impl Region {
    /// The region of a six-digit code for someone born in a year.
    pub fn of_code(code: u32, birth_year: i32) -> Region {
        let first_assigned = if matches!(code / 10_000, 81..=83) { FIRST_PERMITS } else { FIRST_ASSIGNED };
        let year = u16::try_from(birth_year).unwrap_or(0).max(first_assigned);
        match choose(rows_of(code), year) {
            Some((row, fit)) => {
                Region { at_issue: place(code, row, row.clamp(year)), fit, codes_today: row.codes_today() }
            }
            None => Region { at_issue: place_of_unlisted(code, year), fit: Fit::Unlisted, codes_today: &[] },
        }
    }

    /// A whole province, by its two digits.
    pub fn of_province(digits: u32) -> Region {
        Region::of_code(digits * 10_000, TODAY.into())
    }

    /// The names when the number was assigned.
    pub fn at_issue(&self) -> Place {
        self.at_issue
    }

    /// How the code fits the person's time.
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// The codes in force today for the region: several if it was divided, none if that is unknown. In ascending order.
    pub fn codes_today(&self) -> &'static [u32] {
        self.codes_today
    }

    /// The names in force today, down to the level on which all parts of a divided region agree; empty if unknown.
    pub fn today(&self) -> Place {
        let places = self.codes_today.iter().map(|&code| Region::of_code(code, TODAY.into()).at_issue);
        places.reduce(common).unwrap_or_default()
    }
}

/// The name in force of the province with these two digits; nothing else has one.
pub fn province_name(digits: u32) -> Option<&'static str> {
    rows_of(digits * 10_000).last().map(Row::name)
}

/// Of the rows of one code in order of time: the one for a year, else the next later, else the last before.
fn choose(rows: &'static [Row], year: u16) -> Option<(&'static Row, Fit)> {
    // Rows go by tables of 31 December: the change itself came during the year after the last one.
    let in_use = rows.iter().find(|row| row.covers(year)).or_else(|| rows.iter().find(|row| row.covers(year - 1)));
    let later = || rows.iter().find(|row| row.start > year).map(|row| (row, Fit::Later));
    let earlier = || rows.last().map(|row| (row, Fit::Earlier));
    in_use.map(|row| (row, Fit::Exact)).or_else(later).or_else(earlier)
}

/// The levels of a listed code in a year that its row covers.
fn place(code: u32, row: &'static Row, year: u16) -> Place {
    let province = province_in(code, year);
    let own_name = Some(row.name());
    if code.is_multiple_of(10_000) {
        return Place { province, city: province.filter(|_| is_municipality(code)), county: None };
    }
    if code.is_multiple_of(100) {
        return Place { province, city: own_name, county: None };
    }
    let city = if is_municipality(code) {
        province
    } else {
        let prefectures = prefectures_of(code);
        let covering = prefectures.iter().find(|prefecture| prefecture.covers(year));
        let nearest = || choose(prefectures, year).filter(|_| !row.is_dated()).map(|(nearest, _)| nearest);
        // Without a prefecture the province governs the county itself.
        covering.or_else(nearest).map(Row::name).or(own_name)
    };
    Place { province, city, county: own_name }
}

/// The levels above a code that is in no table.
fn place_of_unlisted(code: u32, year: u16) -> Place {
    let province = province_in(code, year);
    let city = if is_municipality(code) {
        province
    } else {
        choose(prefectures_of(code), year).map(|(prefecture, _)| prefecture.name())
    };
    Place { province, city, county: None }
}

fn province_in(code: u32, year: u16) -> Option<&'static str> {
    choose(rows_of(code / 10_000 * 10_000), year).map(|(row, _)| row.name())
}

/// The rows of the prefecture above a code. Hainan's counties of 1988 to 2000 (4600xx) have none: 460000 is the province.
fn prefectures_of(code: u32) -> &'static [Row] {
    match code / 100 * 100 {
        province if province.is_multiple_of(10_000) => &[],
        prefecture => rows_of(prefecture),
    }
}

/// 北京, 天津, 上海 and 重庆.
fn is_municipality(code: u32) -> bool {
    matches!(code / 10_000, 11 | 12 | 31 | 50)
}

/// What two places have in common, from the province downwards.
fn common(one: Place, other: Place) -> Place {
    let province = one.province.filter(|_| one.province == other.province);
    let city = one.city.filter(|_| province.is_some() && one.city == other.city);
    let county = one.county.filter(|_| city.is_some() && one.county == other.county);
    Place { province, city, county }
}
