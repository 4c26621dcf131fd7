//! Every constant of the priors and of the search through readings.
//!
//! [`Parameters`] holds what decides between readings: probabilities and thresholds. `examples/fit_priors.rs` fits them on
//! dumps of labelled pictures and reports the fit on others:
//!
//! ```text
//! shenfen eval DRAW_A --dump a.jsonl
//! shenfen eval DRAW_B --dump b.jsonl
//! cargo run --release -p shenfen-core --example fit_priors -- --fit a.jsonl --report b.jsonl
//! ```
//!
//! A value is changed only where the fit on one draw is at least as good on every slice of another.
//!
//! Last fitted on 26 November 2026 with networks 0.5.0, on two draws A and B of 1,800 pictures each (hard photos, photos,
//! sheets and scans; 9,865 and 9,785 fields). Values marked *fitted* were moved towards what both draws ask for: together 3
//! more fields are exact and 14 more pictures are accepted without a further wrong one, and the log likelihood of the
//! confidences rises from -177.2 to -164.4 on A and from -211.1 to -194.8 on B; no slice loses an exact field or an accepted
//! picture. Values marked *kept* are at their best there to within a factor of two, or the two draws disagree. Values
//! marked *not exercised* change nothing there at a quarter and at four times their size: they guard against what drawn cards
//! do not have. Values marked *not fitted on drawn cards* describe how often an address names what the lists lack: drawn
//! addresses are made from the same lists, and a fit to them would trust the lists too much.
//!
//! The constants below the parameters bound the time of the search and are not fitted.

use time::Date;

use crate::policy::Policy;

/// What a card is assessed by.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The day in Asia/Shanghai.
    pub(crate) today: Date,
    pub(crate) policy: &'a Policy,
    pub(crate) parameters: &'a Parameters,
}

macro_rules! parameters {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal,)+) => {
        /// The parameters of the priors. A *false match rate* is the share of wrong readings that keep a constraint by chance:
        /// the smaller it is, the more a reading that keeps the constraint proves itself. A *violation rate* is the share of
        /// cards that break the constraint: forged, specimen, misprinted, or unknown to the lists. A *prior* is how usual a
        /// reading is among the possible ones, up to 1.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct Parameters {
            $($(#[doc = $doc])+ pub $name: f64,)+
        }

        impl Parameters {
            /// The values in use.
            pub const FITTED: Parameters = Parameters { $($name: $value,)+ };

            /// The names of all parameters.
            pub const NAMES: &[&str] = &[$(stringify!($name)),+];

            /// The value of a parameter by its name.
            pub fn get(&self, name: &str) -> Option<f64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    _ => None,
                }
            }

            /// The same with another value of one parameter; `None` if there is none of this name.
            #[must_use]
            pub fn with(mut self, name: &str, value: f64) -> Option<Parameters> {
                match name {
                    $(stringify!($name) => self.$name = value,)+
                    _ => return None,
                }
                Some(self)
            }
        }
    };
}

parameters! {
    /// A character of which less than this is a digit is not part of the number. Not exercised.
    number_digit_from = 0.05,
    /// One wrong number in eleven has a fitting check digit (GB 11643-1999), about two in three of those a possible date. Kept.
    number_false_match_rate = 0.06,
    /// Numbers that fail their own check digit. Kept.
    number_violation_rate = 1e-3,
    /// Numbers with an address code that is in no table, or of a holder who is not a citizen; births before 1900. Kept.
    unlikely_holder_prior = 0.05,
    /// Where a number or validity has one character too many: the weight of every character besides that of standing close
    /// to its neighbour and of being unsure. Not exercised.
    surplus_base = 0.05,

    /// A character of which less than this is a digit is not part of the birth date. Kept.
    birth_date_digit_from = 0.2,
    /// Digits so many times farther apart than the closest ones have 年, 月 or 日 between them. Kept.
    birth_date_gap = 2.2,
    /// Wrong readings that are a date in the past. Kept.
    birth_date_false_match_rate = 0.4,
    /// Cards with a birth date or a validity that does not exist. Not exercised.
    impossible_date_rate = 1e-4,

    /// What is neither 男 nor 女 by its candidates and is one of the two all the same. Fitted.
    gender_false_match_rate = 0.125,

    /// A character of which less than this is a digit is not part of the validity's dates. Kept.
    validity_digit_from = 0.3,
    /// 长期 stands there if at least this much of 长 or of 期 was seen. Kept.
    validity_long_term_from = 0.3,
    /// Wrong readings of two dates that are 5, 10 or 20 years apart to the day. Kept.
    validity_two_dates_false_match_rate = 0.05,
    /// Wrong readings of one date that are a day since 2004. Kept.
    validity_one_date_false_match_rate = 0.4,
    /// Cards of another term, issued before 29 March 2004, or in the future. Kept.
    validity_unlikely_prior = 1e-3,

    /// Cards whose number contradicts their birth date or gender. Kept.
    contradiction_rate = 1e-4,
    /// The probability that a date which none of the readings gives is a certain one. Kept.
    any_date = 1e-3,
    /// The same for the gender: there are two.
    any_gender = 0.5,
    /// The probability that a number misread in an unknown way still has the date of its known readings. Kept.
    same_date = 0.5,
    /// A field read with this probability is not overruled by another one: a contradiction is reported instead. Kept.
    clear_from = 0.9,

    /// Fields with noise at one end: lines of the background or the end of a label that were read as characters. Kept.
    noise_rate = 0.03,
    /// How rarely noise looks like a character that is read for certain, relative to characters. Not exercised.
    noise_if_certain = 0.005,
    /// The same for each unit of doubt about the character. Kept.
    noise_by_doubt = 5.0,
    /// The probability that a character of which the field can hold nothing is noise, and the others are right. Not exercised.
    dropped_is_noise = 0.5,

    /// What begins with no listed region, relative to what does: names that are no candidates. Not fitted on
    /// drawn cards.
    unlisted_prior = 0.05,
    /// Texts read for certain that lack a character at an end. Fitted.
    truncation_rate = 0.008,
    /// Wrongly read texts with a character that is no candidate. Fitted.
    missing_candidate_rate = 0.025,

    /// Addresses in a province that does not exist. Kept.
    no_such_province_prior = 1e-3,
    /// Addresses in which a bracket is missing: they are printed in pairs. Kept.
    unpaired_bracket_prior = 1e-4,
    /// The region after the province is in no list: newer than the list, or left out. Not fitted on drawn cards.
    no_region_prior = 0.01,
    /// What follows the prefecture is called a county and is none of that prefecture. Not fitted on drawn cards.
    no_such_county_prior = 0.006,
    /// What follows the prefecture is a town or a road, as in cities without districts. Not fitted on drawn
    /// cards.
    no_county_prior = 0.3,
    /// What follows the county is called a town and is none of that county: towns are merged and renamed. Not fitted
    /// on drawn cards.
    no_such_town_prior = 0.1,
    /// What follows the county is a road or a village. Not fitted on drawn cards.
    no_town_prior = 0.3,

    /// The power with which the odds of pairs in names of places count: a name that is in no list is not rare.
    /// Kept.
    place_bigram_trust = 0.5,
    /// The same for names of persons, which are freer. Kept.
    person_bigram_trust = 0.3,
    /// The cost of a digit, a letter or a mark after anything, in eighths of a bit. Kept.
    bigram_other_cost = 53.0,
    /// The cost of a Han character that is in no name, in eighths of a bit. Fitted.
    bigram_unknown_cost = 180.0,

    /// Names and addresses that have not the form of one. Not exercised.
    free_text_violation_rate = 0.05,

    /// A character of which no more than this can stand in an ethnic group is noise. Not exercised.
    ethnic_noise_below = 0.05,
    /// Wrong readings that are another of the 56 groups. Kept.
    ethnic_false_match_rate = 0.02,
    /// Groups that are in no list. Fitted.
    ethnic_violation_rate = 5e-4,
    /// Groups read clearly but for a character at one end. Kept.
    ethnic_truncation_rate = 1e-3,

    /// Wrong readings that end as a bureau does. Fitted.
    authority_false_match_rate = 0.3,
    /// Authorities that are not a bureau. Fitted.
    authority_violation_rate = 0.01,
}

/// Nobody born before this year holds a card of this generation.
pub(crate) const FIRST_LIKELY_BIRTH_YEAR: i32 = 1900;

/// Readings of a lattice that are looked at. A field that needs more is not readable.
pub(crate) const MOST_READINGS: usize = 1000;
/// Slots of a lattice; the rest of a longer text is not looked at.
pub(crate) const MOST_SLOTS: usize = 128;
/// Less probable candidates are left out.
pub(crate) const LEAST_PROBABILITY: f64 = 1e-6;
/// Readings so much less probable than the best are left out.
pub(crate) const LEAST_READING_RATIO: f64 = 1e-9;
/// The enumeration ends at readings so much less probable than the best possible one. The rest counts as unknown.
pub(crate) const NEGLIGIBLE: f64 = 1e-3;
/// Readings of one of several alternatives that are looked at.
pub(crate) const MOST_OF_ALTERNATIVE: usize = 200;
/// Readings of a posterior that are kept; less probable ones count as unknown.
pub(crate) const MOST_KEPT: usize = 64;
/// Names so much less probable than the best characters are left out of the lexicon's matches.
pub(crate) const LEAST_NAME_RATIO: f64 = 1e-7;
/// Matches of the lexicon that are looked at, the most probable ones.
pub(crate) const MOST_MATCHES: usize = 12;
/// Readings of one match that are looked at.
pub(crate) const MOST_OF_MATCH: usize = 40;
/// Spans without noise that are less probable are left out.
pub(crate) const LEAST_TRIM: f64 = 1e-4;
/// Alternatives that a result names, each at least so probable.
pub(crate) const MOST_ALTERNATIVES: usize = 3;
/// See [`MOST_ALTERNATIVES`].
pub(crate) const LEAST_ALTERNATIVE: f64 = 0.01;

/// How many times as often a name has one, two, three characters when one of them is missing as when it is whole. Of 20,000 drawn names
/// without a dot (surnames, given names and lengths as counted in news and registers, `training/data/README.md`), 21 % have two
/// characters, 74 % three and 5 % four; one without two is next to unheard of.
pub(crate) const NAME_LENGTH_RATIOS: [f64; 3] = [200.0, 3.6, 0.07];
/// A first character that is no surname counts for no more than this: there are more surnames than lists have.
pub(crate) const MOST_UNUSUAL_START: f64 = 100.0;
/// What an address ends with: a number's noun, a group, a village or a bracket.
pub(crate) const ADDRESS_ENDS: [char; 10] = ['号', '室', '组', '户', '社', '队', '村', '）', ')', '房'];
/// The share of addresses that end otherwise: 0.06 of 20,000 drawn ones (`training/data/addr_patterns.csv`).
pub(crate) const ADDRESS_WHOLE: f64 = 0.06;
/// The same after the last one or two characters, or the last row, were taken away: 0.996, 0.78 and 0.92 of them.
pub(crate) const ADDRESS_CUT: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::Parameters;

    #[test]
    fn every_parameter_can_be_read_and_replaced_by_name() {
        for name in Parameters::NAMES {
            let other = Parameters::FITTED.with(name, 0.25).unwrap();
            assert_eq!(other.get(name), Some(0.25));
            let restored = other.with(name, Parameters::FITTED.get(name).unwrap()).unwrap();
            assert_eq!(restored, Parameters::FITTED);
        }
        assert_eq!((Parameters::FITTED.get("none"), Parameters::FITTED.with("none", 1.0)), (None, None));
    }
}
